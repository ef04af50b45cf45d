//! The shipped templates, and what sites may do wrong with their own.

use std::collections::BTreeMap;
use std::path::Path;

use usher_plugin::settings::Value;
use usher_plugin::types::*;

use super::*;

// Named in full, because the file that this is part of is found by a path itself.
#[path = "tests/quota_mails.rs"]
mod quota_mails;

fn shipped(name: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name)).ok()
}

fn settings(entries: &[(&str, Value)]) -> Settings {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Settings with everything that the shipped templates know.
fn full_settings() -> Settings {
    settings(&[
        ("defaults.login_url", text("https://cloud.example.org/")),
        ("defaults.terms_url", text("https://example.org/terms")),
        ("defaults.getting_started_url", text("https://example.org/start")),
        ("defaults.password_reset_form_url", text("https://setpass.example.org/reset")),
        ("defaults.support_email", text("support@example.org")),
        ("helpdesk-ticket.queue", text("cloud")),
        ("helpdesk-ticket.priority", Value::Integer(3)),
    ])
}

fn welcome(full_name: &str) -> MailContent {
    MailContent::Welcome(WelcomeMail {
        full_name: full_name.to_owned(),
        username: "user@example.org".to_owned(),
        project: "First Project".to_owned(),
    })
}

fn link() -> PasswordLink {
    PasswordLink {
        full_name: "New User".to_owned(),
        url: "https://setpass.example.org/?token=abc&x=1".to_owned(),
        expires: "15 March 2018, 15:48".to_owned(),
    }
}

fn password_changed() -> MailContent {
    MailContent::PasswordChanged(PasswordChangedMail {
        full_name: "New User".to_owned(),
        username: "user@example.org".to_owned(),
        changed: "15 March 2018, 15:48".to_owned(),
        support_email: "helpdesk@example.org".to_owned(),
    })
}

fn ticket() -> MailContent {
    MailContent::HelpdeskTicket(TicketMail {
        username: "user@example.org".to_owned(),
        first_name: "New\nPriority: 9".to_owned(),
        last_name: "User".to_owned(),
        project: "First Project".to_owned(),
        request_type: "Access Request".to_owned(),
        comment: "Please\r\nQueue: other".to_owned(),
        case_number: String::new(),
    })
}

fn reminder() -> MailContent {
    let request = |row, full_name: &str, comment: &str| PendingRequest {
        row,
        full_name: full_name.to_owned(),
        email: "user@example.org".to_owned(),
        project: "First Project".to_owned(),
        since: "14 March 2018".to_owned(),
        comment: comment.to_owned(),
    };
    MailContent::Reminder(ReminderMail {
        kind: SheetKind::Access,
        spreadsheet_url: "https://sheets.example.org/1".to_owned(),
        requests: vec![request(4, "New User", "<b>Now</b>"), request(9, "Second User", "")],
    })
}

fn every_kind() -> Vec<MailContent> {
    let project = NewProjectMail { full_name: "New User".to_owned(), project: "First Project".to_owned() };
    let mut kinds = vec![
        welcome("New User"),
        MailContent::Password(link()),
        MailContent::PasswordReset(link()),
        password_changed(),
        MailContent::NewProject(project),
        ticket(),
        reminder(),
    ];
    kinds.extend(quota_mails::all());
    kinds
}

#[test]
fn the_shipped_templates_render_with_all_settings_and_with_none() {
    for content in every_kind() {
        for settings in [full_settings(), Settings::default()] {
            let mail = render(&content, &settings, shipped).unwrap();
            let all = format!("{}\n{}\n{}", mail.subject, mail.text, mail.html.unwrap_or_default());
            assert!(!all.contains("{{") && !all.contains("{%") && !all.contains("\n\n\n"), "{all}");
            assert!(mail.text.ends_with('\n') && !mail.text.starts_with('\n'), "{all}");
        }
    }
}

#[test]
fn the_mail_about_a_changed_password_says_when_and_whom_to_write_to_and_holds_no_link_to_set_another() {
    // The address comes with the mail, whatever the settings have besides.
    for settings in [full_settings(), Settings::default()] {
        let mail = render(&password_changed(), &settings, shipped).unwrap();
        let html = mail.html.unwrap();
        for part in ["user@example.org", "15 March 2018, 15:48", "helpdesk@example.org"] {
            assert!(mail.text.contains(part) && html.contains(part), "{part}: {}", mail.text);
        }
        assert!(!mail.text.contains("http") && !html.contains("href=\"http"), "a mail to be imitated");
    }
}

#[test]
fn the_welcome_mail_has_what_a_user_needs() {
    let mail = render(&welcome("New User"), &full_settings(), shipped).unwrap();
    assert_eq!(mail.subject, "Welcome to the cloud: your account is ready");
    for part in [
        "Hello New User,",
        "user@example.org",
        "First Project",
        "https://cloud.example.org/",
        "support@example.org",
    ] {
        assert!(mail.text.contains(part), "{}", mail.text);
    }
    assert_eq!((mail.sender, mail.cc), (None, vec![]));
}

#[test]
fn the_password_mail_has_the_link_in_both_forms() {
    let mail = render(&MailContent::Password(link()), &full_settings(), shipped).unwrap();
    assert!(mail.text.contains("    https://setpass.example.org/?token=abc&x=1\n"), "{}", mail.text);
    assert!(mail.text.contains("until 15 March 2018, 15:48"), "{}", mail.text);
    let html = mail.html.unwrap();
    assert!(html.contains("?token=abc&amp;x=1\""), "{html}");
}

#[test]
fn the_ticket_has_a_form_that_values_cannot_break() {
    let mail = render(&ticket(), &full_settings(), shipped).unwrap();
    assert_eq!(mail.subject, "Access Request: user@example.org");
    assert_eq!(
        mail.text,
        "Request-Type: Access Request\nQueue: cloud\nPriority: 3\nUser-Name: user@example.org\n\
         First-Name: New Priority: 9\nLast-Name: User\nProject: First Project\nComment:\n    Please\n    Queue: other\n"
    );
}

#[test]
fn the_reminder_has_a_block_for_each_request() {
    let mail = render(&reminder(), &full_settings(), shipped).unwrap();
    assert_eq!(mail.subject, "2 access requests waiting for a decision");
    assert!(
        mail.text.contains("Row 4: New User") && mail.text.contains("Row 9: Second User"),
        "{}",
        mail.text
    );
    let html = mail.html.unwrap();
    assert!(html.contains("&lt;b&gt;Now") && !html.contains("<b>"), "{html}");
}

#[test]
fn settings_give_sender_copies_subject_and_values() {
    let settings = settings(&[
        ("defaults.sender", text("cloud@example.org")),
        ("defaults.cc", text("all@example.org")),
        ("welcome.sender", text("Welcome <welcome@example.org>")),
        ("welcome.cc", Value::Texts(vec!["a@example.org".to_owned(), "b@example.org".to_owned()])),
        ("welcome.subject", text("{{ greeting }}, {{ fullname }}")),
        ("greeting", text("Hi")),
    ]);
    let mail = render(&welcome("New"), &settings, shipped).unwrap();
    assert_eq!(mail.subject, "Hi, New");
    assert_eq!(mail.sender.as_deref(), Some("Welcome <welcome@example.org>"));
    assert_eq!(mail.cc, ["a@example.org", "b@example.org"]);
    let mail = render(&reminder(), &settings, shipped).unwrap();
    assert_eq!(mail.sender.as_deref(), Some("cloud@example.org"));
    assert_eq!(mail.cc, ["all@example.org"]);
}

/// Renders a welcome mail from one file.
fn from_file(
    name: &'static str,
    source: &'static str,
    entries: &[(&str, Value)],
) -> Result<Message, RenderError> {
    let files = BTreeMap::from([(name, source)]);
    let file = move |name: &str| files.get(name).map(|&source| source.to_owned());
    render(&welcome("New\r\nBcc: other@example.org\u{2028}x"), &settings(entries), file)
}

#[test]
fn no_value_breaks_the_subject_into_two_headers() {
    let mail = from_file("welcome.txt", "subject: Hello {{ fullname }}\r\n\r\nBody\r\n", &[]).unwrap();
    assert_eq!(mail.subject, "Hello New Bcc: other@example.org x");
    assert_eq!((mail.text.as_str(), mail.html), ("Body\n", None));
    let breaking =
        [("greeting", text("Hi\nBcc: other@example.org")), ("welcome.subject", text("{{ greeting }}\nX"))];
    let mail = from_file("welcome.txt", "Body", &breaking).unwrap();
    assert_eq!(mail.subject, "Hi Bcc: other@example.org X");
    let error =
        from_file("welcome.txt", "Body", &[("welcome.cc", text("a@example.org\nBcc: b"))]).unwrap_err();
    assert!(error.reason.contains("has to be on one line"), "{error:?}");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let cases: [(&str, &str, &str, &str); 8] = [
        ("welcome.txt", "Subject: x\n\nHello {{ fulname }}", "welcome.txt, line 3", "fulname"),
        ("welcome.txt", "Subject: {{ fulname }}\n", "welcome.txt, line 1", "fulname"),
        ("welcome.txt", "Subject: x\n\n\n{% if %}", "welcome.txt, line 4", "syntax error"),
        ("welcome.txt", "Subject: x\n{% include 'foot.txt' %}", "welcome.txt, line 2", "foot.txt"),
        ("welcome.txt", "Subject: x\n{{ fullname|shout }}", "welcome.txt, line 2", "shout"),
        ("welcome.txt", "Hello", "welcome.txt", "begin the file with a line `Subject: …`"),
        ("welcome.txt", "Subject: {{ '' }}\nHello", "welcome.txt", "blank"),
        ("other.txt", "", "welcome.txt", "no such file"),
    ];
    for (name, source, place, reason) in cases {
        let error = from_file(name, source, &[]).unwrap_err();
        assert!(error.place == place && error.reason.contains(reason), "{source:?}: {error:?}");
    }
    let error = from_file("welcome.txt", "Subject: x", &[("welcom.subject", text("x"))]).unwrap_err();
    assert!(error.reason.contains("`welcom` is no kind of mail; there are welcome, password"), "{error:?}");
    let error = from_file("welcome.txt", "Subject: x", &[("welcome.sender", Value::Integer(1))]).unwrap_err();
    assert!(error.reason.contains("`welcome.sender` has to be a text"), "{error:?}");
}

#[test]
fn an_error_never_quotes_a_link() {
    let file = |name: &str| {
        (name == "password.txt").then(|| "Subject: x\n{{ setpass_token_url|int + 1 }}".to_owned())
    };
    let error = render(&MailContent::Password(link()), &Settings::default(), file).unwrap_err();
    assert_eq!(error.place, "password.txt, line 2");
    assert!(!error.reason.contains("abc"), "{error:?}");
}

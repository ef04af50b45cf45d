//! The shipped mails about quotas.

use super::*;

fn change(key: &str, old: i64, new: i64, reason: &str) -> QuotaChange {
    QuotaChange { key: key.to_owned(), old, new, reason: reason.to_owned() }
}

fn update(until: Option<&str>) -> MailContent {
    MailContent::QuotaUpdate(QuotaMail {
        full_name: "New User".to_owned(),
        project: "First <Project>".to_owned(),
        changes: vec![
            change("instances", 10, 60, "as requested"),
            change("ram", 51_200, -1, "<b>much</b>\nmore"),
        ],
        until: until.map(str::to_owned),
    })
}

fn denied() -> MailContent {
    MailContent::QuotaDenied(QuotaDeniedMail {
        full_name: "New User".to_owned(),
        project: "First Project".to_owned(),
        reason: "cores: 64 & no more\ninstances: <20>".to_owned(),
    })
}

fn ending() -> MailContent {
    MailContent::QuotaEnding(QuotaEndingMail {
        full_name: "New User".to_owned(),
        project: "First Project".to_owned(),
        ends: "Monday, 31 December 2018".to_owned(),
        returns: vec![QuotaReturn { key: "ram".to_owned(), in_force: 8192, goes_back_to: 1536 }],
    })
}

fn ended(restored: Vec<QuotaChange>, kept: Vec<KeptLimit>) -> MailContent {
    MailContent::QuotaEnded(QuotaEndedMail {
        full_name: "New User".to_owned(),
        project: "First Project".to_owned(),
        restored,
        kept,
    })
}

fn kept() -> KeptLimit {
    KeptLimit {
        key: "cores".to_owned(),
        in_force: 40,
        before: 8,
        reason: "it was set to 40 meanwhile".to_owned(),
    }
}

/// Every mail about quotas.
pub fn all() -> Vec<MailContent> {
    vec![
        update(None),
        update(Some("Monday, 31 December 2018")),
        denied(),
        ending(),
        ended(vec![change("cores", 16, 8, "")], vec![kept()]),
        ended(vec![], vec![kept()]),
        ended(vec![change("cores", 16, 8, "")], vec![]),
    ]
}

/// Text and HTML of a mail, with subject and text together.
fn shown(content: &MailContent) -> (String, String) {
    let mail = render(content, &full_settings(), shipped).unwrap();
    (format!("Subject: {}\n{}", mail.subject, mail.text), mail.html.unwrap())
}

#[test]
fn a_change_is_a_table_of_old_and_new() {
    let (text, html) = shown(&update(None));
    assert_eq!(
        text,
        "Subject: Changed quotas of project First <Project>\nHello New User,\n\n\
         the quotas of project First <Project> have been changed:\n\n\
         \x20   Quota                   Old        New  Why\n\
         \x20   instances                10         60  as requested\n\
         \x20   ram        51200 MB (50 GB)  unlimited  <b>much</b> more\n\n\
         Questions? Write to support@example.org.\n"
    );
    for part in
        [">Old</th>", ">New</th>", ">51200 MB (50 GB)</td>", ">unlimited</td>", "First &lt;Project&gt;"]
    {
        assert!(html.contains(part), "{html}");
    }
    assert!(html.contains("&lt;b&gt;much") && !html.contains("<b>"), "{html}");
    assert!(!html.contains("go back"), "{html}");
}

#[test]
fn a_temporary_change_says_until_when() {
    let (text, html) = shown(&update(Some("Monday, 31 December 2018")));
    for shown in [text, html] {
        assert!(shown.contains("Monday, 31 December 2018"), "{shown}");
        assert!(shown.contains("After that they go back to what they were."), "{shown}");
    }
}

#[test]
fn a_refusal_gives_its_reason() {
    let (text, html) = shown(&denied());
    assert!(text.starts_with("Subject: Quotas of project First Project: not granted\n"), "{text}");
    assert!(text.contains("    cores: 64 & no more\n    instances: <20>\n"), "{text}");
    assert!(html.contains("cores: 64 &amp; no more\ninstances: &lt;20&gt;"), "{html}");
}

#[test]
fn an_end_that_is_near_shows_what_limits_go_back_to() {
    let (text, html) = shown(&ending());
    assert!(
        text.starts_with("Subject: Temporary quotas of project First Project end on Monday, 31"),
        "{text}"
    );
    assert!(
        text.contains("    Quota             Now     Then\n    ram    8192 MB (8 GB)  1536 MB\n"),
        "{text}"
    );
    let (now, then) = (html.find(">8192 MB (8 GB)</td>").unwrap(), html.find(">1536 MB</td>").unwrap());
    assert!(html.find(">Now</th>").unwrap() < html.find(">Then</th>").unwrap() && now < then, "{html}");
}

#[test]
fn an_end_tells_what_went_back_apart_from_what_stays() {
    let went_back = "    Quota  Old  New\n    cores   16    8\n";
    let stays = "    Quota  Before  Now  Why\n    cores       8   40  it was set to 40 meanwhile\n";
    let restored = || vec![change("cores", 16, 8, "")];
    for (restored, kept) in [(restored(), vec![]), (vec![], vec![kept()]), (restored(), vec![kept()])] {
        let (is_restored, is_kept) = (!restored.is_empty(), !kept.is_empty());
        let (text, html) = shown(&ended(restored, kept));
        assert_eq!((text.contains(went_back), text.contains(stays)), (is_restored, is_kept), "{text}");
        assert_eq!(
            (html.contains(">Old</th>"), html.contains(">Why</th>")),
            (is_restored, is_kept),
            "{html}"
        );
    }
}

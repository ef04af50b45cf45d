//! What mails look like on the wire, and what errors mean. TLS is tested against a real mail server in
//! the end-to-end tests.

use std::time::Duration;

use super::peer::{self, CONTENT, CUT, GREETING, Peer, SILENCE};
use super::*;
use crate::settings::mail::{Login, Security};
use crate::settings::secret::SecretSource;

const LINK: &str = "https://setpass.example.org/?token=verysecret";

pub(crate) fn mail() -> Mail {
    Mail {
        message_id: "<abc@example.org>".to_owned(),
        date: "2026-03-14T15:48:48Z".parse().unwrap(),
        sender: "Example Cloud <cloud@example.org>".to_owned(),
        to: vec!["user@example.org".to_owned()],
        cc: Vec::new(),
        subject: "Your password".to_owned(),
        text: format!("Hello,\n\n{LINK}\n"),
        html: None,
    }
}

fn written(mail: &Mail) -> String {
    String::from_utf8(mail.bytes().unwrap()).unwrap()
}

#[test]
fn a_mail_says_who_when_what_and_that_it_is_automatic() {
    let mail = Mail {
        to: vec!["Jörg Müller <joerg@example.org>".to_owned(), "b@example.org".to_owned()],
        cc: vec!["c@example.org".to_owned(), "\"Doe, Jane\" <d@example.org>".to_owned()],
        subject: "Zugang für Jörg".to_owned(),
        html: Some("<p>Grüße</p>".to_owned()),
        ..mail()
    };
    let text = written(&mail);
    assert!(text.is_ascii());
    for line in [
        "From: \"Example Cloud\" <cloud@example.org>\r\n",
        "b@example.org\r\n",
        // A comma in a name divides nothing: "Doe, Jane" is encoded.
        "Cc: c@example.org, =?utf-8?b?RG9lLCBKYW5l?= <d@example.org>\r\n",
        "Date: Sat, 14 Mar 2026 15:48:48 +0000\r\n",
        "Message-ID: <abc@example.org>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "MIME-Version: 1.0\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "<p>Gr=C3=BC=C3=9Fe</p>",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(text.contains("Subject: Zugang =?utf-8?b?"), "{text}");
    assert_eq!(text, written(&mail), "the same mail gives the same bytes");
    assert!(text.replace("\r\n", "").find(['\r', '\n']).is_none(), "bare line ends");
}

#[test]
fn nothing_becomes_a_header_that_is_not_one() {
    for subject in ["a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\0b", "", "  "] {
        let error = Mail { subject: subject.to_owned(), ..mail() }.bytes().unwrap_err();
        assert!(matches!(error, MailerError::Subject) && error.concerns_mail(), "{subject:?}: {error}");
    }
    for address in [
        "x@example.org\r\nBcc: y@example.org",
        "x\r\nSubject: no <x@example.org>",
        "x@example.org, y@example.org",
        "x@example.org>\u{0}",
        "x@",
        "no address",
        "",
        "<x@example.org> RCPT TO:<y@example.org>",
    ] {
        for mail in [
            Mail { to: vec![address.to_owned()], ..mail() },
            Mail { cc: vec![address.to_owned()], ..mail() },
            Mail { sender: address.to_owned(), ..mail() },
        ] {
            assert!(matches!(mail.bytes(), Err(MailerError::Address { .. })), "{address:?}");
        }
    }
    for id in ["abc@example.org", "<abc>", "<a b@example.org>", "<a@b>\r\nX: y", "<@b>"] {
        let mail = Mail { message_id: id.to_owned(), ..mail() };
        assert!(matches!(mail.bytes(), Err(MailerError::MessageId)), "{id:?}");
    }
    assert!(matches!(Mail { to: Vec::new(), ..mail() }.bytes(), Err(MailerError::NoRecipient)));
}

#[test]
fn bodies_survive_what_users_type() {
    let text = written(&Mail { text: format!("a\rb\r\nc\0d\n.\n{}\n", "x".repeat(2000)), ..mail() });
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("a\r\nb\r\ncd\r\n.\r\n"), "{body:?}");
    assert!(text.lines().all(|line| line.len() < 998));
}

#[test]
fn plain_ascii_goes_as_it_is_for_programs_that_know_of_no_encoding() {
    let command = format!("approve {} subscribe users a=b@example.org", "x".repeat(100));
    let text = written(&Mail { text: format!("{command}\nend\n"), ..mail() });
    assert!(text.contains(&format!("\r\n\r\n{command}\r\nend\r\n")), "{text}");
    assert!(text.contains("Content-Transfer-Encoding: 7bit\r\n"), "{text}");
    // What no server has to take is folded.
    let text = written(&Mail { text: "x".repeat(999), ..mail() });
    assert!(text.lines().all(|line| line.len() < 100), "{text}");
}

#[test]
fn domains_outside_ascii_are_written_in_ascii() {
    let letter = letter::write(&Mail { to: vec!["Jö <user@bücher.example>".to_owned()], ..mail() }).unwrap();
    assert_eq!(letter.recipients[0].to_string(), "user@xn--bcher-kva.example");
    assert!(!letter.needs_utf8());
    assert!(String::from_utf8(letter.bytes).unwrap().contains("<user@xn--bcher-kva.example>"));
    assert_eq!(message_id("abc", "X <x@bücher.example>").unwrap(), "<abc@xn--bcher-kva.example>");
}

#[tokio::test]
async fn mails_share_a_connection_and_each_recipient_gets_one() {
    let peer = Peer::start(|_| None).await;
    let mailer = Mailer::new(&peer.settings()).unwrap();
    let cc = vec!["c@example.org".to_owned(), "User <user@example.org>".to_owned()];
    mailer.send(&Mail { cc, ..mail() }).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    mailer.close().await;
    let seen = peer.seen();
    assert_eq!(seen.connections, 1);
    assert_eq!(seen.mails.len(), 2);
    assert_eq!(seen.mails[1].trim_end(), written(&mail()).trim_end());
    let recipients: Vec<_> = seen.commands.iter().filter(|command| command.starts_with("RCPT")).collect();
    assert_eq!(
        recipients,
        ["RCPT TO:<user@example.org>", "RCPT TO:<c@example.org>", "RCPT TO:<user@example.org>"]
    );
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_replaced() {
    let peer = Peer::start(|command| (command == "NOOP").then_some(CUT)).await;
    let mailer = Mailer::new(&peer.settings()).unwrap();
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    assert_eq!(peer.counts(), (2, 2));
}

#[tokio::test]
async fn refusals_say_what_was_refused_and_whether_to_try_again() {
    let cases: [(&'static str, &'static str, Step, bool, bool); 7] = [
        ("MAIL", "550 5.7.1 not you", Step::Sender, false, true),
        ("RCPT TO:<user@", "550 5.1.1 unknown", Step::Recipient("user@example.org".to_owned()), false, true),
        ("RCPT TO:<c@", "451 4.7.1 greylisted", Step::Recipient("c@example.org".to_owned()), true, true),
        ("RCPT", "451 4.7.1 greylisted", Step::Recipient("user@example.org".to_owned()), true, true),
        (CONTENT, "554 5.7.1 spam", Step::Content, false, true),
        ("DATA", "421 4.3.2 going down", Step::Content, true, false),
        (GREETING, "554 no service here", Step::Connecting, false, false),
    ];
    for (at, reply, step, passing, concerns_mail) in cases {
        let peer = Peer::start(move |command| command.starts_with(at).then_some(reply)).await;
        let mailer = Mailer::new(&peer.settings()).unwrap();
        let mail = Mail { cc: vec!["c@example.org".to_owned()], ..mail() };
        let error = mailer.send(&mail).await.unwrap_err();
        assert!(matches!(&error, MailerError::Refused { step: at, .. } if *at == step), "{error:?}");
        assert_eq!((error.is_passing(), error.concerns_mail()), (passing, concerns_mail), "{error}");
        assert!(error.to_string().contains(reply), "{error}");
        assert!(peer.seen().mails.is_empty());
    }
}

#[tokio::test]
async fn some_of_the_recipients_refused_is_not_all() {
    let peer = Peer::start(|command| command.contains("<gone").then_some("550 5.1.1 unknown")).await;
    let mailer = Mailer::new(&peer.settings()).unwrap();
    let list = |addresses: &[&str]| addresses.iter().map(|&address| address.to_owned()).collect::<Vec<_>>();
    let copy_refused = Mail { cc: list(&["gone@example.org", "c@example.org"]), ..mail() };
    let refused = mailer.send(&copy_refused).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].to_string(), "gone@example.org was refused: 550 5.1.1 unknown");
    let one_left = Mail { to: list(&["gone@example.org", "user@example.org"]), ..mail() };
    assert_eq!(mailer.send(&one_left).await.unwrap().len(), 1);
    // What only those would get who were to have a copy is not sent.
    let only_copies = Mail { to: list(&["gone@example.org"]), cc: list(&["c@example.org"]), ..mail() };
    let error = mailer.send(&only_copies).await.unwrap_err();
    assert!(error.condemns_mail(), "{error}");
    assert_eq!(peer.counts(), (1, 2));
}

#[tokio::test]
async fn a_sender_that_is_not_let_through_is_for_the_operator_to_put_right() {
    let peer = Peer::start(|command| command.starts_with("MAIL").then_some("553 5.7.1 not you")).await;
    let error = Mailer::new(&peer.settings()).unwrap().send(&mail()).await.unwrap_err();
    assert!(!error.condemns_mail() && error.concerns_mail(), "{error}");
}

#[tokio::test]
async fn after_a_refusal_the_connection_goes_on() {
    let peer = Peer::start(|command| command.contains("<bad@").then_some("550 no")).await;
    let mailer = Mailer::new(&peer.settings()).unwrap();
    mailer.send(&Mail { to: vec!["bad@example.org".to_owned()], ..mail() }).await.unwrap_err();
    mailer.send(&mail()).await.unwrap();
    assert_eq!(peer.counts(), (1, 1));
    assert!(peer.seen().commands.contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn trouble_on_the_way_is_passing() {
    for at in [GREETING, "EHLO", "MAIL", "DATA", CONTENT] {
        let peer = Peer::start(move |command| command.starts_with(at).then_some(CUT)).await;
        let error = Mailer::new(&peer.settings()).unwrap().send(&mail()).await.unwrap_err();
        assert!(matches!(error, MailerError::Broken { .. }) && error.is_passing(), "{at}: {error:?}");
        assert!(!error.concerns_mail());

        let peer = Peer::start(move |command| command.starts_with(at).then_some(SILENCE)).await;
        let short = Duration::from_millis(200);
        let impatient = settings::mail::Mail { timeout: short, content_timeout: short, ..peer.settings() };
        let error = Mailer::new(&impatient).unwrap().send(&mail()).await.unwrap_err();
        assert!(matches!(error, MailerError::Timeout { .. }) && error.is_passing(), "{at}: {error:?}");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Mailer::new(&peer::settings(port)).unwrap().send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailerError::Unreachable { .. }) && error.is_passing(), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let peer = Peer::start(|_| None).await;
    let strict = settings::mail::Mail { security: Security::Starttls, ..peer.settings() };
    let error = Mailer::new(&strict).unwrap().send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailerError::NoStarttls { .. }), "{error:?}");
    assert!(error.to_string().contains("mail.security"), "{error}");
    assert!(peer.seen().commands.iter().all(|command| command.starts_with("EHLO")));

    let strict = settings::mail::Mail { security: Security::Tls, ..peer.settings() };
    let error = Mailer::new(&strict).unwrap().send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailerError::NotTls { .. }), "{error:?}");
}

fn with_login(peer: &Peer) -> (settings::mail::Mail, tempfile::NamedTempFile) {
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "hunter2\n").unwrap();
    let login =
        Login { username: "usher".to_owned(), password: SecretSource::File(password.path().to_owned()) };
    (settings::mail::Mail { login: Some(login), ..peer.settings() }, password)
}

#[tokio::test]
async fn a_refused_login_is_told_from_a_refused_mail() {
    let peer = Peer::start(|command| match command.split(' ').next() {
        Some("EHLO") => Some("250-peer\r\n250 AUTH PLAIN"),
        Some("AUTH") => Some("535 5.7.8 bad credentials"),
        _ => None,
    })
    .await;
    let (settings, _password) = with_login(&peer);
    let error = Mailer::new(&settings).unwrap().send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailerError::LoginRefused { .. }), "{error:?}");
    assert!(!error.is_passing() && !error.concerns_mail());
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(peer.seen().commands.last().unwrap(), "AUTH PLAIN AHVzaGVyAGh1bnRlcjI=");

    let peer = Peer::start(|_| None).await;
    let (settings, _password) = with_login(&peer);
    let error = Mailer::new(&settings).unwrap().send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailerError::NoLogin { .. }), "{error:?}");

    let peer = Peer::start(|command| command.starts_with("MAIL").then_some("530 5.7.0 login first")).await;
    let error = Mailer::new(&peer.settings()).unwrap().send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailerError::LoginRefused { .. }) && !error.concerns_mail(), "{error:?}");
}

#[tokio::test]
async fn check_says_what_it_found_and_sends_nothing() {
    let peer =
        Peer::start(|command| command.starts_with("EHLO").then_some("250-peer\r\n250 AUTH PLAIN")).await;
    let (settings, _password) = with_login(&peer);
    let found = Mailer::new(&settings).unwrap().check().await.unwrap();
    assert!(found.ends_with(": not encrypted, login accepted"), "{found}");
    assert!(!peer.seen().commands.iter().any(|command| command.starts_with("MAIL")));
    assert_eq!(peer.seen().commands.last().unwrap(), "QUIT");
}

#[tokio::test]
async fn letters_outside_ascii_before_the_at_need_a_server_that_takes_them() {
    let mail = Mail { to: vec!["jörg@example.org".to_owned()], ..mail() };
    let peer = Peer::start(|_| None).await;
    let error = Mailer::new(&peer.settings()).unwrap().send(&mail).await.unwrap_err();
    assert!(matches!(error, MailerError::NeedsUtf8 { .. }) && error.concerns_mail(), "{error:?}");

    let peer = Peer::start(|command| command.starts_with("EHLO").then_some("250-peer\r\n250 SMTPUTF8")).await;
    Mailer::new(&peer.settings()).unwrap().send(&mail).await.unwrap();
    assert!(
        peer.seen().commands.contains(&"MAIL FROM:<cloud@example.org> SMTPUTF8 BODY=8BITMIME".to_owned())
    );
}

#[tokio::test]
async fn links_are_in_no_error_and_no_debug_text() {
    let reply = "554 5.7.1 we dislike https://setpass.example.org/?token=verysecret and ?token=verysecret";
    let peer = Peer::start(move |command| (command == CONTENT).then_some(reply)).await;
    let error = Mailer::new(&peer.settings()).unwrap().send(&mail()).await.unwrap_err();
    assert!(error.to_string().contains("we dislike [link]"), "{error}");
    let message = Message {
        sender: None,
        cc: Vec::new(),
        subject: "s".to_owned(),
        text: LINK.to_owned(),
        html: Some(LINK.to_owned()),
    };
    for text in [format!("{error}"), format!("{error:?}"), format!("{:?}", mail()), format!("{message:?}")] {
        assert!(!text.contains("verysecret"), "{text}");
    }
}

#[test]
fn a_file_that_holds_no_certificates_is_refused_with_its_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = settings::mail::Mail {
        security: Security::Starttls,
        ca_file: Some(file.path().to_owned()),
        ..peer::settings(25)
    };
    let empty = Mailer::new(&settings).unwrap_err();
    assert!(matches!(empty, MailerError::NotCertificates { .. }), "{empty}");
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let damaged = Mailer::new(&settings).unwrap_err();
    assert!(matches!(damaged, MailerError::NotCertificates { .. }), "{damaged}");
    std::fs::remove_file(file.path()).unwrap();
    let missing = Mailer::new(&settings).unwrap_err();
    assert!(matches!(missing, MailerError::CaFile { .. }), "{missing}");
    assert!(missing.to_string().contains(&file.path().display().to_string()), "{missing}");
}

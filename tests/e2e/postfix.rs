//! Mail through Postfix, which most sites have.

use std::time::Duration;

use usher_tests::postfix::Postfix;
use usher_tests::process;
use usher_tests::sheet::AccessRow;
use usher_tests::site::Site;

use crate::stage::{Stage, decode, expect_status, expect_words};

/// A Postfix in a folder that is gone with it.
struct Server {
    postfix: Postfix,
    _folder: tempfile::TempDir,
}

impl Server {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("usher-postfix-").tempdir().unwrap();
        Self { postfix: Postfix::start(folder.path()).unwrap(), _folder: folder }
    }

    /// A site whose mail goes there.
    fn site(&self, stage: &Stage, rows: &[AccessRow]) -> Site {
        let site = stage.site(rows);
        site.change_settings(
            &format!("port = {}", stage.mail.port()),
            &format!("port = {}", self.postfix.port()),
        )
        .unwrap();
        site.change_settings(
            &stage.mail.ca_file().display().to_string(),
            &self.postfix.ca_file().display().to_string(),
        )
        .unwrap();
        site
    }
}

/// What Postfix has logged of connections at their ends, as soon as there are so many.
fn ended_connections(server: &Server, count: usize) -> Vec<String> {
    process::wait_for("the end of a connection in the log", Duration::from_secs(30), || {
        let log = server.postfix.log()?;
        let ends: Vec<String> = log
            .lines()
            .filter_map(|line| line.split_once(": disconnect from "))
            .map(|(_, end)| end.to_owned())
            .collect();
        Ok((ends.len() >= count).then_some(ends))
    })
    .unwrap()
}

/// The value of a header, as it came over the wire and on one line.
fn header(mail: &str, name: &str) -> String {
    let (head, _) = mail.split_once("\n\n").unwrap_or((mail, ""));
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let prefix = format!("{name}: ");
    let values: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
    assert_eq!(values.len(), 1, "{name} in {head}");
    values[0].to_owned()
}

#[test]
fn an_import_delivers_its_mails_over_one_protected_connection() {
    let stage = Stage::new();
    let server = Server::new();
    let (founder, joiner) = ("founder+cloud@postfix.example.org", "joiner@postfix.example.org");
    let mut first = AccessRow::founding(founder, "Postfix Überblick");
    first.set(5, "Zoë").set(6, "Müller-Łuk 山");
    let mut second = AccessRow::joining(joiner, "Postfix Überblick");
    second.set(3, "3/14/2018 15:48:49");
    let site = server.site(&stage, &[first, second]);
    expect_words(&site.usher(&["doctor"]).unwrap(), &["STARTTLS"]);
    let before = ended_connections(&server, 1).len();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["5 mails sent"]);

    let founders = server.postfix.wait_for(founder, 3).unwrap();
    let joiners = server.postfix.wait_for(joiner, 2).unwrap();
    assert_eq!((founders.len(), joiners.len()), (3, 2));
    let mut ids = std::collections::BTreeSet::new();
    for (mail, to) in
        founders.iter().map(|mail| (mail, founder)).chain(joiners.iter().map(|mail| (mail, joiner)))
    {
        assert_eq!(header(mail, "From"), "\"Example Cloud\" <cloud@example.org>");
        assert_eq!(header(mail, "To"), to);
        assert_eq!(header(mail, "X-Original-To"), to);
        assert!(header(mail, "Date").ends_with("+0000"), "{mail}");
        assert!(header(mail, "Received").contains("TLS"), "came in clear: {mail}");
        assert!(ids.insert(header(mail, "Message-ID")), "{mail}");
    }
    let texts: Vec<String> = founders.iter().map(|mail| decode(mail)).collect();
    for wanted in ["Zoë Müller-Łuk 山", "Postfix Überblick", "https://setpass.example.org/?token="] {
        assert!(texts.iter().any(|text| text.contains(wanted)), "{wanted}: {texts:#?}");
    }

    let ended = ended_connections(&server, before + 1);
    assert_eq!(ended.len(), before + 1, "{ended:?}");
    let last = &ended[before];
    assert!(last.contains("starttls=1 mail=5 rcpt=5 data=5") && !last.contains('/'), "{last}");
    assert_eq!(server.postfix.log().unwrap().matches(": connect from").count(), ended.len());
    assert!(stage.mail.received().unwrap().is_empty(), "nothing went elsewhere");
}

#[test]
fn what_postfix_refuses_is_kept_and_reported() {
    let stage = Stage::new();
    let server = Server::new();
    let (unknown, good) = ("unknown@postfix.example.org", "good@postfix.example.org");
    let mut second = AccessRow::founding(good, "Postfix Good");
    second.set(3, "3/14/2018 15:48:49");
    let site = server.site(&stage, &[AccessRow::founding(unknown, "Postfix Unknown"), second]);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["2 done", "3 mails sent, 3 mails refused", "550", "5.1.1"]);
    assert_eq!(server.postfix.wait_for(good, 3).unwrap().len(), 3);
    assert!(server.postfix.mails(unknown).unwrap().is_empty());
    let kept: Vec<_> = std::fs::read_dir(site.folder().join("state/undeliverable"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    for file in kept {
        assert_eq!(header(&std::fs::read_to_string(&file).unwrap().replace("\r\n", "\n"), "To"), unknown);
        expect_words(&run, &[&file.display().to_string()]);
    }
}

#[test]
fn a_certificate_of_another_authority_gets_no_mail() {
    let stage = Stage::new();
    let server = Server::new();
    let user = "user@postfix.example.org";
    let site = server.site(&stage, &[AccessRow::founding(user, "Postfix Other")]);
    site.change_settings(
        &server.postfix.ca_file().display().to_string(),
        &stage.mail.other_ca_file().display().to_string(),
    )
    .unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &["certificate", "mails wait"]);
    assert!(server.postfix.mails(user).unwrap().is_empty());
}

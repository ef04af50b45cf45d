//! What goes wrong around Usher: a clear message, the right exit status, and nothing half done.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use usher_tests::mail_server::{Behaviour, Tls};
use usher_tests::process;
use usher_tests::sheet::{self, AccessRow, HEADER, REQUESTS};
use usher_tests::site::Site;

use crate::stage::{Stage, expect_status, expect_words, records, sheets};

/// Imports, expects this status and these words, and that nothing has changed anywhere.
#[track_caller]
fn expect_no_effect(stage: &Stage, site: &Site, user: &str, status: i32, words: &[&str]) {
    let sheets_before = sheets(site);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, status);
    expect_words(&run, words);
    assert!(!run.stderr.contains("panicked"), "{}", run.said());
    assert_eq!(sheets(site), sheets_before);
    assert_eq!(stage.cloud.identity().unwrap().user_id(user).unwrap(), None, "{user} was created");
    assert!(stage.mail.received().unwrap().is_empty());
    if site.folder().join("state/usher.sqlite").exists() {
        let lines = records(site);
        let left: Vec<_> = lines.iter().filter(|line| line.contains("INSERT INTO \"request\"")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn keystone_that_is_down_is_out_of_reach() {
    let stage = Stage::new();
    let user = "user@down.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Down")]);
    // Bound for a moment, so that nobody else listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.use_account(&site, &format!("http://127.0.0.1:{port}/v3"), "admin", "adminpw", "admin");
    expect_no_effect(&stage, &site, user, 3, &[&format!("127.0.0.1:{port}")]);
}

#[test]
fn a_wrong_password_for_keystone_is_a_setting_to_correct() {
    let stage = Stage::new();
    let user = "user@unauthorized.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Unauthorized")]);
    let url = stage.cloud.keystone_url().unwrap();
    stage.use_account(&site, &url, "admin", "not-the-password", "admin");
    expect_no_effect(&stage, &site, user, 2, &["401"]);
    let run = site.import(&["--all"]).unwrap();
    assert!(
        !run.stderr.contains("not-the-password") && !run.stdout.contains("not-the-password"),
        "{}",
        run.said()
    );
}

#[test]
fn an_account_without_rights_is_a_setting_to_correct() {
    let stage = Stage::new();
    let user = "user@forbidden.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Forbidden")]);
    let identity = stage.cloud.identity().unwrap();
    let account = identity.create_user("operator@forbidden.example.org", "operator-password").unwrap();
    let project = identity.create_project("Without rights", "of the tests").unwrap();
    identity.grant(&account, &project, "member").unwrap();
    let url = stage.cloud.keystone_url().unwrap();
    stage.use_account(&site, &url, "operator@forbidden.example.org", "operator-password", "Without rights");
    expect_no_effect(&stage, &site, user, 2, &["403"]);
}

#[test]
fn a_sheet_with_missing_columns_is_left_alone() {
    let stage = Stage::new();
    let user = "user@columns.example.org";
    let site = stage.site(&[]);
    let header: Vec<String> = HEADER[..12].iter().copied().map(str::to_owned).collect();
    let row = AccessRow::founding(user, "Columns").0[..12].to_vec();
    sheet::write(&site.access().join(format!("{REQUESTS}.csv")), &[header, row]).unwrap();
    expect_no_effect(&stage, &site, user, 2, &["PIN", "column"]);
}

#[test]
fn a_sheet_that_is_not_there_is_named() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    fs::remove_file(site.access().join(format!("{REQUESTS}.csv"))).unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &[REQUESTS]);
}

#[test]
fn settings_that_cannot_be_read_are_named() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    // A folder cannot be read as a file by anybody, not even by root.
    fs::remove_file(site.settings()).unwrap();
    fs::create_dir(site.settings()).unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &[&site.settings().display().to_string(), "cannot read"]);
}

#[test]
fn settings_that_are_not_there_are_named() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    fs::remove_file(site.settings()).unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &[&site.settings().display().to_string()]);
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    site.change_settings("[database]\n", "[database]\nfolder = \"here\"\n").unwrap();
    let text = fs::read_to_string(site.settings()).unwrap();
    let line = text.lines().position(|line| line.starts_with("folder")).unwrap() + 1;
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &["folder", &format!("settings.toml:{line}:"), "key_file"]);
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    expect_status(&site.usher(&["import"]).unwrap(), 2);
    expect_status(&site.usher(&["import", "--all", "--user", "founder@example.org"]).unwrap(), 2);
    expect_status(&site.usher(&["import", "--user", "nobody@nowhere.example.org"]).unwrap(), 1);
}

/// An import with a mail server that Usher must not trust: the account is made, because nothing is
/// rolled back because of mail; the mail waits, in no way sent in clear; and once the cause is put right it
/// arrives, each mail once.
#[track_caller]
fn expect_mail_to_wait(stage: &Stage, site: &Site, user: &str, words: &[&str], put_right: impl FnOnce()) {
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, words);
    assert!(stage.mail.received().unwrap().is_empty(), "a mail was sent all the same");
    assert!(stage.cloud.identity().unwrap().user_id(user).unwrap().is_some());

    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 2);
    expect_words(&doctor, words);

    put_right();
    // The mail is due again half a minute after the attempt that failed.
    let serving = site.serve().unwrap();
    let received = process::wait_for("the mail that waited", Duration::from_secs(90), || {
        let received = stage.mail.received()?;
        Ok((received.len() >= 3).then_some(received))
    })
    .unwrap();
    assert!(serving.stop().is_some_and(|status| status.success()));
    assert_eq!(received.len(), 3, "new project, welcome and password");
    assert!(received.iter().all(|mail| mail.tls.is_some() && mail.to == [user]));
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert_eq!(stage.mail.received().unwrap().len(), 3);
}

#[test]
fn a_keystone_whose_certificate_is_not_trusted_gets_no_password() {
    let stage = Stage::new();
    // The certificate is what matters; what speaks behind it is never asked.
    let tls = Stage::with_mail(&Behaviour { tls: Tls::Implicit, ..Behaviour::default() });
    let user = "user@untrusted.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Untrusted")]);
    let url = format!("https://127.0.0.1:{}/v3", tls.mail.port());
    stage.use_account(&site, &url, "admin", "adminpw", "admin");
    expect_no_effect(&stage, &site, user, 2, &["certificate is not trusted", "keystone.ca_file"]);
}

#[test]
fn a_copy_to_what_is_no_address_is_found_before_anything_is_done() {
    let stage = Stage::new();
    let user = "user@wording.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Wording")]);
    let section = "[plugins.mail_templates.settings.defaults]\n";
    site.change_settings(section, &format!("{section}cc = [\"accounting\"]\n")).unwrap();
    expect_no_effect(
        &stage,
        &site,
        user,
        2,
        &["\"accounting\" is not one e-mail address", "plugins.mail_templates"],
    );
    expect_status(&site.usher(&["doctor"]).unwrap(), 2);
}

#[test]
fn a_copy_that_is_refused_keeps_nobody_from_the_mail() {
    let stage =
        Stage::with_mail(&Behaviour { refuse: vec!["gone@example.org".to_owned()], ..Behaviour::default() });
    let user = "user@copy.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Copy")]);
    let section = "[plugins.mail_templates.settings.defaults]\n";
    site.change_settings(section, &format!("{section}cc = [\"gone@example.org\"]\n")).unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["was not sent to everybody", "gone@example.org was refused: 550"]);
    assert_eq!(stage.mail.received().unwrap().len(), 3);
}

#[test]
fn a_mail_server_with_another_authority_gets_no_mail() {
    let stage = Stage::new();
    let user = "user@authority.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Authority")]);
    let (right, wrong) = (stage.mail.ca_file(), stage.mail.other_ca_file());
    site.change_settings(&right.display().to_string(), &wrong.display().to_string()).unwrap();
    expect_mail_to_wait(&stage, &site, user, &["certificate", "mail.ca_file"], || {
        site.change_settings(&wrong.display().to_string(), &right.display().to_string()).unwrap();
    });
}

#[test]
fn a_mail_server_without_starttls_gets_no_mail() {
    let stage = Stage::new();
    let clear = Stage::with_mail(&Behaviour { tls: Tls::Absent, ..Behaviour::default() });
    let user = "user@starttls.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Starttls")]);
    let port = |stage: &Stage| format!("port = {}\n", stage.mail.port());
    site.change_settings(&port(&stage), &port(&clear)).unwrap();
    expect_mail_to_wait(&stage, &site, user, &["STARTTLS"], || {
        assert!(clear.mail.received().unwrap().is_empty(), "a mail was sent in clear");
        site.change_settings(&port(&clear), &port(&stage)).unwrap();
    });
}

#[test]
fn a_mail_that_is_put_off_arrives_once() {
    let stage = Stage::with_mail(&Behaviour { fail_first: 1, ..Behaviour::default() });
    let user = "user@greylisted.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Greylisted")]);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["1 mail waits", "451"]);
    expect_words(&site.usher(&["schedule"]).unwrap(), &["1 mail waits since", "451"]);
    let serving = site.serve().unwrap();
    process::wait_for("the mail that was put off", Duration::from_secs(90), || {
        Ok((stage.mail.received()?.len() >= 3).then_some(()))
    })
    .unwrap();
    drop(serving);
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert_eq!(stage.mail.received().unwrap().len(), 3);
}

#[test]
fn a_mail_server_may_ask_for_a_login_over_tls() {
    let login = Some(("usher".to_owned(), "mail-password".to_owned()));
    let stage = Stage::with_mail(&Behaviour { tls: Tls::Implicit, login, ..Behaviour::default() });
    let user = "user@login.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Login")]);
    site.change_settings("security = \"starttls\"", "security = \"tls\"").unwrap();
    fs::write(site.folder().join("mail-password"), "wrong\n").unwrap();
    let section = "undeliverable = \"state/undeliverable\"\n";
    let login = "login = { username = \"usher\", password = { file = \"mail-password\" } }\n";
    site.change_settings(section, &format!("{section}{login}")).unwrap();
    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 2);
    expect_words(&doctor, &["mail.login"]);

    fs::write(site.folder().join("mail-password"), "mail-password\n").unwrap();
    expect_status(&site.usher(&["doctor"]).unwrap(), 0);
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    let received = stage.mail.received().unwrap();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|mail| mail.login.as_deref() == Some("usher") && mail.tls.is_some()));
}

//! Majordomo, which takes its commands by mail.

use std::fs;

use usher_tests::mail_server::Behaviour;

use super::{configure, founding, import};
use crate::stage::{Stage, expect_status, expect_words};

/// Where the mail server finally refuses mail to.
const REFUSED: &str = "refused@lists.example.org";

#[test]
fn majordomo_gets_one_mail_with_a_command_for_each_new_user() {
    let stage = Stage::new();
    let long = format!("{}@majordomo.list.example.org", "a-long-name".repeat(5));
    let second = "second@majordomo.list.example.org";
    let site = stage.site(&[founding(&long), founding(second)]);
    fs::write(site.folder().join("list-password"), "open-sesame\n").unwrap();
    configure(
        &site,
        "kind = \"majordomo\"\naddress = \"majordomo@lists.example.org\"\nlist = \"cloud-users\"\n\
         password = { file = \"list-password\" }",
    );
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    expect_words(
        &run,
        &["Mailed to Majordomo: 2 addresses, for the list cloud-users", ", 2 addresses mailed to Majordomo."],
    );
    assert!(!run.stdout.contains("ubscribed"), "{}", run.said());
    assert!(!run.said().contains("sesame"), "{}", run.said());
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    let mut mails = stage.mail.received().unwrap();
    mails.retain(|mail| mail.to == ["majordomo@lists.example.org"]);
    assert_eq!(mails.len(), 1);
    let commands: Vec<&str> = mails[0].text.as_deref().unwrap().trim_end().lines().collect();
    let wanted = [&long, second].map(|user| format!("approve open-sesame subscribe cloud-users {user}"));
    assert_eq!(commands, [&wanted[0], &wanted[1], "end"]);
    // Majordomo reads what came over the wire, and decodes nothing.
    assert!(
        stage
            .mail
            .sources()
            .unwrap()
            .iter()
            .any(|source| { source.contains(&format!("\r\n{}\r\n", wanted[0])) }),
        "the commands are encoded"
    );
}

#[test]
fn a_refused_mail_to_majordomo_is_wiped_and_written_anew() {
    let stage = Stage::with_mail(&Behaviour { refuse: vec![REFUSED.to_owned()], ..Behaviour::default() });
    let (first, second) = ("first@refused.list.example.org", "second@refused.list.example.org");
    let site = stage.site(&[founding(first)]);
    fs::write(site.folder().join("list-password"), "open-sesame\n").unwrap();
    configure(
        &site,
        &format!(
            "kind = \"majordomo\"\naddress = \"{REFUSED}\"\nlist = \"users\"\n\
             password = {{ file = \"list-password\" }}"
        ),
    );
    let kept = || -> Vec<_> {
        let files = fs::read_dir(site.folder().join("state/undeliverable")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    };
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    let told = "1 subscription waits for the next import: the mail server refused the mail to Majordomo";
    expect_words(&run, &["1 done", "Mail mailing-list", told]);
    assert!(!run.stdout.contains("Mailed to Majordomo"), "{}", run.said());

    let run = import(&site, &[founding(second)]);
    expect_status(&run, 1);
    expect_words(&run, &["2 subscriptions wait for the next import"]);
    let [mail] = kept().try_into().unwrap();
    let commands = [first, second].map(|user| format!("approve open-sesame subscribe users {user}"));
    assert!(commands.iter().all(|command| mail.contains(command.as_str())), "{mail}");

    let good = "majordomo@lists.example.org";
    site.change_settings(REFUSED, good).unwrap();
    let run = import(&site, &[]);
    expect_status(&run, 0);
    expect_words(&run, &["Mailed to Majordomo: 2 addresses"]);
    assert!(kept().is_empty(), "the password is still on the disk");
    let list = site.usher(&["mail", "list", "--json"]).unwrap();
    assert_eq!(list.json().unwrap(), serde_json::json!([]), "{}", list.said());
    let mut mails = stage.mail.received().unwrap();
    mails.retain(|mail| mail.to == [good]);
    let [mail] = mails.try_into().unwrap();
    let text = mail.text.unwrap();
    assert!(commands.iter().all(|command| text.contains(command.as_str())), "{text}");
}

#[test]
fn what_an_operator_dropped_is_not_mailed_to_majordomo_again() {
    let stage = Stage::with_mail(&Behaviour { refuse: vec![REFUSED.to_owned()], ..Behaviour::default() });
    let site = stage.site(&[founding("user@dropped.list.example.org")]);
    configure(&site, &format!("kind = \"majordomo\"\naddress = \"{REFUSED}\"\nlist = \"users\""));
    expect_status(&site.import(&["--all"]).unwrap(), 1);
    let list = site.usher(&["mail", "list", "--json"]).unwrap();
    let number = list.json().unwrap()[0]["number"].to_string();
    expect_status(&site.usher(&["mail", "drop", &number]).unwrap(), 0);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains("ubscri") && !run.stdout.contains("Majordomo"), "{}", run.said());
}

//! `usher doctor`: every thing that has to be right has its line, and what is wrong says what to do.

use std::fs;

use crate::stage::{Stage, expect_status, expect_words};

#[test]
fn all_is_well_on_a_good_site() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let run = site.usher(&["doctor"]).unwrap();
    expect_status(&run, 0);
    for what in
        ["settings", "keys", "database", "row_parser", "quota_policy", "mail_templates", "may create users"]
    {
        let line = run.stdout.lines().find(|line| line.contains(what));
        assert!(line.is_some_and(|line| line.starts_with("ok ")), "{what}: {}", run.said());
    }
    expect_words(&run, &["TLS", "compute, network, volume", "Form Responses 1"]);
    assert!(!run.stdout.contains("FAIL"), "{}", run.said());
    assert!(stage.mail.received().unwrap().is_empty(), "a check sends nothing");
}

#[test]
fn each_thing_that_is_wrong_has_its_line_and_the_others_are_checked_too() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    fs::remove_dir_all(site.access()).unwrap();
    fs::remove_file(site.folder().join("state/usher.key")).unwrap();
    site.change_settings("[keystone]\n", "[keystone]\nmember_role = \"no-such-role\"\n").unwrap();
    let run = site.usher(&["doctor"]).unwrap();
    expect_status(&run, 2);
    for (what, words) in [("keys", "usher keys new"), ("keystone", "no-such-role"), ("sheet", "access")] {
        let is_it = |line: &&str| line.starts_with("FAIL") && line.contains(what) && line.contains(words);
        assert!(run.stdout.lines().any(|line| is_it(&line)), "{what}: {}", run.said());
    }
    let mail = run.stdout.lines().find(|line| line.contains("mail ") && line.contains("TLS"));
    assert!(mail.is_some_and(|line| line.starts_with("ok ")), "{}", run.said());
}

#[test]
fn a_component_that_is_none_is_named() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let other = site.folder().join("parser.wasm");
    fs::write(&other, "this is no component").unwrap();
    let text = fs::read_to_string(site.settings()).unwrap();
    let old = text.lines().find(|line| line.contains("moc-rows.wasm")).unwrap();
    site.change_settings(old, &format!("component = \"{}\"", other.display())).unwrap();
    let run = site.usher(&["doctor"]).unwrap();
    expect_status(&run, 2);
    let line = run.stdout.lines().find(|line| line.contains("parser.wasm")).unwrap_or_default();
    assert!(line.starts_with("FAIL"), "{}", run.said());
}

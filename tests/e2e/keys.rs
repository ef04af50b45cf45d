//! `usher keys`: the key is changed while mails and links wait, while others work, and at every place of being killed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use usher_tests::fault_proxy::FaultProxy;
use usher_tests::identity;
use usher_tests::serving::Serving;
use usher_tests::sheet::AccessRow;
use usher_tests::site::{self, Site};
use usher_tests::web;

use crate::newcomer;
use crate::scene::kill_import_at;
use crate::stage::{Stage, announce, expect_status, expect_words};

const PIN: &str = "4821";
const PASSWORD: &str = "a password of the user's own";

/// A line of `usher keys list`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    id: String,
    state: String,
    secrets: u64,
    pins: u64,
}

fn list(site: &Site) -> Vec<Listed> {
    let run = site.usher(&["keys", "list"]).unwrap();
    expect_status(&run, 0);
    let rows = run.stdout.lines().filter(|line| line.starts_with('│')).skip(1);
    let listed = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('│').split('┆').map(str::trim).collect();
        let [id, _, state, secrets, pins] = cells.as_slice() else { panic!("{}", run.said()) };
        Listed {
            id: (*id).to_owned(),
            state: (*state).to_owned(),
            secrets: secrets.parse().unwrap(),
            pins: pins.parse().unwrap(),
        }
    });
    listed.collect()
}

/// Cuts the site off from its mail server, or connects it again.
fn mail_port(stage: &Stage, site: &Site, connected: bool) {
    let (real, closed) = (format!("port = {}\n", stage.mail.port()), "port = 1\n".to_owned());
    let (from, to) = if connected { (closed, real) } else { (real, closed) };
    site.change_settings(&from, &to).unwrap();
}

/// The link of a user whom nobody but setpass knows.
fn put_link(stage: &Stage, serving: &Serving, user: &str) {
    let admin = stage.cloud.identity().unwrap();
    let answer = web::request("PUT", &format!("{}/token/{user}", serving.url()))
        .header("X-Auth-Token", admin.token())
        .body("application/json", json!({ "password": "random", "pin": PIN }).to_string().as_bytes())
        .send()
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn the_key_changes_while_mails_and_links_wait_and_both_still_work() {
    let stage = Stage::new();
    let user = "waiting@keys.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Keys Waiting")]);
    // The server was told of a mail server that works, and is not to empty the outbox with it meanwhile.
    let settings = fs::read_to_string(site.settings()).unwrap();
    fs::write(site.settings(), settings + "\n[schedule.outbox]\nenabled = false\n").unwrap();
    let serving = site.serve().unwrap();
    mail_port(&stage, &site, false);
    site.import(&["--all"]).unwrap();
    let [before] = list(&site).try_into().unwrap();
    assert_eq!((before.secrets, before.pins), (4, 1), "three mails and a password");

    let run = site.usher(&["keys", "rotate"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["in use from now on; 4 secrets moved", "1 PIN"]);
    let [new, old] = list(&site).try_into().unwrap();
    assert_eq!((new.state.as_str(), new.secrets, new.pins), ("in use", 4, 0));
    assert_eq!((old.id, old.state.as_str(), old.secrets, old.pins), (before.id.clone(), "needed", 0, 1));
    let refused = site.usher(&["keys", "retire", &before.id]).unwrap();
    expect_status(&refused, 1);
    expect_words(&refused, &["still protects 0 secrets and 1 PINs"]);

    mail_port(&stage, &site, true);
    expect_status(&site.usher(&["mail", "retry", "--all"]).unwrap(), 0);
    let link = newcomer::links(&stage.mail, user).remove(0);
    // The server was there before the new key was, and opens what that protects.
    put_link(&stage, &serving, "somebody-else");
    let listed = list(&site);
    assert_eq!((listed[0].secrets, listed[0].pins), (2, 1), "it uses the new key: {listed:?}");
    assert_eq!(newcomer::choose(&serving, &link, PIN, PASSWORD).status, 200);
    let keystone = stage.cloud.keystone_url().unwrap();
    assert_eq!(identity::authenticate(&keystone, user, PASSWORD, None).unwrap().status, 201);

    expect_status(&site.usher(&["keys", "retire", &before.id]).unwrap(), 0);
    let key_file = fs::read_to_string(site.folder().join("state/usher.key")).unwrap();
    assert!(!key_file.contains(&before.id), "taken out");
    put_link(&stage, &serving, "another");
    assert_eq!(list(&site).len(), 1);
}

#[test]
fn the_key_changes_again_and_again_while_an_import_and_a_server_work() {
    let stage = Stage::new();
    let user = |number: usize| format!("user{number}@busy.keys.example.org");
    let rows: Vec<AccessRow> =
        (0..6).map(|number| AccessRow::founding(&user(number), &format!("Keys Busy {number}"))).collect();
    let site = stage.site(&rows);
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    site.use_proxy(&stage.cloud, &proxy).unwrap();
    let serving = site.serve().unwrap();
    // The import cannot be over before the key has changed a few times.
    proxy.answer_later(Duration::from_secs(2));
    let mut command = site.command(&["import", "--all"]);
    let mut import = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut rotations = 0;
    let status = loop {
        expect_status(&site.usher(&["keys", "rotate"]).unwrap(), 0);
        rotations += 1;
        if rotations == 3 {
            proxy.answer_later(Duration::ZERO);
        }
        // What protects nothing at this moment goes, whether or not the import has just sealed something with it.
        for listed in list(&site).iter().filter(|listed| listed.state == "may be retired") {
            let run = site.usher(&["keys", "retire", &listed.id]).unwrap();
            assert!(matches!(run.status, Some(0 | 1)), "{}", run.said());
        }
        if let Some(status) = import.try_wait().unwrap() {
            break status;
        }
    };
    announce(&format!("{rotations} rotations beside an import"));
    assert!(rotations >= 3, "the import was over at once");
    // A row whose secret met a key that was retired at that moment is for the next import.
    if !status.success() {
        expect_status(&site.import(&["--all"]).unwrap(), 0);
    }
    assert_eq!(site.requests().unwrap().len(), 1);
    for number in 0..6 {
        let link = newcomer::links(&stage.mail, &user(number)).remove(0);
        let answer = newcomer::choose(&serving, &link, PIN, PASSWORD);
        assert_eq!(answer.status, 200, "{number}: {}", answer.body);
    }
}

#[test]
fn a_rotation_killed_at_any_place_loses_nothing_and_the_next_one_finishes_it() {
    let stage = Stage::new();
    let users = ["mailed@killed.keys.example.org", "begun@killed.keys.example.org"];
    let site = stage.site(&[AccessRow::founding(users[0], "Keys Mailed")]);
    mail_port(&stage, &site, false);
    site.import(&["--all"]).unwrap();
    let serving = site.serve().unwrap();
    for number in 0..20 {
        put_link(&stage, &serving, &format!("user-{number}"));
    }
    drop(serving);
    usher_tests::sheet::write_access(&site.access(), &[AccessRow::founding(users[1], "Keys Begun")]).unwrap();
    assert_eq!(kill_import_at(&site, "create-user done#1"), None);
    let state = site.folder().join("state");
    let kept = site.folder().join("kept");
    copy(&state, &kept);
    let [first] = list(&site).try_into().unwrap();
    // 20 links and one, three mails, and the password in the journal.
    assert_eq!((first.secrets, first.pins), (25, 21));

    let rotate = |variable: &str, value: &str| {
        site::run(site.command(&["keys", "rotate"]).env(variable, value), None).unwrap()
    };
    let log = site.folder().join("places");
    expect_status(&rotate("USHER_PLACES", &log.display().to_string()), 0);
    let places = fs::read_to_string(&log).unwrap();
    let places: Vec<&str> = places.lines().collect();
    assert!(places.len() >= 8 && places.contains(&"secrets replaced#2"), "{places:?}");
    for place in &places {
        copy(&kept, &state);
        assert_eq!(rotate("USHER_KILL_AT", place).status, None, "{place}");
        // Whatever was left, all opens, and no key that protects anything is gone.
        expect_status(&site.usher(&["keys", "list"]).unwrap(), 0);
        let run = site.usher(&["keys", "rotate"]).unwrap();
        assert_eq!(run.status, Some(0), "{place}: {}", run.said());
        let listed = list(&site);
        assert_eq!((listed[0].state.as_str(), listed[0].secrets), ("in use", 25), "{place}");
        let oldest = listed.last().unwrap();
        assert_eq!((&oldest.id, oldest.pins), (&first.id, 21), "{place}");
        // Only where nothing was left to be done is there a third key.
        assert!(listed.len() <= 3 && (listed.len() == 2 || run.stdout.contains("new key")), "{place}");
    }
    announce(&format!("killed at {} places of a rotation", places.len()));

    mail_port(&stage, &site, true);
    expect_status(&site.usher(&["mail", "retry", "--all"]).unwrap(), 0);
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    let serving = site.serve().unwrap();
    for user in users {
        let link = newcomer::links(&stage.mail, user).remove(0);
        assert_eq!(newcomer::choose(&serving, &link, PIN, PASSWORD).status, 200, "{user}");
    }
}

#[test]
fn a_retirement_killed_at_any_place_is_finished_by_the_next_one() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    expect_status(&site.usher(&["keys", "rotate"]).unwrap(), 0);
    let id = list(&site)[1].id.clone();
    let state = site.folder().join("state");
    let kept = site.folder().join("kept");
    copy(&state, &kept);
    for place in ["key retired#1", "key file prepared#1", "key file replaced#1"] {
        copy(&kept, &state);
        let mut killed = site.command(&["keys", "retire", &id]);
        assert_eq!(site::run(killed.env("USHER_KILL_AT", place), None).unwrap().status, None, "{place}");
        let again = site.usher(&["keys", "retire", &id]).unwrap();
        let is_done = place == "key file replaced#1";
        expect_status(&again, if is_done { 2 } else { 0 });
        assert_eq!(list(&site).len(), 1, "{place}");
        expect_status(&site.usher(&["keys", "rotate"]).unwrap(), 0);
    }
}

/// Replaces a folder by a copy of another.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

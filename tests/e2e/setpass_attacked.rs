//! Setpass under attack: many requests at once, through more than one server on one database.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use serde_json::json;
use tempfile::TempDir;
use usher_tests::identity::{self, Identity};
use usher_tests::serving::Serving;
use usher_tests::site::Site;
use usher_tests::web;

use crate::stage::{Stage, announce, expect_status};

const FIRST: &str = "a random first password";
const PIN: &str = "6204";

/// How many are under way at once: all of them.
const ATTACKERS: usize = 200;

/// Registers a user as the old tools do, and answers with the token.
fn issue(serving: &Serving, admin: &Identity, user: &str) -> String {
    let body = json!({ "password": FIRST, "pin": PIN }).to_string();
    let request = web::request("PUT", &format!("{}/token/{user}", serving.url()));
    let issued =
        request.header("X-Auth-Token", admin.token()).body("text/plain", body.as_bytes()).send().unwrap();
    assert_eq!(issued.status, 200, "{issued:?}");
    issued.body.trim().to_owned()
}

/// Tries all these PINs with one token at once, by turns through each server, each PIN with a password of its own.
/// Answers how often each outcome came, and which PINs came to `password-set`.
fn attack(servers: &[Serving], token: &str, pins: &[String]) -> (BTreeMap<String, usize>, Vec<String>) {
    let start = Barrier::new(pins.len());
    let answers: Vec<(String, String)> = thread::scope(|scope| {
        let tries: Vec<_> = pins
            .iter()
            .enumerate()
            .map(|(number, pin)| {
                let start = &start;
                let url = format!("{}/?token={token}", servers[number % servers.len()].url());
                scope.spawn(move || {
                    let password = chosen(pin);
                    let fields = json!({ "pin": pin, "password": password, "confirm_password": password });
                    let request =
                        web::request("POST", &url).header("Accept", "application/json").json(&fields);
                    start.wait();
                    let answer = request.send().unwrap();
                    (pin.clone(), answer.json().unwrap()["outcome"].as_str().unwrap().to_owned())
                })
            })
            .collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    let mut outcomes = BTreeMap::new();
    for (_, outcome) in &answers {
        *outcomes.entry(outcome.clone()).or_default() += 1;
    }
    let winners = answers.into_iter().filter(|(_, outcome)| outcome == "password-set").map(|(pin, _)| pin);
    (outcomes, winners.collect())
}

/// The password that goes with a PIN.
fn chosen(pin: &str) -> String {
    format!("chosen together with {pin}")
}

fn wrong_pins(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{:04}", 1000 + number)).collect()
}

/// A site with these limits, and the folder of its database. That is in memory where the system has such a place:
/// hundreds of transactions at once, one after the other to the disk, may take longer than anybody waits.
fn limited(stage: &Stage) -> (Site, TempDir) {
    let site = stage.site(&[]);
    site.change_settings("[setpass]\n", "[setpass]\nmax_attempts = 5\nmax_attempts_per_day = 8\n").unwrap();
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("usher-attacked-").tempdir_in(place).unwrap();
    let file = folder.path().join("usher.sqlite");
    site.change_settings("file = \"state/usher.sqlite\"", &format!("file = \"{}\"", file.display())).unwrap();
    (site, folder)
}

#[test]
fn two_hundred_at_once_through_two_servers_get_no_more_than_the_limits_allow() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let name = "user@attacked.example.org";
    let user = admin.create_user(name, FIRST).unwrap();
    let (site, _database) = limited(&stage);
    let servers = [site.serve().unwrap(), site.serve().unwrap()];

    let token = issue(&servers[0], &admin, &user);
    let (outcomes, _) = attack(&servers, &token, &wrong_pins(ATTACKERS));
    announce(&format!("{ATTACKERS} wrong PINs at once: {outcomes:?}"));
    assert_eq!(outcomes.get("wrong-pin"), Some(&5), "{outcomes:?}");
    assert_eq!(outcomes.get("locked"), Some(&(ATTACKERS - 5)), "{outcomes:?}");

    // Another link brings no more than what is left of the day, and the account itself is as it was.
    let token = issue(&servers[1], &admin, &user);
    let (outcomes, _) = attack(&servers, &token, &wrong_pins(40));
    assert_eq!(outcomes.get("wrong-pin"), Some(&3), "{outcomes:?}");
    assert_eq!(outcomes.get("locked-for-today"), Some(&37), "{outcomes:?}");
    let token = issue(&servers[0], &admin, &user);
    let (outcomes, _) = attack(&servers, &token, &[PIN.to_owned()]);
    assert_eq!(outcomes, BTreeMap::from([("locked-for-today".to_owned(), 1)]));
    let keystone = stage.cloud.keystone_url().unwrap();
    assert_eq!(identity::authenticate(&keystone, name, FIRST, None).unwrap().status, 201);

    // The trail has each PIN that was compared, and none that was not.
    let history = site.usher(&["password", "history", name, "--json"]).unwrap();
    expect_status(&history, 0);
    let events: Vec<serde_json::Value> = serde_json::from_str(&history.stdout).unwrap();
    let count = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!((count("issued"), count("tried"), count("locked")), (3, 8, 1), "{}", history.stdout);
    for secret in [PIN, FIRST, &token] {
        assert!(!history.stdout.contains(secret), "{}", history.stdout);
    }
}

#[test]
fn with_the_right_pin_many_times_among_many_the_password_is_set_once_if_one_of_them_is_counted_and_not_otherwise()
 {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let name = "user@lucky.example.org";
    let user = admin.create_user(name, FIRST).unwrap();
    let (site, _database) = limited(&stage);
    let servers = [site.serve().unwrap(), site.serve().unwrap()];
    let token = issue(&servers[0], &admin, &user);
    let mut pins = wrong_pins(ATTACKERS);
    for place in (0..ATTACKERS).step_by(2) {
        pins[place] = PIN.to_owned();
    }
    let (outcomes, winners) = attack(&servers, &token, &pins);
    announce(&format!("{ATTACKERS} PINs at once, half of them right: {outcomes:?}"));
    let of = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
    // Five PINs are counted. Unless all of them were wrong a right one was among them: it has set the password, or
    // was given its place back because another was at it, which did so then.
    assert!(of("wrong-pin") <= 5, "{outcomes:?}");
    assert_eq!(winners.len(), usize::from(of("wrong-pin") < 5), "{outcomes:?}");
    let told = ["password-set", "wrong-pin", "locked", "unknown-link", "busy"];
    assert!(outcomes.keys().all(|outcome| told.contains(&outcome.as_str())), "{outcomes:?}");

    let keystone = stage.cloud.keystone_url().unwrap();
    let login = |password: &str| identity::authenticate(&keystone, name, password, None).unwrap().status;
    let expected = if winners.is_empty() { (201, 401) } else { (401, 201) };
    assert_eq!((login(FIRST), login(&chosen(PIN))), expected);
    let history = site.usher(&["password", "history", name, "--json", "--last", "1000"]).unwrap();
    let events: Vec<serde_json::Value> = serde_json::from_str(&history.stdout).unwrap();
    let set = events.iter().filter(|event| event["event"] == "password-set").count();
    assert_eq!(set, winners.len(), "{}", history.stdout);
}

#[test]
fn after_a_change_the_user_is_told_by_mail_and_nobody_is_logged_in() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let name = "user@told.example.org";
    let user = admin.create_user(name, FIRST).unwrap();
    let site = stage.site(&[]);
    let servers = [site.serve().unwrap()];
    let token = issue(&servers[0], &admin, &user);
    let (outcomes, _) = attack(&servers, &token, &[PIN.to_owned()]);
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["password-set"]);
    let mail = stage.mail.wait_for(1).unwrap().remove(0);
    assert_eq!(mail.to, [name]);
    let text = mail.text.unwrap();
    for part in [name, "to choose a new password", "If it was not you", "support@example.org"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for secret in ["http", PIN, FIRST, &chosen(PIN), &token] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let history = site.usher(&["password", "history", name]).unwrap();
    expect_status(&history, 0);
    for part in ["link issued", "PIN tried", "password set", "mail about the change made"] {
        assert!(history.stdout.contains(part), "{part}: {}", history.stdout);
    }
}

//! Who forgot the password asks for a link on the page: Usher answers, or the helpdesk.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};
use usher_tests::identity::{self, Identity};
use usher_tests::process;
use usher_tests::serving::Serving;
use usher_tests::site::Site;
use usher_tests::strict_keystone::StrictKeystone;
use usher_tests::web;

use crate::newcomer;
use crate::stage::{Stage, expect_status, expect_words, on_a_terminal};

const OLD: &str = "the old password, long enough";
const NEW: &str = "the next password, long enough";
const PIN: &str = "830274";

fn set_mode(site: &Site, reset: &str) {
    site.change_settings("[plugins]\n", &format!("[setpass.reset]\n{reset}\n\n[plugins]\n")).unwrap();
}

/// Asks for a link, and returns what is answered.
fn ask(serving: &Serving, email: &str, pin: &str) -> (u16, String) {
    let form = [("name", "Erika Beispiel"), ("email", email), ("pin", pin)];
    let answer = web::request("POST", &format!("{}/reset", serving.url()))
        .header("Accept", "text/html")
        .form(&form)
        .send()
        .unwrap();
    (answer.status, answer.body)
}

fn expect_logins(keystone: &str, user: &str, old: u16, new: u16) {
    let login = |password| identity::authenticate(keystone, user, password, None).unwrap().status;
    assert_eq!((login(OLD), login(NEW)), (old, new), "{user}");
}

#[test]
fn usher_mails_a_link_to_the_account_and_to_nobody_else() {
    let stage = Stage::new();
    let (admin, keystone) = (stage.cloud.identity().unwrap(), stage.cloud.keystone_url().unwrap());
    let domain = "self.reset.example.org";
    let user = format!("user@{domain}");
    let id = admin.create_user(&user, OLD).unwrap();
    let disabled = admin.create_user(&format!("disabled@{domain}"), OLD).unwrap();
    admin
        .call("PATCH", &format!("/users/{disabled}"), Some(&json!({ "user": { "enabled": false } })))
        .unwrap();
    // With the admin role on the domain, where it names no project.
    let boss = admin.create_user(&format!("boss@{domain}"), OLD).unwrap();
    let roles = admin.call("GET", "/roles?name=admin", None).unwrap();
    let role = roles["roles"][0]["id"].as_str().unwrap();
    admin.call("PUT", &format!("/domains/default/users/{boss}/roles/{role}"), None).unwrap();
    let site = stage.site(&[]);
    set_mode(&site, "mode = \"self-service\"\nmax_per_account = 2");
    let serving = site.serve().unwrap();
    let put =
        web::request("PUT", &format!("{}/token/{id}", serving.url())).header("X-Auth-Token", admin.token());
    let token = put.json(&json!({ "password": OLD, "pin": "6204" })).send().unwrap();
    assert_eq!(token.status, 200, "{token:?}");

    let first = ask(&serving, &user, PIN);
    assert_eq!(first.0, 200);
    for name in ["disabled", "boss", "nobody", "user", "user"] {
        assert_eq!(ask(&serving, &format!("{name}@{domain}"), PIN), first, "{name}");
    }
    // Requests are worked through in their order, so what comes after the last mail would have come before it.
    let last = format!("last@{domain}");
    admin.create_user(&last, OLD).unwrap();
    ask(&serving, &last, PIN);
    let received = stage.mail.wait_for(3).unwrap();
    let recipients: Vec<&str> = received.iter().flat_map(|mail| mail.to.iter().map(String::as_str)).collect();
    assert_eq!(recipients, [&user, &user, &last], "two links a day for one account");
    assert!(received.iter().all(|mail| !mail.text.as_deref().unwrap().contains(PIN)), "the PIN was mailed");

    expect_logins(&keystone, &user, 201, 401);
    let links = newcomer::links(&stage.mail, &user);
    assert_eq!(newcomer::choose(&serving, &links[0], "830275", NEW).status, 403, "another PIN");
    expect_logins(&keystone, &user, 201, 401);
    assert_eq!(newcomer::choose(&serving, &links[0], PIN, NEW).status, 200, "a later link has not ended it");
    expect_logins(&keystone, &user, 401, 201);
    let registered = format!("{}/?token={}", serving.url(), token.body);
    for (link, pin) in [(&links[0], PIN), (&links[1], PIN), (&registered, "6204")] {
        assert_eq!(newcomer::choose(&serving, link, pin, OLD).status, 404, "all links have ended");
    }
    let log = serving.log().join("\n");
    for secret in [PIN, NEW, user.as_str(), links[0].split_once('=').unwrap().1] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

/// The link sets a random password first, which must not get in the way of any rule.
#[test]
fn keystones_rules_hold_for_a_password_that_was_forgotten() {
    let stage = Stage::new();
    let folder = tempfile::Builder::new().prefix("usher-strict-").tempdir().unwrap();
    let rules = "change_password_upon_first_use = true\nunique_last_password_count = 3\nminimum_password_age = 1\n\
                 password_regex = ^.{15,}$\npassword_regex_description = At least fifteen characters.\n";
    let strict = StrictKeystone::start(&stage.cloud, folder.path(), rules).unwrap();
    let admin: Identity = strict.identity().unwrap();
    let user = "user@rules.reset.example.org";
    let id = admin.create_user(user, "a random first password").unwrap();
    let change = json!({ "user": { "original_password": "a random first password", "password": OLD } });
    admin.call("POST", &format!("/users/{id}/password"), Some(&change)).unwrap();
    let site = stage.site(&[]);
    stage.use_account(&site, strict.url(), "admin", "adminpw", "admin");
    set_mode(&site, "mode = \"self-service\"");
    let serving = site.serve().unwrap();
    assert_eq!(ask(&serving, user, PIN).0, 200);
    stage.mail.wait_for(1).unwrap();
    let link = newcomer::links(&stage.mail, user).remove(0);
    expect_logins(strict.url(), user, 201, 401);
    let refused = newcomer::choose(&serving, &link, PIN, "too short");
    assert!(
        refused.status == 400 && refused.body.contains("At least fifteen characters."),
        "{}",
        refused.body
    );
    let reused = newcomer::choose(&serving, &link, PIN, OLD);
    assert!(
        reused.status == 400 && reused.body.contains("identical to a previous password"),
        "{}",
        reused.body
    );
    assert_eq!(newcomer::choose(&serving, &link, PIN, NEW).status, 200);
    expect_logins(strict.url(), user, 401, 201);
}

#[test]
fn a_request_outlives_the_death_of_the_server_and_mails_one_link() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let site = stage.site(&[]);
    set_mode(&site, "mode = \"self-service\"");
    for (number, place) in [
        "reset request claimed#1",
        "reset link worded#1",
        "reset link recorded#1",
        "mail password-reset claimed#1",
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("user@killed{number}.reset.example.org");
        admin.create_user(&user, OLD).unwrap();
        let mut command = site.command(&["serve"]);
        command.env("USHER_KILL_AT", place);
        let killed = site.serve_with(command).unwrap();
        assert_eq!(ask(&killed, &user, PIN).0, 200);
        let gone = format!("the death of the server at {place}");
        process::wait_for(&gone, Duration::from_secs(30), || {
            Ok(web::get(&format!("{}/healthz", killed.url())).is_err().then_some(()))
        })
        .unwrap();
        drop(killed);

        let serving = site.serve().unwrap();
        // Each user before got two mails: the link, and word of the change.
        let mails = stage.mail.wait_for(2 * number + 1).unwrap();
        assert_eq!(mails.last().unwrap().to, std::slice::from_ref(&user), "{place}");
        let links = newcomer::links(&stage.mail, &user);
        assert_eq!(links.len(), 1, "{place}");
        assert_eq!(newcomer::choose(&serving, &links[0], PIN, NEW).status, 200, "{place}");
        expect_logins(&stage.cloud.keystone_url().unwrap(), &user, 401, 201);
        let mails = stage.mail.wait_for(2 * number + 2).unwrap();
        assert_eq!(mails.last().unwrap().to, [user], "who chose a password is told: {place}");
    }
    assert_eq!(stage.mail.received().unwrap().len(), 8, "none twice");
}

#[test]
fn the_helpdesk_decides_about_cases() {
    let stage = Stage::new();
    let (admin, keystone) = (stage.cloud.identity().unwrap(), stage.cloud.keystone_url().unwrap());
    let user = "user@cases.reset.example.org";
    admin.create_user(user, OLD).unwrap();
    let site = stage.site(&[]);
    let serving = site.serve().unwrap();
    for email in [user, "nobody@cases.reset.example.org", user] {
        assert_eq!(ask(&serving, email, PIN).0, 200);
    }
    let tickets = stage.mail.wait_for(3).unwrap();
    let text = tickets[0].text.as_deref().unwrap();
    assert!(tickets.iter().all(|ticket| ticket.to == ["helpdesk@example.org"]));
    assert!(text.contains("usher password approve 1") && !text.contains(PIN), "{text}");

    let listed = site.usher(&["password", "cases"]).unwrap();
    expect_words(&listed, &[user, "there is no account with this name or address"]);
    let cases = site.usher(&["password", "cases", "--json"]).unwrap().json().unwrap();
    let accounts: Vec<_> = cases
        .as_array()
        .unwrap()
        .iter()
        .map(|case| (case["case"].as_i64(), case["has_account"].as_bool()))
        .collect();
    assert_eq!(accounts, [(Some(1), Some(true)), (Some(2), Some(false)), (Some(3), Some(true))]);

    // Which cases wait is told also where Keystone is away.
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    site.use_proxy(&stage.cloud, &proxy).unwrap();
    let kind = "GET /identity/v3/users".to_owned();
    proxy.fault(Fault { kind, nth: 1, always: true, trouble: Trouble::Unavailable });
    let away = site.usher(&["password", "cases"]).unwrap();
    expect_status(&away, 3);
    expect_words(&away, &[user, "not known: "]);
    proxy.calm();

    let nobody = site.usher(&["password", "approve", "2", "--yes"]).unwrap();
    expect_status(&nobody, 1);
    expect_words(&nobody, &["there is no account"]);
    let unasked = site.usher(&["password", "approve", "1"]).unwrap();
    expect_status(&unasked, 2);
    expect_words(&unasked, &["--yes"]);
    let shown = on_a_terminal(&site, &["password", "approve", "1"], &["+[y/N]", "n"]);
    assert!(shown.contains(user) && shown.contains("nothing was done"), "{shown}");
    let denied = site.usher(&["password", "deny", "3", "--reason", "asked twice"]).unwrap();
    expect_status(&denied, 0);
    expect_status(&site.usher(&["password", "approve", "3", "--yes"]).unwrap(), 1);
    expect_status(&site.usher(&["password", "approve", "4", "--yes"]).unwrap(), 1);
    assert!(newcomer::links(&stage.mail, user).is_empty());

    // Killed before and after all is recorded, and done again.
    for (place, again) in [("case worded#1", false), ("case approved#1", true)] {
        let mut command = site.command(&["password", "approve", "1", "--yes"]);
        command.env("USHER_KILL_AT", place).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(command.status().unwrap().code(), None, "{place} was not reached");
        let waits = site.usher(&["password", "cases", "--json"]).unwrap().json().unwrap().to_string();
        assert_eq!(!waits.contains("\"case\":1"), again, "{place}: {waits}");
    }
    let approved = site.usher(&["password", "approve", "1", "--yes"]).unwrap();
    expect_status(&approved, 0);
    expect_words(&approved, &["was approved before"]);
    stage.mail.wait_for(4).unwrap();
    expect_logins(&keystone, user, 201, 401);
    let [link] = newcomer::links(&stage.mail, user).try_into().unwrap();
    assert_eq!(newcomer::choose(&serving, &link, PIN, NEW).status, 200);
    expect_logins(&keystone, user, 401, 201);
    let left = site.usher(&["password", "cases", "--json"]).unwrap().json().unwrap();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[test]
fn the_doctor_tells_that_no_more_requests_are_taken() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let serving = site.serve().unwrap();
    for number in 0..2 {
        assert_eq!(ask(&serving, &format!("nobody{number}@full.reset.example.org"), PIN).0, 200);
    }
    assert!(serving.stop().is_some());
    let warning = "2 links were asked for within 24 hours, and no more requests are taken until";
    let run = site.usher(&["doctor"]).unwrap();
    assert!(!run.stdout.contains(warning), "{}", run.said());
    set_mode(&site, "max_in_total = 2\nmax_per_client_per_day = 1");
    expect_words(&site.usher(&["doctor"]).unwrap(), &[warning, "setpass.reset.max_in_total"]);
}

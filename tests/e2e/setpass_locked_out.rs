//! Setpass with a Keystone that locks accounts after failed logins, and tells nobody so.

use serde_json::json;
use usher_tests::strict_keystone::StrictKeystone;
use usher_tests::{identity, web};

use crate::newcomer;
use crate::stage::{Stage, expect_status};

const FIRST: &str = "a random first password";
const CHOSEN: &str = "correct horse battery staple";
const PIN: &str = "6204";

#[test]
fn who_is_locked_out_is_told_of_both_causes_and_the_link_locks_nobody_out() {
    let stage = Stage::new();
    let folder = tempfile::Builder::new().prefix("usher-strict-").tempdir().unwrap();
    // Much longer than this test takes.
    let rules = "lockout_failure_attempts = 2\nlockout_duration = 1800\n";
    let strict = StrictKeystone::start(&stage.cloud, folder.path(), rules).unwrap();
    let admin = strict.identity().unwrap();
    let site = stage.site(&[]);
    stage.use_account(&site, strict.url(), "admin", "adminpw", "admin");
    let serving = site.serve().unwrap();
    let register = |name: &str| {
        let user = admin.create_user(name, FIRST).unwrap();
        let body = json!({ "password": FIRST, "pin": PIN }).to_string();
        let request = web::request("PUT", &format!("{}/token/{user}", serving.url()));
        let issued = request.header("X-Auth-Token", admin.token()).body("text/plain", body.as_bytes());
        let issued = issued.send().unwrap();
        assert_eq!(issued.status, 200, "{issued:?}");
        (user, format!("/?token={}", issued.body.trim()))
    };
    let login = |name: &str, password: &str| {
        identity::authenticate(strict.url(), name, password, None).unwrap().status
    };
    let choose = |path: &str| {
        let fields = json!({ "pin": PIN, "password": CHOSEN, "confirm_password": CHOSEN });
        let request = web::request("POST", &format!("{}{path}", serving.url()));
        request.header("Accept", "application/json").json(&fields).send().unwrap()
    };

    // Locked out by somebody who guesses passwords. Keystone says the same as to a wrong password.
    let locked = "user@locked-out.example.org";
    let (_, locked_link) = register(locked);
    for _ in 0..2 {
        assert_eq!(login(locked, "a guess"), 401);
    }
    assert_eq!(login(locked, FIRST), 401, "locked");
    let told = choose(&locked_link);
    assert_eq!((told.status, told.json().unwrap()["outcome"].as_str().unwrap()), (409, "changed-elsewhere"));
    for part in ["another one has been set", "locked it for a while", "in half an hour"] {
        assert!(told.body.contains(part), "{}", told.body);
    }
    let page = newcomer::choose(&serving, &locked_link, PIN, CHOSEN);
    assert!(page.status == 409 && page.body.contains("locked it for a while"), "{}", page.body);

    // Changed elsewhere. However often the link is tried, Keystone hears of it once, and the account stays open.
    let changed = "user@changed-elsewhere.example.org";
    let (id, changed_link) = register(changed);
    let elsewhere = json!({ "user": { "password": "set by an administrator" } });
    admin.call("PATCH", &format!("/users/{id}"), Some(&elsewhere)).unwrap();
    for _ in 0..4 {
        let told = choose(&changed_link);
        assert_eq!(told.json().unwrap()["outcome"], "changed-elsewhere", "{}", told.body);
    }
    assert_eq!(login(changed, "set by an administrator"), 201, "a link does not lock anybody out");

    // A new link helps whichever of the two it was: with the random password that it starts from, Keystone opens the
    // account again.
    assert_eq!(login(locked, FIRST), 401, "locked still");
    expect_status(&site.usher_with_input(&["password", "reset", locked], "7359\n").unwrap(), 0);
    stage.mail.wait_for(1).unwrap();
    let link = newcomer::links(&stage.mail, locked).remove(0);
    assert_eq!(newcomer::choose(&serving, &link, "7359", CHOSEN).status, 200);
    assert_eq!(login(locked, CHOSEN), 201);

    // An account that is gone.
    let (gone, gone_link) = register("user@gone.example.org");
    admin.call("DELETE", &format!("/users/{gone}"), None).unwrap();
    let told = choose(&gone_link);
    assert_eq!((told.status, told.json().unwrap()["outcome"].as_str().unwrap()), (404, "account-gone"));
    assert_eq!(choose(&gone_link).json().unwrap()["outcome"], "unknown-link");
}

//! Setpass over HTTP, as the old program's clients and as browsers use it.

use serde_json::json;
use usher_tests::identity::{self, Identity};
use usher_tests::serving::Serving;
use usher_tests::web::{self, Answer};

use crate::newcomer;
use crate::stage::Stage;

const FIRST: &str = "a random first password";
const CHOSEN: &str = "chosen by the user";
const PIN: &str = "6204";

struct Put<'a> {
    serving: &'a Serving,
    user: &'a str,
}

impl Put<'_> {
    fn send(&self, token: Option<&str>, body: &str) -> Answer {
        let mut request = web::request("PUT", &format!("{}/token/{}", self.serving.url(), self.user));
        if let Some(token) = token {
            request = request.header("X-Auth-Token", token);
        }
        // The old tools send JSON and call it a form.
        request.body("application/x-www-form-urlencoded", body.as_bytes()).send().unwrap()
    }
}

fn link(token: &Answer) -> String {
    assert_eq!(token.status, 200, "{token:?}");
    assert!(token.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{token:?}");
    format!("https://setpass.example.org/?token={}", token.body.trim())
}

#[test]
fn a_client_of_the_old_setpass_works_unchanged() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let name = "user@protocol.example.org";
    let user = admin.create_user(name, FIRST).unwrap();
    let site = stage.site(&[]);
    let serving = site.serve().unwrap();
    let put = Put { serving: &serving, user: &user };
    let body = json!({ "password": FIRST, "pin": PIN }).to_string();

    assert_eq!(put.send(None, &body).status, 401);
    assert_eq!(put.send(Some("no-token-at-all"), &body).status, 403);
    assert_eq!(put.send(Some(outsider(&stage, &admin).token()), &body).status, 403);
    assert_eq!(put.send(Some(admin.token()), "not JSON").status, 400);
    assert_eq!(put.send(Some(admin.token()), "{}").status, 400, "an unknown user needs both");

    let first = link(&put.send(Some(admin.token()), &body));
    let second = link(&put.send(Some(admin.token()), "{}"));
    assert_ne!(first, second);
    assert_eq!(
        newcomer::choose(&serving, &first, PIN, CHOSEN).status,
        404,
        "a new token replaces the old one"
    );
    assert_eq!(web::get(&format!("{}/", serving.url())).unwrap().status, 404, "without a token");

    let page =
        web::request("GET", &serving.here(&second).unwrap()).header("Accept", "text/html").send().unwrap();
    assert_eq!(page.status, 200);
    for field in ["name=\"pin\"", "name=\"password\"", "name=\"confirm_password\""] {
        assert!(page.body.contains(field), "{field}: {}", page.body);
    }
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(
        page.header("content-security-policy")
            .is_some_and(|policy| policy.contains("frame-ancestors 'none'"))
    );

    let keystone = stage.cloud.keystone_url().unwrap();
    let login = |password: &str| identity::authenticate(&keystone, name, password, None).unwrap().status;
    let post = |fields: &[(&str, &str)]| {
        web::request("POST", &serving.here(&second).unwrap()).form(fields).send().unwrap().status
    };
    assert_eq!(post(&[("pin", PIN), ("password", CHOSEN)]), 400, "a field is missing");
    assert_eq!(post(&[("pin", PIN), ("password", CHOSEN), ("confirm_password", "else")]), 400, "they differ");
    assert_eq!(newcomer::choose(&serving, &second, "9999", CHOSEN).status, 403, "wrong PIN");
    assert_eq!((login(FIRST), login(CHOSEN)), (201, 401));
    assert_eq!(newcomer::choose(&serving, &second, PIN, CHOSEN).status, 200);
    assert_eq!((login(FIRST), login(CHOSEN)), (401, 201));
    assert_eq!(newcomer::choose(&serving, &second, PIN, CHOSEN).status, 404, "a token works once");

    let log = serving.log().join("\n");
    for secret in [FIRST, CHOSEN, first.split_once('=').unwrap().1, second.split_once('=').unwrap().1] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(serving.stop().is_some_and(|status| status.success()));
}

#[test]
fn a_link_dies_with_the_last_attempt_and_not_before() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let name = "user@attempts.example.org";
    let user = admin.create_user(name, FIRST).unwrap();
    let site = stage.site(&[]);
    site.change_settings("[setpass]\n", "[setpass]\nmax_attempts = 3\n").unwrap();
    let serving = site.serve().unwrap();
    let put = Put { serving: &serving, user: &user };
    let body = json!({ "password": FIRST, "pin": PIN }).to_string();
    let keystone = stage.cloud.keystone_url().unwrap();
    let login = |password: &str| identity::authenticate(&keystone, name, password, None).unwrap().status;

    let used_up = link(&put.send(Some(admin.token()), &body));
    for _ in 0..3 {
        assert_eq!(web::get(&serving.here(&used_up).unwrap()).unwrap().status, 200, "looking costs nothing");
        assert_eq!(newcomer::choose(&serving, &used_up, "9999", CHOSEN).status, 403);
    }
    assert_eq!(
        newcomer::choose(&serving, &used_up, PIN, CHOSEN).status,
        403,
        "the fourth attempt is too late"
    );
    assert_eq!((login(FIRST), login(CHOSEN)), (201, 401), "the account itself is as before");

    let renewed = link(&put.send(Some(admin.token()), &body));
    for _ in 0..2 {
        assert_eq!(newcomer::choose(&serving, &renewed, "9999", CHOSEN).status, 403);
    }
    assert_eq!(newcomer::choose(&serving, &renewed, PIN, CHOSEN).status, 200, "the third attempt is in time");
    assert_eq!(login(CHOSEN), 201);
}

#[test]
fn clients_that_accept_json_get_json() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let user = admin.create_user("user@json.example.org", FIRST).unwrap();
    let site = stage.site(&[]);
    let serving = site.serve().unwrap();
    let put = Put { serving: &serving, user: &user };
    let link = link(&put.send(Some(admin.token()), &json!({ "password": FIRST, "pin": PIN }).to_string()));
    let url = serving.here(&link).unwrap();
    let post = |pin: &str| {
        let fields = json!({ "pin": pin, "password": CHOSEN, "confirm_password": CHOSEN });
        let request = web::request("POST", &url).header("Accept", "application/json");
        request.body("text/plain", fields.to_string().as_bytes()).send().unwrap()
    };
    let refused = post("9999");
    assert_eq!(refused.status, 403);
    assert!(refused.json().unwrap()["message"].is_string(), "{refused:?}");
    let done = post(PIN);
    assert_eq!(done.status, 200);
    assert!(done.json().unwrap().is_object(), "{done:?}");
}

/// Somebody with an account and a project, and no business in setpass.
fn outsider(stage: &Stage, admin: &Identity) -> Identity {
    let name = "outsider@protocol.example.org";
    let user = admin.create_user(name, "outsider-password").unwrap();
    let project = admin.create_project("Outside", "of the tests").unwrap();
    admin.grant(&user, &project, "member").unwrap();
    let url = stage.cloud.keystone_url().unwrap();
    Identity::login(&url, name, "outsider-password", Some("Outside")).unwrap()
}

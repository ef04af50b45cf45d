//! Setpass over HTTP, as the old program's clients and as browsers use it.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;
use usher_tests::fault_proxy::FaultProxy;
use usher_tests::identity::{self, Identity};
use usher_tests::web::{self, Answer};
use usher_tests::{process, workspace};

use crate::newcomer;
use crate::stage::Stage;

const FIRST: &str = "a random first password";
const CHOSEN: &str = "chosen by the user";
const PIN: &str = "6204";

struct Put<'a> {
    url: &'a str,
    user: &'a str,
}

impl Put<'_> {
    fn send(&self, token: Option<&str>, body: &str) -> Answer {
        let mut request = web::request("PUT", &format!("{}/token/{}", self.url, self.user));
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
    let put = Put { url: serving.url(), user: &user };
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
    assert_eq!(page.header("referrer-policy"), Some("no-referrer, strict-origin"));
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
    let put = Put { url: serving.url(), user: &user };
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
    let put = Put { url: serving.url(), user: &user };
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

/// What programs of that time were written with: OpenStack's session, which accepts JSON and says that it sends it, and
/// requests, which says nothing of the kind.
const OLD_TOOLS: &str = r#"
import json, sys
import requests
from openstack.config import OpenStackConfig
clouds, url, user, first, chosen, pin = sys.argv[1:]
session = OpenStackConfig(config_files=[clouds]).get_one('minicloud').get_session()
fields = {'password': first, 'pin': pin}
put = session.put(url + '/token/' + user, data=json.dumps(fields), headers={'X-Auth-Token': session.get_token()})
assert put.status_code == 200 and put.headers['Content-Type'].startswith('text/plain'), put
old = put.text
token = session.put(url + '/token/' + user, json=fields).text
assert token != old and token == token.strip() and ' ' not in token
renewed = requests.put(url + '/token/' + user, data='{}', headers={'X-Auth-Token': session.get_token()}).text
assert renewed != token
assert requests.put(url + '/token/' + user, data=json.dumps(fields)).status_code == 401
assert requests.put(url + '/token/' + user, data=json.dumps(fields), headers={'X-Auth-Token': 'x'}).status_code == 403
bad = requests.put(url + '/token/' + user, data='pin', headers={'X-Auth-Token': session.get_token()})
assert bad.status_code == 400, bad
form = {'pin': pin, 'password': chosen, 'confirm_password': chosen}
assert requests.get(url + '/').status_code == 404
assert 'confirm_password' in requests.get(url + '/', params={'token': renewed}).text
for stale in (old, token):
    assert requests.post(url + '/', params={'token': stale}, data=form).status_code == 404
assert requests.post(url + '/', params={'token': renewed}, data={**form, 'pin': '9999'}).status_code == 403
assert requests.post(url + '/', params={'token': renewed}, data={'pin': pin}).status_code == 400
assert requests.post(url + '/', params={'token': renewed}, data=form).status_code == 200
assert requests.get(url + '/reset').status_code == 200
"#;

#[test]
fn programs_written_for_the_old_setpass_work_and_keystone_is_asked_once_about_their_token() {
    let stage = Stage::new();
    let admin = stage.cloud.identity().unwrap();
    let name = "user@old-tools.example.org";
    let user = admin.create_user(name, FIRST).unwrap();
    let site = stage.site(&[]);
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    site.use_proxy(&stage.cloud, &proxy).unwrap();
    let serving = site.serve().unwrap();
    let asked = || proxy.calls().iter().filter(|call| call.kind == "POST /identity/v3/auth/tokens").count();

    proxy.calm();
    let mut python = Command::new(workspace::python_packages().join("bin/python"));
    python.args(["-c", OLD_TOOLS]).arg(stage.cloud.clouds_yaml());
    python.args([serving.url(), &user, FIRST, CHOSEN, PIN]);
    let output = process::output(python.env("NO_PROXY", "*")).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let keystone = stage.cloud.keystone_url().unwrap();
    assert_eq!(identity::authenticate(&keystone, name, CHOSEN, None).unwrap().status, 201);
    // Usher's own token is what it looks up with whose password it is that was chosen.
    assert_eq!(
        asked(),
        3,
        "once for the tools' token, once for the one that is none, and once for Usher's own"
    );

    // Together they ask once; what Keystone has refused, it is asked again.
    proxy.calm();
    proxy.answer_later(Duration::from_millis(500));
    let put = Put { url: serving.url(), user: &user };
    let body = json!({ "password": FIRST, "pin": PIN }).to_string();
    thread::scope(|scope| {
        let puts = [(); 5].map(|()| scope.spawn(|| put.send(Some(admin.token()), &body).status));
        assert_eq!(puts.map(|put| put.join().unwrap()), [200; 5]);
    });
    assert_eq!(asked(), 1);
    for _ in 0..2 {
        assert_eq!(put.send(Some("no-token-at-all"), &body).status, 403);
    }
    assert_eq!(asked(), 3);
}

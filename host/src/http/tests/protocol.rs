//! What each operation answers to clients of the old setpass, to those that accept JSON, and to browsers.

use axum::http::header::ALLOW;

use super::*;
use crate::setpass::fixture::{USER, WEAK_PASSWORD, WRONG_PIN};

/// What an old client says that it accepts: nothing at all, as the forms of the old pages' scripts, or anything, as curl
/// and Python's requests do. OpenStack's client library says JSON with every request.
const CLIENTS: [(&str, Option<&str>); 4] = [
    ("old client", None),
    ("curl", Some("*/*")),
    ("JSON", Some("application/json")),
    ("browser", Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")),
];

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A page, or JSON for those who accept that.
    Told,
    /// Plain text, or JSON for those who accept that.
    ToldToPrograms,
    /// Plain text, whatever they accept.
    Plain,
}

use Form::{Plain, Told, ToldToPrograms};

/// `{link}` stands for a new link's token, `{new}` for the id of a user who is not known, `{known}` for one who is.
struct Case {
    method: &'static str,
    path: &'static str,
    caller: Option<&'static str>,
    body: &'static str,
    status: u16,
    form: Form,
}

const fn case(method: &'static str, path: &'static str, body: &'static str, status: u16, form: Form) -> Case {
    Case { method, path, caller: None, body, status, form }
}

const fn put(
    path: &'static str,
    caller: Option<&'static str>,
    body: &'static str,
    status: u16,
    form: Form,
) -> Case {
    Case { method: "PUT", path, caller, body, status, form }
}

const ADMIN: Option<&str> = Some(ADMIN_TOKEN);
const COMPLETE: &str = "{\"password\": \"p\", \"pin\": \"6204\"}";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("GET", "/?token={link}", "", 200, Told),
    case("HEAD", "/?token={link}", "", 200, Told),
    // A token is not looked up before there is a PIN.
    case("GET", "/?token=unknown", "", 200, Told),
    case("GET", "/?token={link}&lang=de&utm=x", "", 200, Told),
    case("GET", "/", "", 404, Told),
    case("HEAD", "/", "", 404, Told),
    case("GET", "/?token=", "", 404, Told),

    case("POST", "/?token={link}", "pin=4711&password=chosen-password&confirm_password=chosen-password", 200, Told),
    case("POST", "/?token={link}", "{\"pin\": \"4711\", \"password\": \"chosen too\", \"confirm_password\": \"chosen too\"}", 200, Told),
    case("POST", "/?token={link}", "pin=+4711+&password=chosen+%C3%BC&confirm_password=chosen+%C3%BC&submit=Set", 200, Told),
    case("POST", "/?token={link}", "", 400, Told),
    case("POST", "/?token={link}", "password=c&confirm_password=c", 400, Told),
    case("POST", "/?token={link}", "pin=4711&confirm_password=c", 400, Told),
    case("POST", "/?token={link}", "pin=4711&password=c", 400, Told),
    case("POST", "/?token={link}", "pin=&password=c&confirm_password=c", 400, Told),
    case("POST", "/?token={link}", "pin=4711&password=c&confirm_password=C", 400, Told),
    case("POST", "/?token={link}", "pin=47a1&password=c&confirm_password=c", 400, Told),
    case("POST", "/?token={link}", "pin=4711&password=short&confirm_password=short", 400, Told),
    case("POST", "/?token={link}", "{\"pin\": 4711, \"password\": \"c\", \"confirm_password\": \"c\"}", 400, Told),
    case("POST", "/?token={link}", "{\"pin\": ", 400, Told),
    case("POST", "/?token=unknown", "pin=4711&password=chosen-password&confirm_password=chosen-password", 404, Told),
    case("POST", "/", "pin=4711&password=c&confirm_password=c", 400, Told),

    put("/token/{new}", None, COMPLETE, 401, ToldToPrograms),
    put("/token/{new}", Some(""), COMPLETE, 401, ToldToPrograms),
    put("/token/{new}", Some("token-of-a-member"), COMPLETE, 403, ToldToPrograms),
    put("/token/{new}", ADMIN, COMPLETE, 200, Plain),
    put("/token/{new}", ADMIN, "  {\"pin\": \"6204\", \"password\": \"p\", \"other\": 1}\n", 200, Plain),
    put("/token/{new}", ADMIN, "", 400, ToldToPrograms),
    put("/token/{new}", ADMIN, "{}", 400, ToldToPrograms),
    put("/token/{new}", ADMIN, "{\"password\": \"p\"}", 400, ToldToPrograms),
    put("/token/{new}", ADMIN, "{\"pin\": \"6204\"}", 400, ToldToPrograms),
    put("/token/{new}", ADMIN, "{\"pin\": 6204, \"password\": \"p\"}", 400, ToldToPrograms),
    put("/token/{new}", ADMIN, "pin=6204&password=p", 400, ToldToPrograms),
    put("/token/{new}", ADMIN, "[\"p\", \"6204\"]", 400, ToldToPrograms),
    put("/token/{known}", ADMIN, "", 200, Plain),
    put("/token/{known}", ADMIN, "{}", 200, Plain),
    put("/token/{known}", ADMIN, "{\"password\": \"other\"}", 200, Plain),
    put("/token/{known}", ADMIN, "{\"pin\": \"6204\", \"password\": null}", 200, Plain),
    put("/token/{known}", ADMIN, "[]", 400, ToldToPrograms),
    put("/token/{known}", ADMIN, "[null, null]", 400, ToldToPrograms),

    case("GET", "/reset", "", 200, Told),
    case("HEAD", "/reset", "", 200, Told),
    case("GET", "/token/{new}", "", 405, ToldToPrograms),
    case("POST", "/token/{new}", "", 405, ToldToPrograms),
    case("PUT", "/", "", 405, ToldToPrograms),
    case("DELETE", "/reset", "", 405, ToldToPrograms),
    case("GET", "/token", "", 404, Told),
    case("GET", "/token/a/b", "", 404, Told),
    case("GET", "/healthz", "", 200, Plain),
];

#[tokio::test]
async fn each_operation_answers_old_clients_json_clients_and_browsers_as_the_protocol_says() {
    let served = Served::new().await;
    let mut new_users = 0;
    for case in CASES {
        for (client, accept) in CLIENTS {
            let mut path = case.path.replace("{known}", USER);
            if path.contains("{link}") || path.contains(USER) {
                let link = served.fixture.link().await;
                path = path.replace("{link}", text(&link.token));
                let mut identity = served.fixture.identity.lock().unwrap();
                identity.passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());
            }
            if path.contains("{new}") {
                new_users += 1;
                path = path.replace("{new}", &format!("new{new_users}"));
            }
            // Of all types the one that is least like it: types are not looked at.
            let mut request =
                Request::builder().method(case.method).uri(&path).header(CONTENT_TYPE, "text/plain");
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(caller) = case.caller {
                request = request.header("X-Auth-Token", caller);
            }
            let answer = served.call(request.body(Body::from(case.body)).unwrap()).await;
            let what = format!("{client}: {} {} {:?}", case.method, case.path, case.body);
            assert_eq!(answer.status, case.status, "{what}: {}", answer.body);
            check_form(&answer, case, accept == Some("application/json"), &what);
        }
    }
}

fn check_form(answer: &Answer, case: &Case, accepts_json: bool, what: &str) {
    let kind = answer.headers[CONTENT_TYPE].to_str().unwrap();
    let expected = match case.form {
        Plain => "text/plain",
        Told | ToldToPrograms if accepts_json => "application/json",
        Told => "text/html",
        ToldToPrograms => "text/plain",
    };
    assert!(kind.starts_with(expected), "{what}: {kind}");
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store", "{what}");
    assert_eq!(answer.headers[REFERRER_POLICY], "no-referrer, strict-origin", "{what}");
    assert_eq!(answer.headers.contains_key(ALLOW), case.status == 405, "{what}");
    if case.method == "HEAD" {
        return assert_eq!(answer.body, "", "{what}");
    }
    if expected == "application/json" {
        let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert!(told["outcome"].is_string() && told["message"].is_string(), "{what}: {told}");
    }
    if case.method == "PUT" && case.status == 200 {
        assert_eq!(answer.body.len(), 43, "{what}: the token alone");
    }
    assert!(!answer.body.contains("6204"), "{what}: {}", answer.body);
}

/// What a try needs a link in a certain state for.
#[tokio::test]
async fn what_a_link_has_come_to_is_told_with_the_status_of_the_old_setpass() {
    let served = Served::new().await;
    let form = |pin, password| [("pin", pin), ("password", password), ("confirm_password", password)];
    let new_link = async || format!("/?token={}", text(&served.fixture.link().await.token));

    let path = new_link().await;
    assert_eq!(served.post(&path, &form(WRONG_PIN, "chosen-password")).await.status, 403);
    assert_eq!(served.post(&path, &form(PIN, WEAK_PASSWORD)).await.status, 400, "refused by Keystone");
    served.fixture.identity.lock().unwrap().down = true;
    let away = served.post(&path, &form(PIN, "chosen-password")).await;
    assert_eq!((away.status, away.headers["retry-after"].as_bytes()), (503, b"30".as_slice()));
    served.fixture.identity.lock().unwrap().down = false;

    let replaced = path;
    let path = new_link().await;
    assert_eq!(served.post(&replaced, &form(PIN, "chosen-password")).await.status, 404, "replaced");
    for _ in 0..5 {
        assert_eq!(served.post(&path, &form(WRONG_PIN, "chosen-password")).await.status, 403);
    }
    assert_eq!(served.post(&path, &form(PIN, "chosen-password")).await.status, 403, "locked");

    let path = new_link().await;
    assert_eq!(served.post(&path, &form(PIN, "chosen-password")).await.status, 200);
    assert_eq!(served.post(&path, &form(PIN, "chosen-password")).await.status, 404, "used");

    let path = new_link().await;
    served.fixture.clock.advance(jiff::SignedDuration::from_hours(2));
    assert_eq!(served.post(&path, &form(PIN, "chosen-password")).await.status, 403, "expired");
    assert_eq!(served.get(&path).await.status, 200, "looking is always allowed");
}

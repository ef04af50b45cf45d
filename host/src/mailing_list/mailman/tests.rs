//! What Mailman's answers mean. The answers are those of Mailman 3.3.10; the client is tested against the real
//! one in the end-to-end tests.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;

use super::*;
use crate::settings::secret::SecretSource;

const PASSWORD: &str = "sesame";

/// Serves routes for as long as the test runs, and leads there.
async fn mailman(routes: Router) -> Mailman {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/3.1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    client(&url, Duration::from_secs(5))
}

fn client(url: &str, timeout: Duration) -> Mailman {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    Mailman::new(&settings::mailing_list::Mailman {
        url: url.parse().unwrap(),
        user: "restadmin".to_owned(),
        password: SecretSource::File(file),
        list: "users.lists.example.org".to_owned(),
        ca_file: None,
        timeout,
    })
    .unwrap()
}

/// A Mailman that answers every subscription so.
async fn answering(status: u16, body: &'static str) -> Mailman {
    let status = StatusCode::from_u16(status).unwrap();
    mailman(Router::new().route("/3.1/members", post(async move || (status, body)))).await
}

fn said(description: &str) -> &'static str {
    Box::leak(json!({ "title": "x", "description": description }).to_string().into_boxed_str())
}

#[tokio::test]
async fn a_subscription_needs_nobodys_consent_and_sends_no_welcome() {
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let routes = Router::new().route(
        "/3.1/members",
        post(async move |headers: HeaderMap, body: String| {
            *keep.lock().unwrap() = Some((headers["authorization"].to_str().unwrap().to_owned(), body));
            StatusCode::CREATED
        }),
    );
    let answer = mailman(routes).await.subscribe("a+b@example.org").await.unwrap();
    assert_eq!(answer, Answer::Subscribed);
    let (login, body) = seen.lock().unwrap().take().unwrap();
    let wanted = base64::engine::general_purpose::STANDARD.encode("restadmin:sesame");
    assert_eq!(login, format!("Basic {wanted}"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        json!({
            "list_id": "users.lists.example.org",
            "subscriber": "a+b@example.org",
            "pre_verified": true,
            "pre_confirmed": true,
            "pre_approved": true,
            "send_welcome_message": false,
        })
    );
}

#[tokio::test]
async fn what_mailman_says_of_an_address_is_an_answer() {
    let cases = [
        (201, "", Answer::Subscribed),
        (202, "{\"token\": \"x\", \"token_owner\": \"moderator\"}", Answer::Pending),
        (409, said("Member already subscribed"), Answer::Already),
        (409, said("Subscription request already pending"), Answer::Pending),
    ];
    for (status, body, answer) in cases {
        let given = answering(status, body).await.subscribe("a@example.org").await.unwrap();
        assert_eq!(given, answer, "{status} {body}");
    }
    for words in [
        "Membership is banned",
        "Invalid Parameter \"subscriber\": .",
        "List posting address cannot subscribe",
    ] {
        let given = answering(400, said(words)).await.subscribe("a@example.org").await.unwrap();
        assert!(matches!(given, Answer::Refused(_)), "{words}: {given:?}");
    }
}

#[tokio::test]
async fn what_concerns_mailman_itself_is_an_error_that_says_what_to_do() {
    let cases = [
        (401, said("REST API authorization failed"), false, "admin_pass"),
        (400, said("No such list"), false, "mailing_list.list"),
        (400, said("Missing Parameter: list_id"), false, "Missing Parameter: list_id"),
        (404, "<html>nginx</html>", false, "not Mailman's REST API"),
        (302, "", false, "not Mailman's REST API"),
        (200, "{}", false, "not Mailman's REST API"),
        (500, said("oops"), true, "500"),
        (503, "", true, "503"),
        (429, "", true, "429"),
    ];
    for (status, body, passing, told) in cases {
        let error = answering(status, body).await.subscribe("a@example.org").await.unwrap_err();
        assert_eq!(error.is_passing(), passing, "{status}: {error}");
        assert!(error.to_string().contains(told), "{status}: {error}");
    }
}

#[tokio::test]
async fn the_password_is_in_no_error_and_no_debug_text() {
    let mailman = answering(500, said("login restadmin:sesame failed")).await;
    let error = mailman.subscribe("a@example.org").await.unwrap_err();
    let shown = format!("{error} {error:?} {mailman:?} {}", mailman.describe());
    assert!(!shown.contains(PASSWORD) && shown.contains("(hidden)"), "{shown}");
    let mailman = client("http://restadmin:sesame@127.0.0.1:1/3.1?x=sesame", Duration::from_secs(5));
    let error = mailman.subscribe("a@example.org").await.unwrap_err();
    assert!(!format!("{error} {error:?} {mailman:?} {}", mailman.describe()).contains(PASSWORD), "{error}");
}

#[tokio::test]
async fn who_does_not_answer_is_out_of_reach() {
    let error = client("http://127.0.0.1:1/3.1", Duration::from_secs(5)).check().await.unwrap_err();
    assert!(matches!(error, MailmanError::Unreachable { .. }) && error.is_passing(), "{error}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/3.1/", listener.local_addr().unwrap());
    let error = client(&url, Duration::from_millis(200)).check().await.unwrap_err();
    assert!(matches!(error, MailmanError::TimedOut { .. }) && error.is_passing(), "{error}");
    assert!(error.to_string().contains("/3.1/lists/users.lists.example.org within 0.2 s"), "{error}");
}

#[tokio::test]
async fn a_check_asks_for_the_list() {
    let list = |status: u16, body: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        Router::new().route("/3.1/lists/users.lists.example.org", get(async move || (status, body)))
    };
    let there = list(200, "{\"fqdn_listname\": \"users@lists.example.org\", \"member_count\": 3}");
    let found = mailman(there).await.check().await.unwrap();
    assert!(found.ends_with("users@lists.example.org, members: 3"), "{found}");
    let error = mailman(list(404, said("404 Not Found"))).await.check().await.unwrap_err();
    assert!(matches!(error, MailmanError::NoList { .. }), "{error}");
    let error = mailman(list(200, "hello")).await.check().await.unwrap_err();
    assert!(matches!(error, MailmanError::NotMailman { .. }), "{error}");
}

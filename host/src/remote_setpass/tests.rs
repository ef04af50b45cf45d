use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::put;
use axum::{Json, Router};
use serde_json::json;

use super::*;
use crate::keystone::fake::{Fake, with_token};

const TOKENS: &str = "POST /v3/auth/tokens";
const PUT: &str = "PUT /setpass/token/u1";

/// A setpass that answers this, beside a Keystone that gives everybody a token.
async fn answering(status: u16, body: &'static str) -> (Fake, RemoteSetpass) {
    let status = StatusCode::from_u16(status).unwrap();
    at(put(async move || (status, body))).await
}

async fn at(operation: axum::routing::MethodRouter) -> (Fake, RemoteSetpass) {
    let fake = Fake::start(with_token().merge(Router::new().route("/setpass/token/{id}", operation))).await;
    let bearer = fake.keystone().bearer(None, std::time::Duration::from_secs(5), 0, Clock::system()).unwrap();
    let remote = Url::parse(&format!("{}/setpass", fake.url())).unwrap();
    (fake, RemoteSetpass { inner: Arc::new(Inner { bearer, remote }) })
}

async fn register(remote: &RemoteSetpass) -> Result<SecretString, RemoteSetpassError> {
    remote.register("u1", Some(&"first password".into()), Some(&"4711".into())).await
}

#[tokio::test]
async fn a_user_is_registered_with_the_fields_that_are_given() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let book = Arc::clone(&seen);
    let (_fake, remote) =
        at(put(async move |Path(id): Path<String>, headers: HeaderMap, Json(body): Json<Value>| {
            assert_eq!(headers["x-auth-token"], "token-1");
            book.lock().unwrap().push((id, body));
            "abc-DEF_1\n"
        }))
        .await;
    assert_eq!(register(&remote).await.unwrap().expose_secret(), "abc-DEF_1");
    remote.register("a/b c", None, None).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], ("u1".to_owned(), json!({ "password": "first password", "pin": "4711" })));
    assert_eq!(seen[1], ("a/b c".to_owned(), json!({})));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (fake, remote) = at(put(async move || match calls.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::UNAUTHORIZED.into_response(),
        _ => "abc".into_response(),
    }))
    .await;
    assert_eq!(register(&remote).await.unwrap().expose_secret(), "abc");
    assert_eq!((fake.calls(PUT), fake.calls(TOKENS)), (2, 2));

    let (fake, remote) = answering(401, "no").await;
    let error = register(&remote).await.unwrap_err();
    assert!(matches!(error, RemoteSetpassError::Unauthorized { .. }) && !error.is_passing(), "{error}");
    assert_eq!((fake.calls(PUT), fake.calls(TOKENS)), (2, 2));
}

#[tokio::test]
async fn every_answer_is_told_from_the_others_and_none_shows_a_secret() {
    let echo = r#"{"message": "what is 4711 or first password"}"#;
    for (status, body, told, passing) in [
        (400, echo, "refuses to register the user (400): what is (hidden) or (hidden)", false),
        (403, "no", "does not let this account register users (403)", false),
        (404, "no", "no /token (404)", false),
        (302, "", "it answers 302", false),
        (429, "", "not available at present (429)", true),
        (500, "", "not available at present (500)", true),
        (503, "", "not available at present (503)", true),
        (200, "", "answers a blank answer where", false),
        (200, "<html><body>Welcome</body></html>", "answers a page where", false),
        (200, "two words", "answers a text of several words", false),
        (200, "one\nline", "answers a text of several words", false),
        (200, "\"abc\"", "answers characters that no token has", false),
        (200, "ünï", "answers characters that no token has", false),
    ] {
        let (_fake, remote) = answering(status, body).await;
        let error = register(&remote).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains(told) && words.contains("/setpass"), "{status} {body}: {words}");
        assert_eq!(error.is_passing(), passing, "{words}");
        assert!(!words.contains("4711") && !format!("{error:?}").contains("first password"), "{words}");
    }
    let long: &'static str = "x".repeat(LONGEST_TOKEN + 1).leak();
    let (_fake, remote) = answering(200, long).await;
    assert!(matches!(register(&remote).await, Err(RemoteSetpassError::NoToken { .. })));
}

#[tokio::test]
async fn a_setpass_that_is_not_there_is_out_of_reach_and_a_keystone_that_is_not_there_is_keystone() {
    let (_fake, remote) = answering(200, "abc").await;
    let gone = RemoteSetpass {
        inner: Arc::new(Inner {
            bearer: remote.inner.bearer.clone(),
            remote: Url::parse("http://127.0.0.1:1/").unwrap(),
        }),
    };
    let error = register(&gone).await.unwrap_err();
    assert!(matches!(error, RemoteSetpassError::Unreachable { .. }), "{error}");
    assert!(error.is_unreachable() && error.to_string().contains("setpass.remote"), "{error}");

    let fake = Fake::start(Router::new()).await;
    let bearer = fake.keystone().bearer(None, std::time::Duration::from_secs(5), 0, Clock::system()).unwrap();
    let remote = RemoteSetpass { inner: Arc::new(Inner { bearer, remote: fake.url().parse().unwrap() }) };
    let error = register(&remote).await.unwrap_err();
    assert!(matches!(error, RemoteSetpassError::Keystone(_)), "{error}");
}

#[tokio::test]
async fn the_check_wants_a_guarded_setpass_that_takes_this_account() {
    let guarded = async |allowed: StatusCode| {
        at(put(async move |headers: HeaderMap| match headers.contains_key("x-auth-token") {
            true => allowed,
            false => StatusCode::UNAUTHORIZED,
        }))
        .await
    };
    let (_fake, remote) = guarded(StatusCode::BAD_REQUEST).await;
    assert!(remote.check().await.unwrap().ends_with("/setpass takes registrations"));
    let (_fake, remote) = guarded(StatusCode::FORBIDDEN).await;
    assert!(matches!(remote.check().await, Err(RemoteSetpassError::Forbidden { .. })));
    let (_fake, remote) = answering(200, "abc").await;
    assert!(matches!(remote.check().await, Err(RemoteSetpassError::Unguarded { .. })));
    let (_fake, remote) = answering(400, "").await;
    assert!(matches!(remote.check().await, Err(RemoteSetpassError::NotSetpass { .. })));
    let (_fake, remote) = answering(404, "").await;
    assert!(matches!(remote.check().await, Err(RemoteSetpassError::NotSetpass { .. })));
}

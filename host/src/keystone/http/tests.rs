use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use serde_json::json;

use super::*;
use crate::keystone::fake::{Fake, with_token};
use crate::keystone::limit::CallLimit;
use crate::keystone::{CreateProject, Keystone};

const PROJECT: CreateProject<'_> = CreateProject { name: "x", description: "", marker: None };

/// Answers the status so many times, and then as it should.
fn failing(times: usize, status: u16) -> axum::Router {
    let count = Arc::new(AtomicUsize::new(0));
    let answer = move |success: StatusCode| -> Response {
        if count.fetch_add(1, Ordering::SeqCst) < times {
            let body = Json(json!({ "error": { "message": "not now" } }));
            return (StatusCode::from_u16(status).unwrap(), [("Retry-After", "0")], body).into_response();
        }
        let body = json!({ "project": { "id": "p1", "name": "x", "enabled": true } });
        (success, Json(body)).into_response()
    };
    let by_get = answer.clone();
    with_token()
        .route("/v3/projects/p1", get(async move || by_get(StatusCode::OK)))
        .route("/v3/projects", post(async move || answer(StatusCode::CREATED)))
}

#[tokio::test]
async fn passing_failures_of_idempotent_calls_are_repeated() {
    for status in [429, 500, 502, 503, 504] {
        let fake = Fake::start(failing(2, status)).await;
        let keystone = fake.keystone_with("retries = 2", Clock::system());
        assert!(keystone.project("p1").await.unwrap().is_some(), "{status}");
        assert_eq!(fake.calls("GET /v3/projects/p1"), 3, "{status}");
    }
}

#[tokio::test]
async fn fewer_calls_are_made_at_a_time_where_a_service_has_too_much_to_do() {
    for status in [429, 503] {
        let fake = Fake::start(failing(1, status)).await;
        let keystone = fake.keystone_with("retries = 2", Clock::system());
        assert_eq!(keystone.calls_at_a_time(), 4);
        keystone.project("p1").await.unwrap();
        assert_eq!(keystone.calls_at_a_time(), 2, "{status}");
    }
    // What the service refuses says nothing about its load.
    let fake = Fake::start(failing(9, 403)).await;
    let keystone = fake.keystone();
    keystone.project("p1").await.unwrap_err();
    assert_eq!(keystone.calls_at_a_time(), 4);
}

/// Each call waits until as many are under way as may be, and no more ever are.
#[tokio::test]
async fn no_more_calls_are_under_way_than_the_limit_allows() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let answer = async move || {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        now.fetch_sub(1, Ordering::SeqCst);
        Json(json!({ "project": { "id": "p1", "name": "x", "enabled": true } }))
    };
    let fake = Fake::start(with_token().route("/v3/projects/p1", get(answer))).await;
    let keystone = fake.keystone_with("concurrency = 3", Clock::system());
    let calls = (0..12).map(|_| keystone.project("p1"));
    futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn calls_are_alike_where_only_ids_and_queries_differ() {
    let kind = |url: &str| Request::new("Keystone", Method::PUT, url.parse().unwrap()).kind();
    let (user, other) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    assert_eq!(kind(&format!("https://h/v3/users/{user}?a=1")), kind(&format!("https://h/v3/users/{other}")));
    assert_ne!(kind("https://h/v3/users"), kind("https://h/v3/projects"));
}

#[tokio::test]
async fn repetitions_end() {
    let fake = Fake::start(failing(9, 503)).await;
    let error = fake.keystone_with("retries = 1", Clock::system()).project("p1").await.unwrap_err();
    assert!(
        matches!(&error, KeystoneError::Unavailable { status: 503, message, .. } if message == "not now")
    );
    assert!(error.is_passing());
    assert_eq!(fake.calls("GET /v3/projects/p1"), 2);
}

#[tokio::test]
async fn a_post_is_repeated_only_where_it_cannot_have_taken_effect() {
    let fake = Fake::start(failing(1, 429)).await;
    fake.keystone_with("retries = 1", Clock::system()).create_project(&PROJECT).await.unwrap();
    assert_eq!(fake.calls("POST /v3/projects"), 2);

    let fake = Fake::start(failing(1, 503)).await;
    let keystone = fake.keystone_with("retries = 3", Clock::system());
    let error = keystone.create_project(&PROJECT).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert_eq!(fake.calls("POST /v3/projects"), 1);
}

/// Sets a password whose answer is lost, and then answers so.
async fn set_with_a_lost_answer(then: u16) -> (KeystoneError, usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let answer = async move || match count.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::from_u16(then).unwrap(),
    };
    let fake = Fake::start(with_token().route("/v3/users/u1", patch(answer))).await;
    let keystone = fake.keystone_with("retries = 2", Clock::system());
    let error = keystone.set_password("u1", &"new".into()).await.unwrap_err();
    (error, fake.calls("PATCH /v3/users/u1"))
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_in_doubt_whatever_its_repetitions_are_answered() {
    for (then, calls) in [(429, 3), (404, 2), (403, 2), (401, 3)] {
        let (error, made) = set_with_a_lost_answer(then).await;
        assert!(error.may_have_taken_effect(), "{then}: {error}");
        assert_eq!(made, calls, "{then}");
    }
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_in_doubt_where_keystone_has_gone_away_since() {
    let (asked, gone) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (is_asked, is_gone) = (Arc::clone(&asked), Arc::clone(&gone));
    let answer = async move || {
        is_asked.notify_one();
        is_gone.notified().await;
        (StatusCode::GATEWAY_TIMEOUT, [("Connection", "close")])
    };
    let fake = Fake::start(with_token().route("/v3/users/u1", patch(answer))).await;
    let (keystone, url) = (fake.keystone_with("retries = 2", Clock::system()), fake.url());
    let goes = async {
        asked.notified().await;
        drop(fake);
        while tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.is_ok() {
            tokio::task::yield_now().await;
        }
        gone.notify_one();
    };
    let password = "new".into();
    let (set, ()) = tokio::join!(keystone.set_password("u1", &password), goes);
    let error = set.unwrap_err();
    assert!(error.may_have_taken_effect(), "{error}");
    assert!(keystone.user("u1").await.unwrap_err().is_unreachable(), "nobody answers any more");
}

#[tokio::test]
async fn what_is_refused_of_a_repeated_put_or_delete_tells_what_there_is() {
    let url = |fake: &Fake| format!("{}/thing", fake.url()).parse().unwrap();
    for then in [404, 409] {
        let count = Arc::new(AtomicUsize::new(0));
        let answer = async move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::from_u16(then).unwrap(),
        };
        let fake = Fake::start(axum::Router::new().route("/thing", axum::routing::delete(answer))).await;
        let request = Request::new("Keystone", Method::DELETE, url(&fake));
        let http =
            Http::new(std::iter::empty(), Duration::from_secs(5), 2, CallLimit::new(4), Clock::system());
        let last = http.unwrap().send(&request, None).await.err().unwrap();
        let error = request.failed(last);
        assert!(!error.may_have_taken_effect() && !error.is_passing(), "{error}");
    }
}

#[tokio::test]
async fn final_refusals_are_typed_and_not_repeated() {
    for (status, is_expected) in [
        (403, (|error| matches!(error, KeystoneError::Forbidden { .. })) as fn(&KeystoneError) -> bool),
        (404, |error| matches!(error, KeystoneError::NotFound { .. })),
        (409, |error| matches!(error, KeystoneError::Conflict { .. })),
        (400, |error| matches!(error, KeystoneError::Refused { status: 400, .. })),
        (413, |error| matches!(error, KeystoneError::Refused { status: 413, .. })),
        (302, |error| matches!(error, KeystoneError::Refused { status: 302, .. })),
        (501, |error| matches!(error, KeystoneError::Refused { status: 501, .. })),
    ] {
        let fake = Fake::start(failing(9, status)).await;
        let keystone = fake.keystone_with("retries = 3", Clock::system());
        let error = keystone.create_project(&PROJECT).await.unwrap_err();
        assert!(is_expected(&error) && !error.is_passing(), "{status}: {error}");
        assert!(error.to_string().contains("not now"), "{error}");
        assert!(error.to_string().contains("/v3/projects"), "{error}");
        assert_eq!(fake.calls("POST /v3/projects"), 1, "{status}");
    }
}

async fn unreachable(keystone: &Keystone) -> Unreached {
    match keystone.whoami().await.unwrap_err() {
        KeystoneError::Unreachable { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let fake = Fake::start(axum::Router::new()).await;
    let keystone = fake.keystone();
    let url = fake.url();
    drop(fake);
    // The port is given back when the server's task has ended.
    while tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(unreachable(&keystone).await, Unreached::Refused);
}

#[tokio::test]
async fn a_silent_server_is_unreachable() {
    let silent = axum::Router::new().route("/v3/auth/tokens", post(std::future::pending::<()>));
    let fake = Fake::start(silent).await;
    let keystone = fake.keystone_with("retries = 0\ntimeout = \"200ms\"", Clock::system());
    assert!(matches!(unreachable(&keystone).await, Unreached::TimedOut(_)));
}

#[tokio::test]
async fn a_server_that_hangs_up_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let http =
        Http::new(std::iter::empty(), Duration::from_secs(5), 0, CallLimit::new(4), Clock::system()).unwrap();
    let error = http.send(&Request::new("Keystone", Method::GET, url), None).await.err().unwrap();
    assert!(error.is_passing() && !error.had_no_effect(), "{error}");
    server.abort();
}

/// What comes of a call that has to end within so long. Without an end it would take longer than this waits.
async fn within(keystone: &Keystone, time: Duration) -> KeystoneError {
    let soon = keystone.until(tokio::time::Instant::now() + time);
    let asked = tokio::time::timeout(Duration::from_secs(15), soon.project("p1")).await;
    asked.expect("it ends in time").unwrap_err()
}

/// Time in which nothing can be done, as nobody answers.
const SOON: Duration = Duration::from_millis(300);

/// Answers nothing to the calls with this path.
fn silent(path: &str) -> axum::Router {
    let never = || std::future::pending::<()>();
    match path {
        "/v3/auth/tokens" => axum::Router::new().route(path, post(never)),
        _ => with_token().route(path, get(never)),
    }
}

const PATIENT: &str = "retries = 5\ntimeout = \"20s\"";

#[tokio::test]
async fn a_call_ends_with_all_its_repetitions_when_nobody_waits_for_it_any_more() {
    let fake = Fake::start(silent("/v3/projects/p1")).await;
    let keystone = fake.keystone_with(PATIENT, Clock::system());
    // So that it has a token by then, and the call is made.
    keystone.project("another").await.unwrap();
    let end = Duration::from_secs(3);
    let error = within(&keystone, end).await;
    let timed_out = matches!(&error, KeystoneError::Unreachable { reason: Unreached::TimedOut(after), .. }
        if *after <= end);
    assert!(timed_out && error.is_passing() && !error.had_no_effect(), "{error}");
    assert_eq!(fake.calls("GET /v3/projects/p1"), 1);
    assert_eq!(keystone.calls_at_a_time(), 4, "that says nothing about the service's load");

    let keystone = fake.keystone_with("retries = 0\ntimeout = \"1s\"", Clock::system());
    keystone.project("p1").await.unwrap_err();
    assert_eq!(keystone.calls_at_a_time(), 2, "no answer in all the time that there is does");
}

#[tokio::test]
async fn nobody_is_kept_waiting_for_a_repetition_that_would_come_too_late() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let later = get(async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let body = Json(json!({ "error": { "message": "in a minute" } }));
        (StatusCode::TOO_MANY_REQUESTS, [("Retry-After", "50")], body)
    });
    let fake = Fake::start(with_token().route("/v3/projects/p1", later)).await;
    // Shorter than the pause that is asked for, and longer than this test takes.
    let error = within(&fake.keystone_with(PATIENT, Clock::system()), Duration::from_secs(40)).await;
    assert!(matches!(error, KeystoneError::Unavailable { status: 429, .. }), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// Its answer would be lost, and nobody would know which password is in force.
#[tokio::test]
async fn a_change_of_a_password_is_not_begun_where_nobody_will_wait_for_its_answer() {
    let changed = post(async || StatusCode::NO_CONTENT);
    let fake = Fake::start(with_token().route("/v3/users/u1/password", changed)).await;
    let keystone = fake.keystone_with(PATIENT, Clock::system());
    let change = async |left: u64| {
        let end = tokio::time::Instant::now() + Duration::from_secs(left);
        keystone.until(end).change_password("u1", &"present".into(), &"new".into()).await
    };
    let late = change(4).await.unwrap_err();
    assert!(!late.may_have_taken_effect() && late.is_passing(), "{late}");
    assert_eq!(fake.calls("POST /v3/users/u1/password"), 0);
    change(60).await.unwrap();
    assert_eq!(fake.calls("POST /v3/users/u1/password"), 1);
}

/// No token, or no place among the calls that are made at a time.
#[tokio::test]
async fn a_call_that_cannot_be_made_in_time_is_not_made() {
    let fake = Fake::start(silent("/v3/auth/tokens")).await;
    let error = within(&fake.keystone_with(PATIENT, Clock::system()), SOON).await;
    let is_too_late = |error: &KeystoneError| {
        matches!(error, KeystoneError::Unreachable { reason: Unreached::TooLate, .. })
            && error.had_no_effect()
            && !error.is_unreachable()
    };
    assert!(is_too_late(&error), "{error}");

    let fake = Fake::start(
        silent("/v3/projects/p2")
            .merge(axum::Router::new().route("/v3/projects/p1", get(async || "never asked"))),
    )
    .await;
    let keystone = fake.keystone_with(&format!("{PATIENT}\nconcurrency = 1"), Clock::system());
    let mut only_place = Box::pin(keystone.project("p2"));
    while fake.calls("GET /v3/projects/p2") == 0 {
        let _ = tokio::time::timeout(Duration::from_millis(1), &mut only_place).await;
    }
    let error = within(&keystone, SOON).await;
    assert!(is_too_late(&error), "{error}");
    assert_eq!(fake.calls("GET /v3/projects/p1"), 0);
    let late = keystone.until(tokio::time::Instant::now());
    drop(only_place);
    let error = late.project("p1").await.unwrap_err();
    assert!(is_too_late(&error), "{error}");
    assert_eq!(fake.calls("GET /v3/projects/p1"), 0);
}

#[test]
fn every_services_own_words_are_found() {
    for body in [
        r#"{"error": {"code": 404, "message": "words", "title": "Not Found"}}"#,
        r#"{"badRequest": {"code": 400, "message": "words"}}"#,
        r#"{"NeutronError": {"type": "HTTPBadRequest", "message": "words", "detail": ""}}"#,
        r#"{"NeutronError": "words"}"#,
        r#"{"message": "words"}"#,
    ] {
        assert_eq!(own_words(body.as_bytes()).as_deref(), Some("words"), "{body}");
    }
    assert_eq!(own_words(b"<html>no words</html>"), None);
    assert_eq!(own_words(b"[]"), None);
}

#[test]
fn errors_show_neither_query_nor_user_information() {
    let url = "https://u:sesame@h/v3/users?name=sesame#sesame".parse().unwrap();
    let call = Request::new("Keystone", Method::GET, url).call();
    assert_eq!(&*call.what, "GET https://h/v3/users");
}

#[test]
fn a_secret_at_the_end_of_what_is_repeated_is_hidden_whole() {
    let http =
        Http::new(std::iter::empty(), Duration::from_secs(5), 0, CallLimit::new(4), Clock::system()).unwrap();
    let url = "https://h/v3/users".parse().unwrap();
    let request = Request::new("Keystone", Method::POST, url).hiding(&"open-sesame".into());
    let words = format!("{}open-sesame is too weak{}", "x".repeat(LONGEST_MESSAGE - 4), "y".repeat(999));
    let body = serde_json::json!({ "error": { "message": words } }).to_string();
    let error =
        http.refusal(&request, StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes()).to_string();
    assert!(!error.contains("open"), "{error}");
    assert!(!error.contains("yyy"), "{error}");
}

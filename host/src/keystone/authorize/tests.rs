use std::sync::Mutex;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::keystone::fake::Fake;

const TOKENS: &str = "POST /v3/auth/tokens";

fn caller() -> SecretString {
    SecretString::from("callers-token")
}

async fn answer_to(status: u16) -> Result<bool, KeystoneError> {
    let status = StatusCode::from_u16(status).unwrap();
    let fake = Fake::start(Router::new().route(
        "/v3/auth/tokens",
        post(async move |Json(body): Json<Value>| {
            assert_eq!(body["auth"]["identity"]["token"]["id"], "callers-token");
            assert_eq!(body["auth"]["scope"]["project"]["name"], "admin");
            (status, Json(life(3600)))
        }),
    ))
    .await;
    fake.keystone().authorizes_admin(&caller()).await
}

/// The body for a token that lives so many seconds, and an echo of the caller's one.
fn life(seconds: i64) -> Value {
    let issued: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
    let expires = issued + SignedDuration::from_secs(seconds);
    json!({
        "token": { "issued_at": issued, "expires_at": expires },
        "error": { "message": "no callers-token here" },
    })
}

/// A Keystone that says yes to all tokens but those that begin with `no`, and a clock that the test moves.
async fn keystone(lives: i64) -> (Fake, Keystone, Clock) {
    let fake = Fake::start(Router::new().route(
        "/v3/auth/tokens",
        post(async move |Json(body): Json<Value>| {
            let is_no = body["auth"]["identity"]["token"]["id"].as_str().unwrap().starts_with("no");
            // Time for others to come.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            (if is_no { StatusCode::UNAUTHORIZED } else { StatusCode::CREATED }, Json(life(lives)))
        }),
    ))
    .await;
    let clock = Clock::manual("2026-11-22T09:00:00Z".parse().unwrap());
    let keystone = fake.keystone_with("retries = 0", clock.clone());
    (fake, keystone, clock)
}

#[tokio::test]
async fn only_a_token_for_the_admin_project_authorizes() {
    assert!(answer_to(201).await.unwrap());
    for status in [400, 401, 403, 404] {
        assert!(!answer_to(status).await.unwrap(), "{status}");
    }
}

#[tokio::test]
async fn trouble_is_neither_yes_nor_no_and_shows_no_token() {
    let error = answer_to(503).await.unwrap_err();
    assert!(error.is_passing());
    assert!(!format!("{error} {error:?}").contains("callers-token"), "{error}");
}

#[tokio::test]
async fn a_yes_counts_for_a_short_time_and_for_that_token_alone() {
    let (fake, keystone, clock) = keystone(3600).await;
    assert!(keystone.authorizes_admin(&caller()).await.unwrap());
    clock.advance(AUTHORIZED_FOR - SignedDuration::from_secs(1));
    assert!(keystone.authorizes_admin(&caller()).await.unwrap());
    assert_eq!(fake.calls(TOKENS), 1);
    assert!(keystone.clone().authorizes_admin(&"another".into()).await.unwrap());
    assert_eq!(fake.calls(TOKENS), 2);
    clock.advance(SignedDuration::from_secs(1));
    assert!(keystone.authorizes_admin(&caller()).await.unwrap());
    assert_eq!(fake.calls(TOKENS), 3);
}

#[tokio::test]
async fn a_yes_never_counts_beyond_the_end_of_the_token() {
    let (fake, keystone, clock) = keystone(7).await;
    assert!(keystone.authorizes_admin(&caller()).await.unwrap());
    clock.advance(SignedDuration::from_secs(6));
    assert!(keystone.authorizes_admin(&caller()).await.unwrap());
    assert_eq!(fake.calls(TOKENS), 1);
    clock.advance(SignedDuration::from_secs(1));
    keystone.authorizes_admin(&caller()).await.unwrap();
    assert_eq!(fake.calls(TOKENS), 2);
}

#[tokio::test]
async fn who_was_an_administrator_is_known_until_keystone_says_no() {
    let answers = Arc::new(Mutex::new(vec![201, 201, 401]));
    let fake = Fake::start(Router::new().route(
        "/v3/auth/tokens",
        post(async move || {
            let status = answers.lock().unwrap().remove(0);
            (StatusCode::from_u16(status).unwrap(), Json(life(3600)))
        }),
    ))
    .await;
    let clock = Clock::manual("2026-11-22T09:00:00Z".parse().unwrap());
    let keystone = fake.keystone_with("retries = 0", clock.clone());
    assert!(!keystone.has_authorized(&caller()));
    for (yes, known) in [(true, true), (true, true), (false, false)] {
        assert_eq!(keystone.authorizes_admin(&caller()).await.unwrap(), yes);
        assert_eq!(keystone.has_authorized(&caller()), known);
        assert!(!keystone.has_authorized(&"another".into()));
        clock.advance(AUTHORIZED_FOR);
        assert_eq!(keystone.has_authorized(&caller()), known, "also when the yes has ended");
    }
}

#[tokio::test]
async fn a_no_is_asked_for_again() {
    let (fake, keystone, _) = keystone(3600).await;
    for calls in [1, 2] {
        assert!(!keystone.authorizes_admin(&"no-admin".into()).await.unwrap());
        assert_eq!(fake.calls(TOKENS), calls);
    }
}

#[tokio::test]
async fn those_who_ask_at_once_about_one_token_share_one_question() {
    let (fake, keystone, _) = keystone(3600).await;
    for (token, yes, calls) in [("callers-token", true, 1), ("no-admin", false, 2)] {
        let token = SecretString::from(token);
        let asked = futures::future::join_all((0..20).map(|_| keystone.authorizes_admin(&token))).await;
        assert!(asked.into_iter().all(|answer| answer.unwrap() == yes));
        assert_eq!(fake.calls(TOKENS), calls);
    }
}

#[tokio::test]
async fn a_question_goes_on_without_the_one_who_asked_it() {
    let (fake, keystone, _) = keystone(3600).await;
    let (first, token) = (keystone.clone(), caller());
    let impatient =
        tokio::time::timeout(std::time::Duration::from_millis(20), first.authorizes_admin(&token));
    let token = caller();
    let (gave_up, answered) = tokio::join!(impatient, keystone.authorizes_admin(&token));
    assert!(gave_up.is_err() && answered.unwrap());
    assert_eq!(fake.calls(TOKENS), 1);
}

#[tokio::test]
async fn no_more_tokens_are_remembered_than_may_be() {
    let asked = Mutex::new(0);
    let clock = Clock::manual("2026-11-22T09:00:00Z".parse().unwrap());
    let authorized = Authorized::new(clock.clone());
    let ask = async |number: usize| {
        let token = SecretString::from(number.to_string());
        let yes = || {
            *asked.lock().unwrap() += 1;
            async { Ok(Some(SignedDuration::from_hours(1))) }
        };
        assert!(authorized.ask_once(&token, yes).await.unwrap());
    };
    for number in 0..=1000 {
        ask(number).await;
        clock.advance(SignedDuration::from_millis(1));
    }
    assert_eq!(*asked.lock().unwrap(), 1001);
    ask(1000).await;
    ask(1).await;
    assert_eq!(*asked.lock().unwrap(), 1001, "the others are still known");
    ask(0).await;
    assert_eq!(*asked.lock().unwrap(), 1002, "the one that ended soonest had to go");
}

/// Strangers who show many tokens take up all places for questions about them where Keystone is silent.
#[tokio::test]
async fn who_waits_for_a_place_to_ask_waits_no_longer_than_for_an_answer() {
    let silent = post(std::future::pending::<()>);
    let fake = Fake::start(Router::new().route("/v3/auth/tokens", silent)).await;
    let keystone = fake.keystone_with("retries = 9", Clock::system());
    let strangers = ["one".into(), "two".into()];
    let mut asking: Vec<_> =
        strangers.iter().map(|stranger| Box::pin(keystone.authorizes_admin(stranger))).collect();
    for asking in &mut asking {
        assert!(futures::poll!(asking).is_pending());
    }
    while fake.calls(TOKENS) < 2 {
        tokio::task::yield_now().await;
    }
    let soon = keystone.until(tokio::time::Instant::now() + std::time::Duration::from_millis(200));
    let token = caller();
    let asked = tokio::time::timeout(std::time::Duration::from_secs(10), soon.authorizes_admin(&token)).await;
    let error = asked.expect("it ends in time").unwrap_err();
    assert!(error.had_no_effect(), "{error}");
    assert_eq!(fake.calls(TOKENS), 2);
}

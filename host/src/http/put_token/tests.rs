use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts as _, Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::http::ClientAddress;
use crate::http::audience::Audience;
use crate::http::limits::Deadline;
use crate::http::tests::{Answer, Served};
use crate::keystone::fake::{Fake, token_body};
use crate::setpass::fixture::{ADMIN_TOKEN, Fixture, PIN, RANDOM_PASSWORD, USER};

/// Where Keystone is asked about tokens, and what that is counted as.
const TOKENS: &str = "/v3/auth/tokens";
const ASKED: &str = "POST /v3/auth/tokens";

async fn put(served: &Served, user: &str, caller: Option<&str>, body: &str) -> Answer {
    let mut request = Request::put(format!("/token/{user}"));
    if let Some(caller) = caller {
        request = request.header("X-Auth-Token", caller);
    }
    served.call(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn put_as_admin(served: &Served, body: &str) -> Answer {
    put(served, USER, Some(ADMIN_TOKEN), body).await
}

fn complete() -> String {
    serde_json::json!({ "password": RANDOM_PASSWORD, "pin": PIN }).to_string()
}

async fn set_password(served: &Served, token: &str, pin: &str) -> u16 {
    let form = [("pin", pin), ("password", "chosen by me"), ("confirm_password", "chosen by me")];
    served.post(&format!("/?token={token}"), &form).await.status
}

#[tokio::test]
async fn an_administrator_gets_the_token_alone_as_plain_text() {
    let served = Served::new().await;
    let answer = put_as_admin(&served, &complete()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!(answer.body.len(), 43);
    assert!(
        answer.body.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "{}",
        answer.body
    );
    assert_eq!(set_password(&served, &answer.body, PIN).await, 200);
}

#[tokio::test]
async fn the_token_is_plain_text_also_for_those_who_accept_json() {
    let served = Served::new().await;
    let request = Request::put(format!("/token/{USER}"))
        .header("X-Auth-Token", ADMIN_TOKEN)
        .header("Accept", "application/json")
        .header("Content-Type", "text/plain");
    let answer = served.call(request.body(Body::from(complete())).unwrap()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 43));
}

#[tokio::test]
async fn who_calls_is_checked_before_what_is_said() {
    let served = Served::new().await;
    for body in [complete().as_str(), "nonsense"] {
        assert_eq!(put(&served, USER, None, body).await.status, 401);
        assert_eq!(put(&served, USER, Some(""), body).await.status, 401);
        assert_eq!(put(&served, USER, Some("token-of-a-member"), body).await.status, 403);
    }
    // Nothing of it was recorded.
    assert_eq!(put_as_admin(&served, "").await.status, 400);
}

#[tokio::test]
async fn bodies_that_cannot_be_used_are_400() {
    let served = Served::new().await;
    for body in [
        "nonsense",
        "[]",
        "",
        "{}",
        "{\"pin\": \"4711\"}",
        "{\"password\": \"p\"}",
        "{\"password\": \"p\", \"pin\": 4711}",
        "{\"password\": \"p\", \"pin\": \"\"}",
        "{\"password\": \"p\", \"pin\": \"12a4\"}",
        "{\"password\": \"\", \"pin\": \"4711\"}",
    ] {
        let answer = put_as_admin(&served, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.body.contains("4711"), "{}", answer.body);
    }
    let long = "u".repeat(256);
    assert_eq!(put(&served, &long, Some(ADMIN_TOKEN), &complete()).await.status, 400);
}

#[tokio::test]
async fn each_call_gives_a_new_token_and_the_old_ones_stop_working() {
    let served = Served::new().await;
    let first = put_as_admin(&served, &complete()).await.body;
    let second = put_as_admin(&served, "").await;
    let third = put_as_admin(&served, "{\"pin\": \"5823\", \"password\": null}").await;
    assert_eq!((second.status, third.status), (200, 200));
    assert!(first != second.body && second.body != third.body);
    assert_eq!(set_password(&served, &first, PIN).await, 404);
    assert_eq!(set_password(&served, &second.body, PIN).await, 404);
    assert_eq!(set_password(&served, &third.body, PIN).await, 403);
    assert_eq!(set_password(&served, &third.body, "5823").await, 200);
}

#[tokio::test]
async fn strangers_of_one_network_are_refused_before_keystone_is_asked_and_administrators_never() {
    let served = Served::new().await;
    let put_from = async |client: &str, caller: &str, body: &str| {
        let client: SocketAddr = client.parse().unwrap();
        let request = Request::put(format!("/token/{USER}")).header("X-Auth-Token", caller);
        let request = request.extension(ConnectInfo(client)).body(Body::from(body.to_owned())).unwrap();
        served.call(request).await
    };
    let stranger = "[2001:db8::1]:1111";
    let asked = || served.fixture.calls_of_keystone(ASKED);
    // One that Keystone takes does not count, however often it comes.
    assert_eq!(put_from(stranger, ADMIN_TOKEN, &complete()).await.status, 200);
    for _ in 0..100 {
        assert_eq!(put_from(stranger, ADMIN_TOKEN, "").await.status, 200);
    }
    assert_eq!(asked(), 1);
    for number in 0..60 {
        assert_eq!(put_from(stranger, &format!("made-up-{number}"), "").await.status, 403);
    }
    assert_eq!(asked(), 61);
    let neighbour = "[2001:db8::2]:2222";
    let refused = put_from(neighbour, "made-up", "").await;
    assert_eq!((refused.status, asked()), (429, 61), "{}", refused.body);
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait), "{wait}");

    // The administrator there goes on, and so do other networks.
    assert_eq!(put_from(neighbour, ADMIN_TOKEN, "").await.status, 200);
    assert_eq!(put_from("192.0.2.9:1111", "made-up", "").await.status, 403);
    served.fixture.clock.advance(jiff::SignedDuration::from_secs(wait));
    assert_eq!(put_from(neighbour, "made-up", "").await.status, 403);
}

/// A Keystone that answers as many questions about tokens as it is let.
async fn held() -> (Served, Fake, Arc<Semaphore>) {
    let go = Arc::new(Semaphore::new(0));
    let let_go = Arc::clone(&go);
    let answer = post(async move |Json(body): Json<Value>| {
        let_go.acquire().await.unwrap().forget();
        let is_admin = body["auth"]["identity"]["token"]["id"] == ADMIN_TOKEN;
        let status = if is_admin { StatusCode::CREATED } else { StatusCode::UNAUTHORIZED };
        (status, Json(token_body(&json!([]))))
    });
    let keystone = Fake::start(Router::new().route(TOKENS, answer)).await;
    let mut fixture = Fixture::new().await;
    fixture.keystone = keystone.keystone();
    (Served::on(fixture), keystone, go)
}

/// How many made-up tokens the client may still show.
async fn left(served: &Served, go: &Semaphore) -> usize {
    go.add_permits(100);
    for number in 0..100 {
        match put(served, USER, Some(&format!("made-up {number}")), "").await.status {
            403 => {}
            429 => return number,
            other => panic!("{other}"),
        }
    }
    100
}

#[tokio::test]
async fn a_token_that_keystone_is_being_asked_about_counts_once_however_often_it_is_shown() {
    for (caller, status, counted) in [(ADMIN_TOKEN, 200, 0), ("made-up", 403, 1)] {
        let (served, keystone, go) = held().await;
        let body = complete();
        let mut asking: Vec<_> = Vec::new();
        for number in 0..100 {
            let user = format!("u{number}");
            let (served, body) = (&served, &body);
            let mut put = Box::pin(async move { put(served, &user, Some(caller), body).await });
            assert!(futures::poll!(&mut put).is_pending());
            asking.push(put);
        }
        go.add_permits(1);
        for answer in futures::future::join_all(asking).await {
            assert_eq!(answer.status, status, "{}", answer.body);
        }
        assert_eq!(keystone.calls(ASKED), 1);
        assert_eq!(left(&served, &go).await, 60 - counted, "{caller}");
    }
}

#[tokio::test]
async fn who_hangs_up_while_keystone_is_asked_about_a_good_token_is_not_counted() {
    let (served, keystone, go) = held().await;
    let body = complete();
    let ask = || Box::pin(put_as_admin(&served, &body));
    let (mut first, mut second) = (ask(), ask());
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
    let end = Instant::now() + Duration::from_secs(20);
    while keystone.calls(ASKED) == 0 {
        assert!(Instant::now() < end, "the question is asked, whoever waits for the answer");
        tokio::task::yield_now().await;
    }
    drop(first);
    drop(second);
    let mut third = ask();
    assert!(futures::poll!(&mut third).is_pending());
    go.add_permits(1);
    assert_eq!(third.await.status, 200);
    assert_eq!(keystone.calls(ASKED), 1);
    assert_eq!(left(&served, &go).await, 60);
}

/// However long Keystone may take for a call with all its repetitions, who waits is answered in time.
#[tokio::test]
async fn who_shows_a_token_that_keystone_is_silent_about_is_answered_in_time_and_not_counted() {
    let (served, _keystone, go) = held().await;
    let services = State(Arc::new(served.services.clone()));
    let mut parts =
        Request::put("/token/u1").header("X-Auth-Token", ADMIN_TOKEN).body(()).unwrap().into_parts().0;
    let audience = Audience::from_request_parts(&mut parts, &()).await.unwrap();
    let client = ClientAddress("0.0.0.0".parse().unwrap());
    let deadline = Deadline(Instant::now() + Duration::from_millis(300));
    let path = Path("u1".to_owned());
    let answering =
        super::put_token(services, audience, client, deadline, path, parts.headers, complete().into());
    let answer = tokio::time::timeout(Duration::from_secs(20), answering).await.expect("it is in time");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(left(&served, &go).await, 60);
}

/// Each network counts for itself, also about one token.
#[tokio::test]
async fn a_client_that_may_show_no_more_tokens_does_not_speak_for_others() {
    let (served, _keystone, go) = held().await;
    assert_eq!(left(&served, &go).await, 60);
    let from = |client: &str| {
        let client: SocketAddr = client.parse().unwrap();
        let request = Request::put(format!("/token/{USER}")).header("X-Auth-Token", ADMIN_TOKEN);
        Box::pin(served.call(request.extension(ConnectInfo(client)).body(Body::from(complete())).unwrap()))
    };
    let body = complete();
    let (refused, taken) = tokio::join!(put_as_admin(&served, &body), from("192.0.2.9:1111"));
    assert_eq!((refused.status, taken.status), (429, 200));
}

#[tokio::test]
async fn a_keystone_that_does_not_answer_counts_against_nobody() {
    let down = post(async || StatusCode::SERVICE_UNAVAILABLE);
    let keystone = Fake::start(Router::new().route(TOKENS, down)).await;
    let mut fixture = Fixture::new().await;
    fixture.keystone = keystone.keystone();
    let served = Served::on(fixture);
    for _ in 0..61 {
        assert_eq!(put(&served, USER, Some("made-up"), "").await.status, 503);
    }
}

/// From everywhere, and without waiting for the answers.
#[tokio::test]
async fn no_more_strangers_wait_for_keystone_than_it_can_be_asked_about_soon() {
    let (served, keystone, go) = held().await;
    go.add_permits(1);
    assert_eq!(put_as_admin(&served, &complete()).await.status, 200);
    let ask = |number: usize| {
        let client = SocketAddr::from(([192, 0, 2, u8::try_from(number).unwrap()], 1111));
        let request =
            Request::put(format!("/token/{USER}")).header("X-Auth-Token", format!("made-up {number}"));
        Box::pin(served.call(request.extension(ConnectInfo(client)).body(Body::empty()).unwrap()))
    };
    for number in 0..100 {
        let mut asking = ask(number);
        assert!(futures::poll!(&mut asking).is_pending());
    }
    let refused = ask(100).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    // Whoever Keystone has said yes to does not wait behind them.
    assert_eq!(put_as_admin(&served, "").await.status, 200);
    go.add_permits(1000);
    let end = Instant::now() + Duration::from_secs(20);
    while keystone.calls(ASKED) < 101 || ask(101).await.status == 503 {
        assert!(Instant::now() < end, "those who waited have been asked about");
        tokio::task::yield_now().await;
    }
}

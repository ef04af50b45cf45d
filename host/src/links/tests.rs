use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::put;
use axum::{Json, Router};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::*;
use crate::keystone::fake::{Fake, with_token};

/// A setpass elsewhere that gives the PIN back as the token, and takes its time.
async fn elsewhere() -> (tempfile::TempDir, Fake, Links) {
    let give = async |Json(body): Json<Value>| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        format!("token-{}", body["pin"].as_str().unwrap_or("renewed"))
    };
    let fake = Fake::start(with_token().merge(Router::new().route("/token/{id}", put(give)))).await;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
    let clock = Clock::manual("2026-11-22T08:00:00Z".parse().unwrap());
    let bearer = fake.keystone().bearer(None, Duration::from_secs(5), 0, clock.clone()).unwrap();
    let links = Links::Elsewhere(Elsewhere {
        remote: RemoteSetpass::at(fake.url().parse().unwrap(), bearer),
        database,
        clock,
        public_url: "https://setpass.example.org/old".parse().unwrap(),
        lifetime: Duration::from_secs(3600),
        turn: Duration::from_secs(60),
    });
    (folder, fake, links)
}

#[tokio::test]
async fn a_link_from_elsewhere_has_its_token_the_public_url_and_the_lifetime_that_is_set() {
    let (_folder, _fake, links) = elsewhere().await;
    let (password, pin) = ("first".into(), "4711".into());
    let registration = Registration { user_id: "u1", password: Some(&password), pin: Some(Pin::Clear(&pin)) };
    let link = links.prepare(registration).await.unwrap();
    let issued = link.issued();
    assert_eq!(issued.url.expose_secret(), "https://setpass.example.org/old?token=token-4711");
    assert_eq!(issued.expires.to_string(), "2026-11-22T09:00:00Z");
    assert_eq!(links.renew("u1").await.unwrap().token.expose_secret(), "token-renewed");
}

#[tokio::test]
async fn a_pin_that_is_none_or_only_a_hash_is_not_sent_anywhere() {
    let (_folder, fake, links) = elsewhere().await;
    let pin = "47a1".into();
    for (pin, told) in [(Pin::Clear(&pin), "digits"), (Pin::Hash("abc"), "only a hash of the PIN")] {
        let refused = links.prepare(Registration { user_id: "u1", password: None, pin: Some(pin) }).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert_eq!(fake.calls("PUT /token/u1"), 0);
}

#[tokio::test]
async fn whoever_registers_a_user_elsewhere_has_a_turn_and_other_users_do_not_wait_for_it() {
    let (_folder, _fake, links) = elsewhere().await;
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = async || {
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        inside.fetch_sub(1, Ordering::SeqCst);
        Err::<(), _>(LinkError::HashedPin)
    };
    // A turn ends also with a failure.
    let turns = tokio::join!(links.alone("u1", work()), links.alone("u1", work()), links.alone("u1", work()));
    assert!(matches!(
        turns,
        (Err(LinkError::HashedPin), Err(LinkError::HashedPin), Err(LinkError::HashedPin))
    ));
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let _ = tokio::join!(links.alone("u1", work()), links.alone("u2", work()));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::put;
use axum::{Json, Router};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::*;
use crate::database::MailState;
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

/// A link that is asked for in a turn.
async fn prepared(links: &Links, registration: Registration<'_>) -> Result<PreparedLink, LinkError> {
    let registration = &registration;
    let Registration { user_id, password, .. } = *registration;
    let prepare = |turn| async move {
        let pin = match &registration.pin {
            Some(Pin::Clear(pin)) => Some(Pin::Clear(pin)),
            Some(Pin::Hash(hash)) => Some(Pin::Hash(hash)),
            None => None,
        };
        links.prepare(Registration { user_id, password, pin }, &turn).await
    };
    links.alone(user_id, prepare).await
}

fn renewal() -> Registration<'static> {
    Registration { user_id: "u1", password: None, pin: None }
}

/// Has the user's turn end, and somebody else register the user.
async fn another_process_comes(links: &Links) {
    let Links::Elsewhere(elsewhere) = links else { panic!("links are from here") };
    elsewhere.clock.advance(jiff::SignedDuration::from_secs(61));
    links.renew("u1").await.unwrap();
}

async fn record(links: &Links, link: &PreparedLink) -> Result<(), LinkError> {
    let Links::Elsewhere(elsewhere) = links else { panic!("links are from here") };
    let mut tx = elsewhere.database.begin().await?;
    link.record(&mut tx).await?;
    tx.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

#[tokio::test]
async fn a_link_from_elsewhere_has_its_token_the_public_url_and_the_lifetime_that_is_set() {
    let (_folder, _fake, links) = elsewhere().await;
    let (password, pin) = ("first".into(), "4711".into());
    let registration = Registration { user_id: "u1", password: Some(&password), pin: Some(Pin::Clear(&pin)) };
    let link = prepared(&links, registration).await.unwrap();
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
        let refused = prepared(&links, Registration { user_id: "u1", password: None, pin: Some(pin) }).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert_eq!(fake.calls("PUT /token/u1"), 0);
}

#[tokio::test]
async fn whoever_registers_a_user_elsewhere_has_a_turn_and_other_users_do_not_wait_for_it() {
    let (_folder, _fake, links) = elsewhere().await;
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |_: Turn| async {
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        inside.fetch_sub(1, Ordering::SeqCst);
        Err::<(), _>(LinkError::HashedPin)
    };
    // A turn ends also with a failure.
    let turns = tokio::join!(links.alone("u1", work), links.alone("u1", work), links.alone("u1", work));
    assert!(matches!(
        turns,
        (Err(LinkError::HashedPin), Err(LinkError::HashedPin), Err(LinkError::HashedPin))
    ));
    assert_eq!(most.load(Ordering::SeqCst), 1);
    // Each of these ends only when the other one is there.
    let both = tokio::sync::Barrier::new(2);
    let meeting = |_: Turn| async {
        both.wait().await;
        Err::<(), _>(LinkError::HashedPin)
    };
    let met = async { tokio::join!(links.alone("u1", meeting), links.alone("u2", meeting)) };
    assert!(tokio::time::timeout(Duration::from_secs(30), met).await.is_ok(), "users wait for one another");
}

#[tokio::test]
async fn a_turn_that_was_overslept_is_not_used_and_another_is_taken() {
    let (_folder, fake, links) = elsewhere().await;
    let turns = AtomicUsize::new(0);
    let doubts = AtomicUsize::new(0);
    let (links, counted, doubted) = (&links, &turns, &doubts);
    let work = |turn: Turn| async move {
        doubted.fetch_add(usize::from(turn.is_in_doubt()), Ordering::SeqCst);
        if counted.fetch_add(1, Ordering::SeqCst) == 0 {
            another_process_comes(links).await;
        }
        let link = links.prepare(renewal(), &turn).await?;
        record(links, &link).await
    };
    links.alone("u1", work).await.unwrap();
    // The other one's, and that of the second turn. Nothing was asked for in the first.
    assert_eq!((turns.load(Ordering::SeqCst), fake.calls("PUT /token/u1")), (2, 2));
    assert_eq!(doubts.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_was_asked_for_in_a_turn_that_was_overslept_is_not_recorded_and_known_to_be_in_doubt() {
    let (_folder, fake, links) = elsewhere().await;
    let turns = AtomicUsize::new(0);
    let (links, counted) = (&links, &turns);
    let work = |turn: Turn| async move {
        let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        assert_eq!(turn.is_in_doubt(), !is_first);
        let link = links.prepare(renewal(), &turn).await?;
        if is_first {
            another_process_comes(links).await;
            assert!(matches!(links.check(&turn).await, Err(LinkError::TurnLost)));
        }
        record(links, &link).await
    };
    links.alone("u1", work).await.unwrap();
    assert_eq!((turns.load(Ordering::SeqCst), fake.calls("PUT /token/u1")), (2, 3));
}

#[tokio::test]
async fn a_link_from_elsewhere_that_is_recorded_takes_the_mail_with_the_one_before_out_of_the_queue() {
    let (_folder, _fake, links) = elsewhere().await;
    let Links::Elsewhere(Elsewhere { database, clock, .. }) = &links else { panic!("links are from here") };
    let mut tx = database.begin().await.unwrap();
    for user in ["u1", "u2"] {
        let link = Some((user, clock.now()));
        Database::add_mail(&mut tx, user, "password", b"sealed", clock.now(), link).await.unwrap();
    }
    tx.commit().await.unwrap();
    let work = |turn: Turn| {
        let links = &links;
        async move { record(links, &links.prepare(renewal(), &turn).await?).await }
    };
    links.alone("u1", work).await.unwrap();
    let waiting = database.mails_in(&[MailState::Queued]).await.unwrap();
    assert_eq!(waiting.iter().map(|mail| mail.origin.as_str()).collect::<Vec<_>>(), ["u2"]);
}

#[tokio::test]
async fn a_turn_that_is_lost_each_time_is_given_up() {
    let (_folder, _fake, links) = elsewhere().await;
    let turns = AtomicUsize::new(0);
    let (links, counted) = (&links, &turns);
    let work = |turn: Turn| async move {
        counted.fetch_add(1, Ordering::SeqCst);
        another_process_comes(links).await;
        links.prepare(renewal(), &turn).await.map(|_| ())
    };
    assert!(matches!(links.alone("u1", work).await, Err(LinkError::TurnLost)));
    assert_eq!(turns.load(Ordering::SeqCst), 3);
}

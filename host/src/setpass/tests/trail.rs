//! The audit trail.

use super::*;
use crate::setpass::fixture::{CLIENT, token_hash};

/// What is on record of the user: the events with what they say besides.
async fn trail(fixture: &Fixture) -> Vec<String> {
    let events = fixture.database.setpass_events(USER, 100).await.unwrap();
    events.iter().map(|event| format!("{} {}", event.event, event.detail).trim().to_owned()).collect()
}

#[tokio::test]
async fn issue_attempt_lock_success_and_expiry_are_on_record_without_secrets() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await.unwrap_err();
    fixture.redeem(&link.token, PIN, WEAK_PASSWORD).await.unwrap_err();
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    let expected = ["issued", "tried", "tried", "not-set refused by Keystone", "tried", "password-set"];
    assert_eq!(trail(&fixture).await, expected);

    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());
    let locked = fixture.link().await;
    for _ in 0..6 {
        fixture.redeem(&locked.token, WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    let expected = ["issued", "tried", "tried", "tried", "tried", "tried", "locked"];
    assert_eq!(trail(&fixture).await[6..], expected);

    let expired = fixture.link().await;
    fixture.clock.advance(SignedDuration::from_mins(60));
    fixture.setpass.sweep().await.unwrap();
    assert_eq!(trail(&fixture).await[13..], ["issued", "expired"]);

    let events = fixture.database.setpass_events(USER, 100).await.unwrap();
    let name = |link: &IssuedToken| hex::encode(&token_hash(&link.token)[..6]);
    for (position, event) in events.iter().enumerate() {
        let of = if position < 6 {
            &link
        } else if position < 13 {
            &locked
        } else {
            &expired
        };
        assert_eq!(event.link, name(of), "{position}: {event:?}");
        // Who asked is named by a pseudonym where somebody asked.
        let from_somebody = matches!(event.event.as_str(), "tried" | "not-set" | "password-set" | "locked");
        assert_eq!(event.client.len(), if from_somebody { 16 } else { 0 }, "{event:?}");
    }
    for secret in [RANDOM_PASSWORD, CHOSEN, WEAK_PASSWORD, text(&link.token), CLIENT] {
        assert!(!format!("{events:?}").contains(secret) && !fixture.is_on_disk(secret), "{secret}");
    }
    assert!(!format!("{events:?}").contains(PIN) && !format!("{events:?}").contains(WRONG_PIN));
}

#[tokio::test]
async fn a_try_that_is_turned_away_is_counted_and_fills_no_table() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    for _ in 0..3 {
        fixture.redeem(&"a guess".into(), PIN, CHOSEN).await.unwrap_err();
    }
    fixture.clock.advance(SignedDuration::from_mins(60));
    for _ in 0..2 {
        fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
    }
    let counted = fixture.database.turned_away().await.unwrap();
    assert_eq!(counted, [("expired".to_owned(), 2), ("unknown".to_owned(), 3)]);
}

#[tokio::test]
async fn the_settings_decide_what_is_recorded_of_a_client_and_for_how_long() {
    let fixture = Fixture::new().await;
    let recorded = async |client: &str| {
        let link = fixture.link().await;
        let settings = settings::setpass::Setpass {
            audit_client: toml::from_str::<BTreeMap<String, settings::setpass::RecordedClient>>(&format!(
                "client = \"{client}\""
            ))
            .unwrap()["client"],
            audit_retention: Duration::from_secs(86_400),
            ..settings()
        };
        let (database, keys, clock) = (&fixture.database, &fixture.keys, &fixture.clock);
        let setpass = Setpass::new(database.clone(), keys.clone(), clock.clone(), &settings, SITE);
        setpass.redeem(&fixture.keystone, &redemption(&link.token, WRONG_PIN, CHOSEN)).await.unwrap_err();
        let last = database.setpass_events(USER, 1).await.unwrap().remove(0).client;
        (setpass, last)
    };
    assert_eq!(recorded("address").await.1, CLIENT);
    assert_eq!(recorded("nothing").await.1, "");
    let (setpass, pseudonym) = recorded("pseudonym").await;
    assert_eq!(pseudonym, recorded("pseudonym").await.1, "the same for the same client");
    fixture.clock.advance(SignedDuration::from_hours(24));
    setpass.sweep().await.unwrap();
    // What the sweep itself did is on record, and what was a day ago has been kept until now.
    assert!(trail(&fixture).await.contains(&"tried".to_owned()));
    fixture.clock.advance(SignedDuration::from_millis(1));
    setpass.sweep().await.unwrap();
    assert_eq!(trail(&fixture).await, ["expired"]);
}

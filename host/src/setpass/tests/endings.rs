//! What is left of a link that was used, is locked or has ended.

use super::*;
use crate::database::Attempt;
use crate::setpass::fixture::token_hash;

#[tokio::test]
async fn what_is_known_of_a_link_outlives_it_for_the_retention_and_no_longer() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.clock.advance(RETENTION - SignedDuration::from_millis(1));
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept { destroyed: 1, forgotten: 0 });
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Expired)));
    fixture.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept { destroyed: 0, forgotten: 1 });
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
}

/// How many sealed passwords and hashed PINs are stored.
async fn stored(fixture: &Fixture) -> (u64, u64) {
    let protected = fixture.database.protected_by_keys().await.unwrap();
    protected.values().fold((0, 0), |(secrets, pins), key| (secrets + key.secrets, pins + key.pins))
}

#[tokio::test]
async fn the_random_password_and_the_pin_are_destroyed_on_success_expiry_and_lock() {
    let fixture = Fixture::new().await;
    let used = fixture.link().await;
    assert_eq!(stored(&fixture).await, (1, 1), "what is counted is there");
    fixture.redeem(&used.token, PIN, CHOSEN).await.unwrap();
    assert_eq!(stored(&fixture).await, (0, 0), "used");
    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());

    let locked = fixture.link().await;
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(stored(&fixture).await, (1, 1), "{left} are left");
        let tried = fixture.redeem(&locked.token, WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { left: l }) if l == left), "{tried:?}");
    }
    assert_eq!(stored(&fixture).await, (0, 0), "locked");
    assert!(matches!(fixture.redeem(&locked.token, PIN, CHOSEN).await, Err(RedeemError::Locked)));

    let expired = fixture.link().await;
    fixture.clock.advance(SignedDuration::from_mins(60) - SignedDuration::from_millis(1));
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept::default());
    fixture.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept { destroyed: 1, forgotten: 0 });
    assert_eq!(stored(&fixture).await, (0, 0), "expired");
    assert!(matches!(fixture.redeem(&expired.token, PIN, CHOSEN).await, Err(RedeemError::Expired)));
}

#[tokio::test]
async fn a_link_that_has_ended_or_is_locked_cannot_be_renewed_and_another_can_be_issued() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.clock.advance(SignedDuration::from_mins(60));
    // Also before anybody has swept.
    assert!(matches!(fixture.setpass.renew(USER).await, Err(SetpassError::UnknownUser(_))));
    fixture.setpass.sweep().await.unwrap();
    assert!(matches!(fixture.setpass.renew(USER).await, Err(SetpassError::UnknownUser(_))));
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Expired)));

    let link = fixture.link().await;
    for _ in 0..5 {
        fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    assert!(matches!(fixture.setpass.renew(USER).await, Err(SetpassError::UnknownUser(_))));
    // Half of what is needed does not bring a link back to life.
    for (password, pin) in [(Some("p".into()), None), (None, Some(PIN.into()))] {
        let (password, pin): (Option<SecretString>, Option<SecretString>) = (password, pin);
        let registration =
            Registration { user_id: USER, password: password.as_ref(), pin: pin.as_ref().map(Pin::Clear) };
        let mut tx = fixture.database.begin().await.unwrap();
        let registered = fixture.setpass.register(&mut tx, registration).await;
        assert!(matches!(registered, Err(SetpassError::UnknownUser(_))));
    }
    let whole = fixture.link().await;
    fixture.redeem(&whole.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_a_dying_process_left_undone_is_made_up_for() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (token_hash, limits) = (token_hash(&link.token), AttemptLimits { per_link: 5, per_window: 8 });
    for _ in 0..5 {
        // Counted, and never compared.
        let attempt = Attempt { token_hash: &token_hash, now: fixture.clock.now(), limits, client: None };
        fixture.database.count_attempt(&attempt).await.unwrap();
    }
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept::default(), "somebody may still be comparing");
    fixture.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept { destroyed: 1, forgotten: 0 });
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Locked)));
}

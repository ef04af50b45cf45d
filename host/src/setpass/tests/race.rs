//! Right PINs among wrong ones, at once.

use super::super::Asker;
use super::*;
use crate::database::statements::recorded;
use crate::database::{Attempt, AttemptStart, Claim, CountedAttempt, Unset};
use crate::setpass::fixture::{redemption, token_hash};

/// An attempt with the right PIN that was counted and is still being compared while four wrong ones lock the link.
async fn overtaken(fixture: &Fixture, link: &IssuedToken) -> CountedAttempt {
    let limits = AttemptLimits { per_link: 5, per_window: 8 };
    let (hash, now) = (token_hash(&link.token), fixture.clock.now());
    let attempt = Attempt { token_hash: &hash, now, limits, client: None };
    let counted = fixture.database.count_attempt(&attempt).await.unwrap();
    let AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    for _ in 0..4 {
        fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    let tried = fixture.redeem(&link.token, PIN, CHOSEN).await;
    assert!(matches!(tried, Err(RedeemError::Locked)), "{tried:?}");
    attempt
}

#[tokio::test]
async fn a_right_pin_that_was_counted_makes_its_change_though_wrong_ones_lock_the_link_meanwhile() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let attempt = overtaken(&fixture, &link).await;
    let now = fixture.clock.now();
    let until = now + SignedDuration::from_mins(5);
    let claim = fixture.database.claim_change(&attempt, b"drawn", now, until, now).await.unwrap();
    let Claim::Granted(claim) = claim else { panic!("{claim:?}") };
    let opened = fixture.keys.open(&password_purpose(USER), &claim.password).unwrap();
    assert_eq!(*opened, *RANDOM_PASSWORD.as_bytes());
    // What Keystone refuses gives the attempt back, and there is one more, and no more than that.
    fixture.database.give_attempt_back(&attempt, Unset::NotMade, now, "refused by Keystone").await.unwrap();
    let wrong = fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await;
    assert!(matches!(wrong, Err(RedeemError::WrongPin { left: 0 })), "{wrong:?}");
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Locked)));
}

#[tokio::test]
async fn a_refused_password_by_a_right_pin_leaves_a_link_usable_that_wrong_ones_locked_meanwhile() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let attempt = overtaken(&fixture, &link).await;
    let now = fixture.clock.now();
    fixture.database.give_attempt_back(&attempt, Unset::NotBegun, now, "password too easy").await.unwrap();
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    assert_eq!(fixture.password(), CHOSEN);
}

#[tokio::test]
async fn a_link_that_has_ended_begins_no_change_and_its_secrets_do_not_come_back() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let attempt = overtaken(&fixture, &link).await;
    fixture.clock.advance(SignedDuration::from_hours(1));
    let now = fixture.clock.now();
    let claim = fixture.database.claim_change(&attempt, b"drawn", now, now, now).await.unwrap();
    assert_eq!(claim, Claim::Gone);
    fixture.database.give_attempt_back(&attempt, Unset::NotBegun, now, "password too easy").await.unwrap();
    assert!(fixture.database.protected_by_keys().await.unwrap().is_empty());
}

/// Whichever PINs come to be counted first: where a right one is among them, the password is set once, and where none
/// is, it is not set, and no more are compared than the limit.
#[tokio::test]
async fn of_many_pins_at_once_a_right_one_that_is_counted_sets_the_password_and_otherwise_none_does() {
    const LIMIT: usize = 20;
    let fixture = Fixture::for_many_tries().await;
    let mut seen = BTreeMap::<usize, usize>::new();
    for round in 0..24 {
        let user = format!("user {round}");
        fixture.identity.lock().unwrap().passwords.insert(user.clone(), RANDOM_PASSWORD.to_owned());
        let link = fixture.link_of(&user).await;
        // From no right PIN and one among sixty, anywhere, to one in two.
        let every = [60, 20, 7, 2][round % 4];
        let tries = (0..60).map(|number| {
            let is_right = round > 0 && number % every == (round * 5) % every;
            let pin = if is_right { PIN } else { WRONG_PIN };
            fixture.redeem(&link.token, pin, CHOSEN)
        });
        let outcomes = futures::future::join_all(tries).await;
        let wrong = outcomes.iter().filter(|o| matches!(o, Err(RedeemError::WrongPin { .. }))).count();
        let set = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!(wrong <= LIMIT, "{wrong} wrong PINs were compared");
        assert_eq!(set, usize::from(wrong < LIMIT), "round {round}, {wrong} wrong: {outcomes:?}");
        let password = fixture.identity.lock().unwrap().passwords[&user].clone();
        assert_eq!(password == CHOSEN, set == 1);
        *seen.entry(set).or_default() += 1;
    }
    assert_eq!(fixture.identity.lock().unwrap().changes, seen.get(&1).copied().unwrap_or(0));
    assert_eq!(seen.len(), 2, "both happened: {seen:?}");
}

/// Strangers' PINs wait in a queue of a certain length; those who register users do not stand in it.
#[tokio::test]
async fn no_more_pins_of_strangers_wait_than_there_are_places_and_one_that_does_not_costs_no_attempt() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let hashing = &fixture.setpass.inner.hashing;
    let places: Vec<_> = (0..hashing::QUEUE_LENGTH).map(|_| hashing.queue().unwrap()).collect();
    let (client, wrong) = ([192, 0, 2, 1].into(), redemption(&link.token, WRONG_PIN, CHOSEN));
    for _ in 0..6 {
        let (turned_away, statements) =
            recorded(fixture.setpass.redeem_for(client, &fixture.keystone, &wrong)).await;
        assert!(
            matches!(turned_away, Err(RedeemError::Setpass(SetpassError::Overloaded))),
            "{turned_away:?}"
        );
        assert!(statements.is_empty(), "the database is not kept busy: {statements:?}");
    }
    let asker = Asker { name: String::new(), email: "user@example.org".to_owned() };
    let (turned_away, statements) =
        recorded(fixture.setpass.ask_from(client, &asker, &"830274".into(), None)).await;
    assert!(matches!(turned_away, Err(SetpassError::Overloaded)), "{turned_away:?}");
    assert!(statements.is_empty(), "nor by who asks for a link: {statements:?}");
    fixture.setpass.hash_pin(&PIN.into()).await.unwrap();
    drop(places);
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
}

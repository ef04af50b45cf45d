use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::fixture::{
    Fixture, PIN, RANDOM_PASSWORD, REFUSAL, SITE, USER, WEAK_PASSWORD, WRONG_PIN, redemption, settings, text,
};
use super::*;
use crate::database::MailState;

mod endings;
mod previous_gone;
mod race;
mod refused;
mod replaced;
mod reset;
mod trail;

const CHOSEN: &str = "correct horse battery staple";

#[tokio::test]
async fn a_link_and_its_pin_set_the_password_once() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    assert_eq!(fixture.password(), CHOSEN);
    let again = fixture.redeem(&link.token, PIN, "another password").await;
    assert!(matches!(again, Err(RedeemError::Unknown)), "{again:?}");
    assert_eq!(fixture.password(), CHOSEN);
}

#[tokio::test]
async fn a_link_starts_with_the_public_url_and_ends_after_its_lifetime() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    assert_eq!(text(&link.url), format!("https://cloud.example.org/setpass/?token={}", text(&link.token)));
    fixture.clock.advance(SignedDuration::from_mins(60) - SignedDuration::from_millis(1));
    assert!(matches!(
        fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await,
        Err(RedeemError::WrongPin { left: 4 })
    ));
    fixture.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(fixture.clock.now(), link.expires);
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Expired)));
    assert_eq!(fixture.password(), RANDOM_PASSWORD);
}

#[tokio::test]
async fn of_two_hundred_attempts_at_once_exactly_the_limit_are_compared() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    // Two services on the same records, as two processes would be.
    let second = Setpass::new(
        Database::open(&fixture.folder.path().join("usher.sqlite")).await.unwrap(),
        fixture.keys.clone(),
        fixture.clock.clone(),
        &settings(),
        SITE,
    );
    let attempts = (0..200).map(|number| {
        let setpass = if number % 2 == 0 { &fixture.setpass } else { &second };
        let (token, keystone) = (&link.token, &fixture.keystone);
        async move {
            let pin = format!("{:04}", 1000 + number);
            match setpass.redeem(keystone, &redemption(token, &pin, CHOSEN)).await.unwrap_err() {
                RedeemError::WrongPin { left } => format!("compared, {left} left"),
                other => other.to_string(),
            }
        }
    });
    let mut outcomes = BTreeMap::<String, usize>::new();
    for outcome in futures::future::join_all(attempts).await {
        *outcomes.entry(outcome).or_default() += 1;
    }
    let expected = [0, 1, 2, 3, 4].map(|left| (format!("compared, {left} left"), 1));
    let locked = (RedeemError::Locked.to_string(), 195);
    assert_eq!(outcomes, expected.into_iter().chain([locked]).collect());
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Locked)));
}

#[tokio::test]
async fn another_link_does_not_reset_what_was_tried_for_the_user_that_day() {
    let fixture = Fixture::new().await;
    let first = fixture.link().await;
    for _ in 0..5 {
        let tried = fixture.redeem(&first.token, WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { .. })), "{tried:?}");
    }
    let second = fixture.link().await;
    for left in [2, 1, 0] {
        let tried = fixture.redeem(&second.token, WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { left: l }) if l == left), "{tried:?}");
    }
    let tried = fixture.redeem(&second.token, PIN, CHOSEN).await;
    assert!(matches!(tried, Err(RedeemError::LockedForToday)), "{tried:?}");
    let third = fixture.link().await;
    assert!(matches!(fixture.redeem(&third.token, PIN, CHOSEN).await, Err(RedeemError::LockedForToday)));

    fixture.clock.advance(SignedDuration::from_hours(24));
    let tomorrow = fixture.link().await;
    fixture.redeem(&tomorrow.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn only_the_newest_link_works_and_it_keeps_what_is_left_out() {
    let fixture = Fixture::new().await;
    let first = fixture.link().await;
    let pin = SecretString::from("5823");
    let registration = Registration { user_id: USER, password: None, pin: Some(Pin::Clear(&pin)) };
    let mut tx = fixture.database.begin().await.unwrap();
    let second = fixture.setpass.register(&mut tx, registration).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(fixture.redeem(&first.token, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
    assert!(matches!(fixture.redeem(&second.token, PIN, CHOSEN).await, Err(RedeemError::WrongPin { .. })));
    let third = fixture.setpass.renew(USER).await.unwrap();
    fixture.redeem(&third.token, "5823", CHOSEN).await.unwrap();
}

#[tokio::test]
async fn a_link_that_is_not_committed_does_not_exist() {
    let fixture = Fixture::new().await;
    let kept = fixture.link().await;
    let mut tx = fixture.database.begin().await.unwrap();
    let registration = Registration { user_id: USER, password: None, pin: None };
    let dropped = fixture.setpass.register(&mut tx, registration).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(matches!(fixture.redeem(&dropped.token, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
    fixture.redeem(&kept.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn an_unknown_user_needs_password_and_pin() {
    let fixture = Fixture::new().await;
    let (password, pin) = (SecretString::from("p"), SecretString::from(PIN));
    for (password, pin) in [(None, None), (Some(&password), None), (None, Some(Pin::Clear(&pin)))] {
        let mut tx = fixture.database.begin().await.unwrap();
        let registered =
            fixture.setpass.register(&mut tx, Registration { user_id: "stranger", password, pin }).await;
        assert!(matches!(registered, Err(SetpassError::UnknownUser(_))));
    }
    let mut tx = fixture.database.begin().await.unwrap();
    let registration =
        Registration { user_id: USER, password: None, pin: Some(Pin::Clear(&SecretString::from("12a4"))) };
    let registered = fixture.setpass.register(&mut tx, registration).await;
    assert!(matches!(registered, Err(SetpassError::InvalidPin(_))));
}

#[tokio::test]
async fn what_keystone_refuses_costs_no_attempt_and_the_link_stays_usable() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    for _ in 0..12 {
        let refused = fixture.redeem(&link.token, PIN, WEAK_PASSWORD).await;
        assert!(matches!(&refused, Err(RedeemError::Refused(words)) if words == REFUSAL), "{refused:?}");
    }
    fixture.identity.lock().unwrap().down = true;
    for _ in 0..6 {
        let failed = fixture.redeem(&link.token, PIN, CHOSEN).await;
        assert!(matches!(failed, Err(RedeemError::Keystone(_))), "{failed:?}");
    }
    fixture.identity.lock().unwrap().down = false;
    assert!(matches!(
        fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await,
        Err(RedeemError::WrongPin { left: 4 })
    ));
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_recognised() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().loses_answers = true;
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Keystone(_))));
    assert_eq!(fixture.password(), CHOSEN);
    fixture.identity.lock().unwrap().loses_answers = false;
    for _ in 0..2 {
        let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
        assert!(matches!(told, Err(RedeemError::PerhapsChanged)), "{told:?}");
    }
    // A renewed link knows it too; one for another random password does not have to.
    let renewed = fixture.setpass.renew(USER).await.unwrap();
    assert!(matches!(fixture.redeem(&renewed.token, PIN, CHOSEN).await, Err(RedeemError::PerhapsChanged)));
    let replaced = fixture.link().await;
    let told = fixture.redeem(&replaced.token, PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::ChangedElsewhere { is_last: false })), "{told:?}");
}

#[tokio::test]
async fn of_many_right_requests_at_once_one_sets_the_password() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let tries = (0..4).map(|number| {
        let (fixture, token) = (&fixture, &link.token);
        async move { (number, fixture.redeem(token, PIN, &format!("chosen {number}")).await) }
    });
    let outcomes = futures::future::join_all(tries).await;
    let winners: Vec<_> =
        outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(number, _)| *number).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(fixture.password(), format!("chosen {}", winners[0]));
    assert_eq!(fixture.identity.lock().unwrap().changes, 1);
    let told = |outcome: &Result<(), RedeemError>| {
        matches!(outcome, Ok(()) | Err(RedeemError::Busy | RedeemError::Unknown))
    };
    assert!(outcomes.iter().all(|(_, outcome)| told(outcome)), "{outcomes:?}");
}

#[tokio::test]
async fn a_link_that_is_recorded_takes_the_mail_with_the_one_before_out_of_the_queue() {
    let fixture = Fixture::new().await;
    let (database, now) = (&fixture.database, fixture.clock.now());
    fixture.link().await;
    let mut tx = database.begin().await.unwrap();
    for user in [USER, "another"] {
        Database::add_mail(&mut tx, user, "password", b"sealed", now, Some((user, now))).await.unwrap();
    }
    tx.commit().await.unwrap();
    fixture.setpass.renew(USER).await.unwrap();
    let waiting = database.mails_in(&[MailState::Queued]).await.unwrap();
    assert_eq!(waiting.iter().map(|mail| mail.origin.as_str()).collect::<Vec<_>>(), ["another"]);
}

#[tokio::test]
async fn a_change_goes_on_when_nobody_waits_for_it_any_more() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let redeem = fixture.redeem(&link.token, PIN, CHOSEN);
    // Long enough to begin, too short for the PIN to be hashed.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), redeem).await.is_err());
    fixture.setpass.settle().await;
    assert_eq!(fixture.password(), CHOSEN);
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
}

#[tokio::test]
async fn no_secret_reaches_the_disk_in_clear() {
    let fixture = Fixture::new().await;
    let pin = SecretString::from("830274615");
    let password = SecretString::from(RANDOM_PASSWORD);
    let registration = Registration { user_id: USER, password: Some(&password), pin: Some(Pin::Clear(&pin)) };
    let mut tx = fixture.database.begin().await.unwrap();
    let link = fixture.setpass.register(&mut tx, registration).await.unwrap();
    tx.commit().await.unwrap();
    let look = |moment: &str| {
        assert!(fixture.is_on_disk(USER), "the search finds what is there");
        for secret in [RANDOM_PASSWORD, text(&pin), &text(&link.token)[..16], CHOSEN, "774411"] {
            assert!(!fixture.is_on_disk(secret), "{secret} is on disk {moment}");
        }
    };
    look("after the registration");
    let _ = fixture.redeem(&link.token, "774411", CHOSEN).await;
    let _ = fixture.redeem(&link.token, text(&pin), WEAK_PASSWORD).await;
    look("after wrong tries");
    fixture.redeem(&link.token, text(&pin), CHOSEN).await.unwrap();
    look("after the change");
}

#[tokio::test]
async fn a_stored_password_copied_to_another_user_does_not_open() {
    let fixture = Fixture::new().await;
    let sealed = fixture.keys.seal(&password_purpose(USER), b"secret");
    fixture.keys.open(&password_purpose(USER), &sealed).unwrap();
    assert!(fixture.keys.open(&password_purpose("other"), &sealed).is_err());
}

#[tokio::test]
async fn what_cannot_be_a_password_costs_no_attempt_and_reaches_nobody() {
    use UnusablePassword as U;
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    for _ in 0..3 {
        for (password, why) in [
            ("short", U::TooShort { shortest: SHORTEST_PASSWORD }),
            ("password1", U::Common),
            ("Example Cloud 1", U::Name),
            ("with\0nul inside", U::ControlCharacter),
            ("User@mail.example.org", U::Name),
        ] {
            let refused = fixture.redeem(&link.token, PIN, password).await;
            assert!(matches!(refused, Err(RedeemError::UnusablePassword(w)) if w == why), "{refused:?}");
        }
    }
    // Before the PIN is right, nobody learns whose name it is that cannot be a password.
    let wrong = fixture.redeem(&link.token, WRONG_PIN, "User@mail.example.org").await;
    assert!(matches!(wrong, Err(RedeemError::WrongPin { left: 4 })), "{wrong:?}");
    assert_eq!(fixture.identity.lock().unwrap().changes, 0);
    fixture.redeem(&link.token, PIN, "  ein Satz mit Ü und 🐎 ").await.unwrap();
    assert_eq!(fixture.password(), "  ein Satz mit Ü und 🐎 ", "as it was typed");
}

//! Links that users asked for, and limits for clients.

use std::net::IpAddr;
use std::time::Duration;

use jiff::SignedDuration;

use super::super::fixture::{
    CLIENT, Fixture, PIN, RANDOM_PASSWORD, USER, WEAK_PASSWORD, WRONG_PIN, redemption, text, token_hash,
};
use super::super::{ClientCount, IssuedToken, RETENTION, RedeemError, Redemption};
use crate::database::{Attempt, AttemptLimits, AttemptStart, Swept, Unset};

const CHOSEN: &str = "correct horse battery staple";
const RESET_PIN: &str = "830274";
const OTHER_PIN: &str = "472915";

async fn redeem(fixture: &Fixture, link: &IssuedToken, pin: &str, password: &str) -> Result<(), RedeemError> {
    fixture.redeem(&link.token, pin, password).await
}

fn administrative_changes(fixture: &Fixture) -> usize {
    fixture.identity.lock().unwrap().administrative_changes
}

#[tokio::test]
async fn the_present_password_stays_until_the_link_is_used_with_its_pin() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    for _ in 0..2 {
        let tried = redeem(&fixture, link.issued(), WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { .. })), "{tried:?}");
    }
    assert_eq!((fixture.password().as_str(), administrative_changes(&fixture)), (RANDOM_PASSWORD, 0));
    redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await.unwrap();
    assert_eq!(fixture.password(), CHOSEN);
    let again = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(again, Err(RedeemError::Unknown)), "{again:?}");
}

/// A stranger cannot take the welcome link of a newcomer away, nor the link that somebody asked for, by asking too.
#[tokio::test]
async fn a_link_that_is_asked_for_ends_no_other_and_the_first_that_is_used_ends_all() {
    let fixture = Fixture::new().await;
    let welcome = fixture.link().await;
    let own = fixture.reset_link(RESET_PIN).await;
    let strangers = fixture.reset_link(OTHER_PIN).await;
    let tried = redeem(&fixture, own.issued(), OTHER_PIN, CHOSEN).await;
    assert!(matches!(tried, Err(RedeemError::WrongPin { .. })), "each link has its own PIN: {tried:?}");
    redeem(&fixture, &welcome, PIN, CHOSEN).await.unwrap();
    for (link, pin) in [(&own, RESET_PIN), (&strangers, OTHER_PIN)] {
        let used = redeem(&fixture, link.issued(), pin, "another one").await;
        assert!(matches!(used, Err(RedeemError::Unknown)), "{used:?}");
    }
    assert_eq!((fixture.password().as_str(), administrative_changes(&fixture)), (CHOSEN, 0));

    let welcome = fixture.link().await;
    let own = fixture.reset_link(RESET_PIN).await;
    redeem(&fixture, own.issued(), RESET_PIN, "yet another").await.unwrap();
    let used = redeem(&fixture, &welcome, PIN, "one more").await;
    assert!(matches!(used, Err(RedeemError::Unknown)), "{used:?}");
    assert_eq!(fixture.password(), "yet another");
}

#[tokio::test]
async fn a_new_registration_ends_the_links_that_were_asked_for() {
    let fixture = Fixture::new().await;
    let asked = fixture.reset_link(RESET_PIN).await;
    let registered = fixture.link().await;
    let used = redeem(&fixture, asked.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(used, Err(RedeemError::Unknown)), "{used:?}");
    redeem(&fixture, &registered, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn what_keystone_refuses_leaves_the_link_and_sets_no_second_random_password() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    for _ in 0..7 {
        let refused = redeem(&fixture, link.issued(), RESET_PIN, WEAK_PASSWORD).await;
        assert!(
            matches!(&refused, Err(RedeemError::PreviousGone(why)) if matches!(**why, RedeemError::Refused(_))),
            "{refused:?}"
        );
    }
    assert_eq!(administrative_changes(&fixture), 1, "Keystone's history is not filled with random passwords");
    redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await.unwrap();
    assert_eq!(fixture.password(), CHOSEN);
}

#[tokio::test]
async fn a_failing_keystone_costs_no_attempt_and_a_lost_answer_is_recognised() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    fixture.identity.lock().unwrap().down = true;
    for _ in 0..6 {
        let failed = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
        assert!(matches!(failed, Err(RedeemError::Keystone(_))), "{failed:?}");
    }
    assert_eq!(fixture.password(), RANDOM_PASSWORD);
    {
        let mut identity = fixture.identity.lock().unwrap();
        (identity.down, identity.loses_answers) = (false, true);
    }
    assert!(redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await.is_err());
    assert_eq!(fixture.password(), CHOSEN);
    fixture.identity.lock().unwrap().loses_answers = false;
    let told = redeem(&fixture, link.issued(), RESET_PIN, "another one").await;
    assert!(matches!(told, Err(RedeemError::PerhapsChanged)), "{told:?}");
    assert_eq!(fixture.password(), CHOSEN);
}

#[tokio::test]
async fn an_account_that_could_not_change_the_password_afterwards_keeps_the_present_one() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    let account = |enabled: bool, locked: bool| {
        serde_json::json!({
            "id": USER, "name": "user@example.org", "enabled": enabled, "options": { "lock_password": locked },
        })
    };
    fixture.identity.lock().unwrap().users.insert(USER.to_owned(), account(false, false));
    let told = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::Disabled)), "{told:?}");
    fixture.identity.lock().unwrap().users.insert(USER.to_owned(), account(true, true));
    let told = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::LockedByKeystone(_))), "{told:?}");
    assert_eq!((fixture.password().as_str(), administrative_changes(&fixture)), (RANDOM_PASSWORD, 0));
    fixture.identity.lock().unwrap().users.insert(USER.to_owned(), account(true, false));
    redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn all_links_of_a_user_share_the_attempts_of_the_day() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.reset_link(RESET_PIN).await, fixture.reset_link(RESET_PIN).await);
    for _ in 0..5 {
        let tried = redeem(&fixture, first.issued(), WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { .. })), "{tried:?}");
    }
    for left in [2, 1, 0] {
        let tried = redeem(&fixture, second.issued(), WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { left: l }) if l == left), "{tried:?}");
    }
    let tried = redeem(&fixture, second.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(tried, Err(RedeemError::LockedForToday)), "{tried:?}");
}

#[tokio::test]
async fn a_link_that_has_ended_keeps_no_secret_and_is_told_to_have_ended() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    // Used once, so that it has a random password.
    redeem(&fixture, link.issued(), RESET_PIN, WEAK_PASSWORD).await.unwrap_err();
    let protected = async || fixture.database.protected_by_keys().await.unwrap().into_values().next();
    let before = protected().await.unwrap();
    assert_eq!((before.secrets, before.pins), (1, 1));
    fixture.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept { destroyed: 1, forgotten: 0 });
    assert_eq!(protected().await, None);
    let told = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::Expired)), "{told:?}");
    fixture.clock.advance(RETENTION);
    assert_eq!(fixture.setpass.sweep().await.unwrap(), Swept { destroyed: 0, forgotten: 1 });
    let told = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::Unknown)), "{told:?}");
}

/// A process that died after Keystone took the random password, and before that was recorded.
#[tokio::test]
async fn a_random_password_whose_recording_was_lost_is_set_again() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    let hash = token_hash(&link.issued().token);
    let drawn = fixture.keys.seal(&super::super::password_purpose(USER), b"drawn before the crash");
    let (now, until) = (fixture.clock.now(), fixture.clock.now() + SignedDuration::from_mins(5));
    let limits = AttemptLimits { per_link: 5, per_window: 8 };
    let attempt = Attempt { token_hash: &hash, now, limits, client: None };
    let counted = fixture.database.count_attempt(&attempt).await.unwrap();
    let AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    fixture.database.claim_change(&attempt, &drawn, now, until, now).await.unwrap();
    let busy = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(busy, Err(RedeemError::Busy)), "{busy:?}");
    fixture.clock.advance(SignedDuration::from_mins(5));
    redeem(&fixture, link.issued(), RESET_PIN, WEAK_PASSWORD).await.unwrap_err();
    assert_eq!(fixture.password(), "drawn before the crash");
    redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await.unwrap();
    assert_eq!(fixture.password(), CHOSEN);
}

/// The PIN was right, whether or not the client waits to hear that.
#[tokio::test]
async fn who_hangs_up_after_a_right_pin_has_sent_no_wrong_one() {
    let fixture = Fixture::with("max_attempts_per_client = 1").await;
    let client: IpAddr = "192.0.2.1".parse().unwrap();
    let (first, second) = (fixture.link_of("u1").await, fixture.link_of("u2").await);
    let first = redemption(&first.token, PIN, CHOSEN);
    let mut setting = Box::pin(fixture.setpass.redeem_for(client, &fixture.keystone, &first));
    while fixture.all_calls_of_keystone() == 0 {
        assert!(futures::poll!(&mut setting).is_pending());
        tokio::task::yield_now().await;
    }
    drop(setting);
    let second = redemption(&second.token, PIN, CHOSEN);
    let not_counted = async {
        while let Err(RedeemError::TooManyFromClient { .. }) =
            fixture.setpass.redeem_for(client, &fixture.keystone, &second).await
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), not_counted).await.expect("the try is taken back");
}

/// From before the client is counted on, so that no place is left at which the one is done and the other is not.
#[tokio::test]
async fn a_try_that_was_begun_is_counted_compared_and_taken_back_though_nobody_waits_for_it() {
    let fixture = Fixture::with("max_attempts_per_client = 1").await;
    let client: IpAddr = "192.0.2.1".parse().unwrap();
    let link = fixture.link().await;
    let right = redemption(&link.token, PIN, CHOSEN);
    let busy = fixture.database.begin().await.unwrap();
    let mut setting = Box::pin(fixture.setpass.redeem_for(client, &fixture.keystone, &right));
    assert!(futures::poll!(&mut setting).is_pending(), "it cannot be counted before that has ended");
    drop(setting);
    busy.rollback().await.unwrap();
    fixture.setpass.settle().await;
    assert_eq!(fixture.password(), CHOSEN);
    let next = fixture.setpass.redeem_for(client, &fixture.keystone, &right).await;
    assert!(matches!(next, Err(RedeemError::Unknown)), "it counts no more: {next:?}");
}

#[tokio::test]
async fn one_client_sends_so_many_wrong_pins_over_all_links_and_right_ones_do_not_count() {
    let fixture = Fixture::with("max_attempts_per_client = 5").await;
    let client: IpAddr = CLIENT.parse().unwrap();
    let send = async |client: IpAddr, token: &secrecy::SecretString, pin: &str, password: &str| {
        let redemption = Redemption { client: Some(client), ..redemption(token, pin, password) };
        fixture.setpass.redeem_for(client, &fixture.keystone, &redemption).await
    };
    let link = fixture.reset_link(RESET_PIN).await;
    let token = &link.issued().token;
    for _ in 0..7 {
        let refused = send(client, token, RESET_PIN, WEAK_PASSWORD).await;
        assert!(
            matches!(&refused, Err(RedeemError::PreviousGone(why)) if matches!(**why, RedeemError::Refused(_))),
            "a right PIN is no guess: {refused:?}"
        );
    }
    for _ in 0..2 {
        assert!(matches!(send(client, token, WRONG_PIN, CHOSEN).await, Err(RedeemError::WrongPin { .. })));
        fixture.clock.advance(SignedDuration::from_mins(1));
    }
    for number in 0..3 {
        let unknown = format!("no token {number}").into();
        assert!(matches!(send(client, &unknown, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
    }
    let refused = send(client, token, RESET_PIN, CHOSEN).await;
    let Err(RedeemError::TooManyFromClient { until }) = refused else { panic!("{refused:?}") };
    assert_eq!(fixture.setpass.seconds_until(until), 58 * 60);
    let other = send([192, 0, 2, 8].into(), token, WRONG_PIN, CHOSEN).await;
    assert!(matches!(other, Err(RedeemError::WrongPin { .. })), "another client may go on: {other:?}");
    assert!(!fixture.is_on_disk(CLIENT), "addresses are not written down");
    fixture.clock.advance(SignedDuration::from_mins(30));
    let fresh = fixture.reset_link(RESET_PIN).await;
    fixture.clock.advance(SignedDuration::from_mins(28));
    send(client, &fresh.issued().token, RESET_PIN, CHOSEN).await.unwrap();
    assert_eq!(fixture.password(), CHOSEN, "{}", text(token).len());
}

#[tokio::test]
async fn one_client_asks_so_often_and_no_more() {
    let fixture = Fixture::with("[reset]\nmax_per_client = 2").await;
    let ask = async |address: &str| fixture.setpass.count_reset_for(address.parse().unwrap()).await.unwrap();
    assert_eq!(ask("192.0.2.7").await, ClientCount::Within);
    assert_eq!(ask("192.0.2.7").await, ClientCount::Within);
    let until = fixture.clock.now() + SignedDuration::from_hours(1);
    assert_eq!(ask("192.0.2.7").await, ClientCount::Over { until });
    assert_eq!(ask("2001:db8::").await, ClientCount::Within);
    fixture.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(ask("192.0.2.7").await, ClientCount::Within);
}

/// What is on record of the user: the events with what they say besides.
async fn trail(fixture: &Fixture) -> Vec<String> {
    let events = fixture.database.setpass_events(USER, 100).await.unwrap();
    events.iter().map(|event| format!("{} {}", event.event, event.detail).trim().to_owned()).collect()
}

async fn stored(fixture: &Fixture) -> (u64, u64) {
    let protected = fixture.database.protected_by_keys().await.unwrap();
    protected.values().fold((0, 0), |(secrets, pins), key| (secrets + key.secrets, pins + key.pins))
}

#[tokio::test]
async fn a_link_that_was_asked_for_is_on_record_and_its_secrets_go_with_the_last_wrong_pin() {
    let fixture = Fixture::new().await;
    let locked = fixture.reset_link(RESET_PIN).await;
    // Refused, so that the link has a random password.
    redeem(&fixture, locked.issued(), RESET_PIN, WEAK_PASSWORD).await.unwrap_err();
    assert_eq!(stored(&fixture).await, (1, 1));
    for left in [4, 3, 2, 1, 0] {
        let tried = redeem(&fixture, locked.issued(), WRONG_PIN, CHOSEN).await;
        assert!(matches!(tried, Err(RedeemError::WrongPin { left: l }) if l == left), "{tried:?}");
    }
    assert_eq!(stored(&fixture).await, (0, 0), "locked");
    let tried = redeem(&fixture, locked.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(tried, Err(RedeemError::Locked)), "{tried:?}");
    let expected = ["issued request 1", "tried", "previous-replaced", "not-set refused by Keystone"];
    let trail_so_far = trail(&fixture).await;
    assert_eq!(trail_so_far[..4], expected);
    assert_eq!(trail_so_far[4..], ["tried", "tried", "tried", "tried", "tried", "locked"]);

    fixture.clock.advance(SignedDuration::from_hours(24));
    let expired = fixture.reset_link(RESET_PIN).await;
    fixture.clock.advance(SignedDuration::from_hours(1));
    fixture.setpass.sweep().await.unwrap();
    assert!(matches!(redeem(&fixture, expired.issued(), RESET_PIN, CHOSEN).await, Err(RedeemError::Expired)));
    let used = fixture.reset_link(RESET_PIN).await;
    redeem(&fixture, used.issued(), RESET_PIN, CHOSEN).await.unwrap();
    let expected =
        ["issued request 1", "expired", "issued request 1", "tried", "previous-replaced", "password-set"];
    assert_eq!(trail(&fixture).await[10..], expected);
    let owed = fixture.database.owed_notices(fixture.clock.now()).await.unwrap();
    assert_eq!(
        owed.len(),
        2,
        "the user is told of the change, and of the password that the locked link took"
    );
}

#[tokio::test]
async fn a_right_pin_sets_a_random_password_anew_where_wrong_ones_locked_the_link_and_destroyed_it() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    let limits = AttemptLimits { per_link: 5, per_window: 8 };
    let (hash, now) = (token_hash(&link.issued().token), fixture.clock.now());
    let attempt = Attempt { token_hash: &hash, now, limits, client: None };
    let counted = fixture.database.count_attempt(&attempt).await.unwrap();
    let AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    // Another right one gives the link a random password that Keystone has then.
    redeem(&fixture, link.issued(), RESET_PIN, WEAK_PASSWORD).await.unwrap_err();
    for _ in 0..4 {
        redeem(&fixture, link.issued(), WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    assert_eq!(stored(&fixture).await, (0, 0), "locked");
    fixture
        .database
        .give_attempt_back(&attempt, Unset::NotBegun, now, "another request is at it")
        .await
        .unwrap();
    redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await.unwrap();
    assert_eq!((fixture.password().as_str(), administrative_changes(&fixture)), (CHOSEN, 2));
}

#[tokio::test]
async fn a_user_who_is_gone_gets_no_random_password_and_is_told() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    fixture.identity.lock().unwrap().gone = true;
    let told = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::AccountGone)), "{told:?}");
    let again = redeem(&fixture, link.issued(), RESET_PIN, CHOSEN).await;
    assert!(matches!(again, Err(RedeemError::Unknown)), "{again:?}");
    assert_eq!(administrative_changes(&fixture), 0);
}

//! What Keystone does not accept: links that start from another password, locked accounts, users who are gone.

use super::super::change::{MOST_REFUSALS, REST};
use super::*;

/// How many sealed passwords and hashed PINs are stored.
async fn stored(fixture: &Fixture) -> (u64, u64) {
    let protected = fixture.database.protected_by_keys().await.unwrap();
    protected.values().fold((0, 0), |(secrets, pins), key| (secrets + key.secrets, pins + key.pins))
}

/// What is on record of the user last.
async fn last_event(fixture: &Fixture) -> (String, String) {
    let event = fixture.database.setpass_events(USER, 1).await.unwrap().remove(0);
    (event.event, event.detail)
}

fn asked(fixture: &Fixture) -> usize {
    fixture.identity.lock().unwrap().asked_to_change
}

/// When the changes were made that the user is still to be told of.
async fn owed(fixture: &Fixture) -> Vec<Timestamp> {
    let notices = fixture.database.owed_notices(Timestamp::MAX).await.unwrap();
    notices.into_iter().map(|notice| notice.changed).collect()
}

#[tokio::test]
async fn a_password_changed_elsewhere_is_told_and_counts_and_keystone_is_seldom_asked_about_it() {
    seldom_asked(false).await;
    seldom_asked(true).await;
}

/// Also where something before Keystone puts pages of its own in the place of its refusals.
async fn seldom_asked(refuses_in_other_words: bool) {
    let fixture = Fixture::new().await;
    fixture.identity.lock().unwrap().refuses_in_other_words = refuses_in_other_words;
    let mut link = fixture.link().await;
    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), "set by an administrator".to_owned());
    for refusal in 1..=MOST_REFUSALS {
        let is_last = refusal == MOST_REFUSALS;
        let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
        assert!(
            matches!(told, Err(RedeemError::ChangedElsewhere { is_last: l }) if l == is_last),
            "{told:?}"
        );
        if is_last {
            break;
        }
        for _ in 0..6 {
            let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
            assert!(matches!(told, Err(RedeemError::ChangedElsewhere { is_last: false })), "{told:?}");
        }
        assert_eq!(asked(&fixture), refusal as usize, "each of them is a failed login for Keystone");
        // A renewed link is for the same password.
        link = fixture.setpass.renew(USER).await.unwrap();
        fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
        assert_eq!(asked(&fixture), refusal as usize);
        fixture.clock.advance(REST);
    }
    assert_eq!(asked(&fixture), MOST_REFUSALS as usize);
    let why = "changed elsewhere, or locked by Keystone".to_owned();
    assert_eq!(last_event(&fixture).await, ("withdrawn".to_owned(), why));
    assert_eq!(stored(&fixture).await, (0, 0));
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
    assert!(matches!(fixture.setpass.renew(USER).await, Err(SetpassError::UnknownUser(_))));
    assert!(owed(&fixture).await.is_empty(), "nobody chose a password here");

    // Each of them counted for the day as well. Another password is tried at once.
    let replaced = fixture.link().await;
    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());
    let wrong = fixture.redeem(&replaced.token, WRONG_PIN, CHOSEN).await;
    assert!(matches!(wrong, Err(RedeemError::WrongPin { left: 4 })), "{wrong:?}");
    fixture.redeem(&replaced.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn a_link_for_another_password_is_tried_at_once_also_right_after_a_refusal() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), "set by an administrator".to_owned());
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());
    let replaced = fixture.link().await;
    fixture.redeem(&replaced.token, PIN, CHOSEN).await.unwrap();
}

#[tokio::test]
async fn who_is_locked_out_at_keystone_for_a_while_uses_the_same_link_afterwards() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().locked_out = true;
    let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::ChangedElsewhere { is_last: false })), "{told:?}");
    // Impatience costs nothing: the attempt is given back, and Keystone hears nothing of it.
    for _ in 0..8 {
        fixture.clock.advance(SignedDuration::from_mins(3));
        let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
        assert!(matches!(told, Err(RedeemError::ChangedElsewhere { is_last: false })), "{told:?}");
    }
    assert_eq!(asked(&fixture), 1);
    fixture.identity.lock().unwrap().locked_out = false;
    fixture.clock.advance(REST - SignedDuration::from_mins(24));
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    assert_eq!(owed(&fixture).await.len(), 1);
}

#[tokio::test]
async fn a_refusal_that_cannot_be_explained_counts_as_one() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().locked_out = true;
    fixture.identity.lock().unwrap().shows_no_users = true;
    let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::ChangedElsewhere { is_last: false })), "{told:?}");
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
    assert_eq!(asked(&fixture), 1, "a state that cannot be told gives no free tries at Keystone");
    let wrong = fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await;
    assert!(matches!(wrong, Err(RedeemError::WrongPin { left: 3 })), "the refusal counts: {wrong:?}");
}

#[tokio::test]
async fn a_user_who_is_gone_is_told_and_the_links_end() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().gone = true;
    let wrong = fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await;
    assert!(
        matches!(wrong, Err(RedeemError::WrongPin { left: 4 })),
        "only who knows the PIN learns it: {wrong:?}"
    );
    let told = fixture.redeem(&link.token, PIN, CHOSEN).await;
    assert!(matches!(told, Err(RedeemError::AccountGone)), "{told:?}");
    assert_eq!(last_event(&fixture).await, ("withdrawn".to_owned(), "account gone".to_owned()));
    assert_eq!((stored(&fixture).await, asked(&fixture)), ((0, 0), 0));
    assert!(matches!(fixture.redeem(&link.token, PIN, CHOSEN).await, Err(RedeemError::Unknown)));
}

/// An attempt after which nobody knows whether the change was made is given back: the PIN was right. Keystone hears of a
/// wrong password no more often for that than it would otherwise.
#[tokio::test]
async fn lost_answers_cost_no_attempt_and_do_not_add_to_the_wrong_passwords_at_keystone() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().loses_answers = true;
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
    let wrong = fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await;
    assert!(matches!(wrong, Err(RedeemError::WrongPin { left: 4 })), "{wrong:?}");
    for _ in 0..20 {
        let told = fixture.redeem(&link.token, PIN, "another one").await;
        assert!(matches!(told, Err(RedeemError::PerhapsChanged)), "{told:?}");
        fixture.clock.advance(SignedDuration::from_mins(2));
    }
    assert_eq!(asked(&fixture), 3, "the one whose answer was lost, and one each half an hour after it");
}

/// A change that Keystone made, or not, and whose answer was lost; and when that was.
async fn lost_change(fixture: &Fixture, link: &IssuedToken) -> Timestamp {
    fixture.identity.lock().unwrap().loses_answers = true;
    let lost = fixture.redeem(&link.token, PIN, CHOSEN).await;
    assert!(matches!(lost, Err(RedeemError::Keystone(_))), "{lost:?}");
    fixture.identity.lock().unwrap().loses_answers = false;
    let at = fixture.clock.now();
    fixture.clock.advance(SignedDuration::from_mins(10));
    at
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_told_by_mail_once_a_later_try_finds_it_made() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let at = lost_change(&fixture, &link).await;
    assert!(owed(&fixture).await.is_empty(), "another try may still find out more");
    for _ in 0..2 {
        let told = fixture.redeem(&link.token, PIN, "another one").await;
        assert!(matches!(told, Err(RedeemError::PerhapsChanged)), "{told:?}");
        assert_eq!(owed(&fixture).await, [at]);
    }
    fixture.clock.advance(REST);
    fixture.redeem(&link.token, PIN, "another one").await.unwrap_err();
    fixture.clock.advance(SignedDuration::from_hours(1));
    fixture.setpass.sweep().await.unwrap();
    assert_eq!(owed(&fixture).await, [at], "once");
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_told_by_mail_when_the_link_ends_however_it_ends() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let at = lost_change(&fixture, &link).await;
    fixture.setpass.sweep().await.unwrap();
    assert!(owed(&fixture).await.is_empty());
    fixture.clock.advance(SignedDuration::from_mins(50));
    for _ in 0..2 {
        fixture.setpass.sweep().await.unwrap();
        assert_eq!(owed(&fixture).await, [at], "expired");
    }

    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let at = lost_change(&fixture, &link).await;
    for _ in 0..5 {
        fixture.redeem(&link.token, WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    assert_eq!(owed(&fixture).await, [at], "locked");

    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let at = lost_change(&fixture, &link).await;
    fixture.link().await;
    assert_eq!(owed(&fixture).await, [at], "replaced");
}

#[tokio::test]
async fn a_change_that_was_not_begun_or_whose_link_is_used_later_is_told_no_more_than_once() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.redeem(&link.token, PIN, WEAK_PASSWORD).await.unwrap_err();
    fixture.clock.advance(SignedDuration::from_hours(1));
    fixture.setpass.sweep().await.unwrap();
    assert!(owed(&fixture).await.is_empty());

    let link = fixture.link().await;
    fixture.identity.lock().unwrap().down = true;
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
    fixture.identity.lock().unwrap().down = false;
    fixture.clock.advance(SignedDuration::from_mins(10));
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    assert_eq!(owed(&fixture).await, [fixture.clock.now()], "the one that was made");
}

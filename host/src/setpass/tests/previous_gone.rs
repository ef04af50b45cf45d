//! Links that were asked for and have taken the user's password, and end before another one is chosen.

use super::*;

const RESET_PIN: &str = "830274";

/// A link with which a password was tried that Keystone refuses, and when.
async fn refused(fixture: &Fixture) -> (SecretString, Timestamp) {
    let link = fixture.reset_link(RESET_PIN).await;
    let token = link.issued().token.clone();
    let told = fixture.redeem(&token, RESET_PIN, WEAK_PASSWORD).await;
    let Err(RedeemError::PreviousGone(why)) = told else { panic!("{told:?}") };
    assert!(matches!(&*why, RedeemError::Refused(words) if words == REFUSAL), "{why:?}");
    assert_ne!(fixture.password(), RANDOM_PASSWORD, "the one that the user had");
    (token, fixture.clock.now())
}

/// When the passwords were taken of which users are to be told.
async fn owed(fixture: &Fixture) -> Vec<Timestamp> {
    let owed = fixture.database.owed_notices(fixture.clock.now()).await.unwrap();
    owed.into_iter().map(|notice| notice.changed).collect()
}

async fn end(fixture: &Fixture) {
    fixture.clock.advance(SignedDuration::from_hours(1));
    fixture.setpass.sweep().await.unwrap();
}

#[tokio::test]
async fn a_link_that_was_registered_has_taken_nothing() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let told = fixture.redeem(&link.token, PIN, WEAK_PASSWORD).await;
    assert!(matches!(told, Err(RedeemError::Refused(_))), "{told:?}");
    end(&fixture).await;
    assert!(owed(&fixture).await.is_empty());
}

#[tokio::test]
async fn a_user_whose_link_took_the_password_is_told_by_mail_once_it_ends_unused() {
    let fixture = Fixture::new().await;
    let (token, at) = refused(&fixture).await;
    fixture.clock.advance(SignedDuration::from_mins(5));
    let again = fixture.redeem(&token, RESET_PIN, WEAK_PASSWORD).await;
    assert!(matches!(again, Err(RedeemError::PreviousGone(_))), "the page says so each time: {again:?}");
    assert!(owed(&fixture).await.is_empty(), "the link still works");
    end(&fixture).await;
    assert_eq!(owed(&fixture).await, [at], "expired");
    end(&fixture).await;
    assert_eq!(owed(&fixture).await, [at], "once");

    let fixture = Fixture::new().await;
    let (token, at) = refused(&fixture).await;
    for _ in 0..5 {
        fixture.redeem(&token, WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    assert_eq!(owed(&fixture).await, [at], "locked");

    let fixture = Fixture::new().await;
    let (_, at) = refused(&fixture).await;
    fixture.clock.advance(SignedDuration::from_mins(5));
    fixture.link().await;
    assert_eq!(owed(&fixture).await, [at], "replaced");
}

#[tokio::test]
async fn a_user_who_chooses_another_password_after_all_is_told_of_that_alone() {
    let fixture = Fixture::new().await;
    let (token, _) = refused(&fixture).await;
    fixture.clock.advance(SignedDuration::from_mins(5));
    fixture.redeem(&token, RESET_PIN, CHOSEN).await.unwrap();
    let changed = fixture.clock.now();
    end(&fixture).await;
    assert_eq!(owed(&fixture).await, [changed]);
    let events = fixture.database.setpass_events(USER, 100).await.unwrap();
    let events: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(events, ["issued", "tried", "previous-replaced", "not-set", "tried", "password-set"]);
}

/// Keystone took the random password and its answer was lost, or did not take it: nobody knows.
#[tokio::test]
async fn a_random_password_that_keystone_may_have_is_told_too_and_one_that_it_has_not_is_not() {
    for (status, expected) in [(503, 1), (403, 0)] {
        let fixture = Fixture::new().await;
        let link = fixture.reset_link(RESET_PIN).await;
        fixture.identity.lock().unwrap().refuses_administrators = Some(status);
        let told = fixture.redeem(&link.issued().token, RESET_PIN, CHOSEN).await;
        assert!(matches!(told, Err(RedeemError::Keystone(_))), "{told:?}");
        end(&fixture).await;
        assert_eq!(owed(&fixture).await.len(), expected, "{status}");
    }
}

#[tokio::test]
async fn it_is_told_too_where_the_repetitions_certainly_had_no_effect() {
    let fixture = Fixture::new().await;
    let link = fixture.reset_link(RESET_PIN).await;
    fixture.identity.lock().unwrap().loses_administrators = true;
    let redemption = redemption(&link.issued().token, RESET_PIN, CHOSEN);
    let told = fixture.setpass.redeem(&fixture.repeating_keystone(), &redemption).await;
    assert!(matches!(told, Err(RedeemError::Keystone(_))), "{told:?}");
    assert_ne!(fixture.password(), RANDOM_PASSWORD, "the one that the user had");
    end(&fixture).await;
    assert_eq!(owed(&fixture).await.len(), 1);
}

#[tokio::test]
async fn it_is_told_too_where_that_could_not_be_recorded() {
    for loses_answer in [false, true] {
        let fixture = Fixture::new().await;
        let link = fixture.reset_link(RESET_PIN).await;
        fixture.identity.lock().unwrap().loses_administrators = loses_answer;
        fixture
            .execute(
                "CREATE TRIGGER unrecorded BEFORE UPDATE OF previous_gone ON setpass_link \
                 BEGIN SELECT RAISE(ABORT, 'disk full'); END",
            )
            .await;
        let told = fixture.redeem(&link.issued().token, RESET_PIN, CHOSEN).await;
        assert!(matches!(told, Err(RedeemError::Setpass(_))), "{told:?}");
        assert_ne!(fixture.password(), RANDOM_PASSWORD, "the one that the user had");
        fixture.execute("DROP TRIGGER unrecorded").await;
        end(&fixture).await;
        assert_eq!(owed(&fixture).await.len(), 1, "{loses_answer}");
    }
}

//! Links that are replaced, or erased with another, while a password is being changed with them: what becomes of the change
//! is told all the same.

use super::*;
use crate::database::{Attempt, AttemptStart, Claim, CountedAttempt, Unset};
use crate::setpass::fixture::token_hash;

/// How long the change may take.
const CLAIM: SignedDuration = SignedDuration::from_mins(5);

/// A change that Keystone is being asked for.
async fn begin(fixture: &Fixture, token: &SecretString) -> CountedAttempt {
    let limits = AttemptLimits { per_link: 5, per_window: 8 };
    let (hash, now) = (token_hash(token), fixture.clock.now());
    let attempt = Attempt { token_hash: &hash, now, limits, client: None };
    let counted = fixture.database.count_attempt(&attempt).await.unwrap();
    let AttemptStart::Counted(attempt) = counted else { panic!("{counted:?}") };
    let claim = fixture.database.claim_change(&attempt, b"drawn", now, now + CLAIM, now).await.unwrap();
    assert!(matches!(claim, Claim::Granted(_)), "{claim:?}");
    attempt
}

/// The same, after which its user is registered anew; and when it was begun.
async fn replaced(fixture: &Fixture) -> (CountedAttempt, Timestamp) {
    let link = fixture.link().await;
    let (attempt, begun) = (begin(fixture, &link.token).await, fixture.clock.now());
    fixture.clock.advance(SignedDuration::from_mins(1));
    fixture.link().await;
    assert!(owed(fixture).await.is_empty(), "its outcome may still come");
    fixture.clock.advance(SignedDuration::from_mins(1));
    (attempt, begun)
}

async fn end(fixture: &Fixture, attempt: &CountedAttempt, became: Unset) {
    let now = fixture.clock.now();
    fixture.database.give_attempt_back(attempt, became, now, "no answer from Keystone").await.unwrap();
}

/// When the changes were made that the user is to be told of now.
async fn owed(fixture: &Fixture) -> Vec<Timestamp> {
    let notices = fixture.database.owed_notices(fixture.clock.now()).await.unwrap();
    notices.into_iter().map(|notice| notice.changed).collect()
}

/// The same once everything has ended.
async fn owed_in_the_end(fixture: &Fixture) -> Vec<Timestamp> {
    fixture.clock.advance(SignedDuration::from_hours(2));
    fixture.setpass.sweep().await.unwrap();
    owed(fixture).await
}

#[tokio::test]
async fn a_change_in_doubt_is_told_at_once_where_its_link_was_replaced_meanwhile_and_only_once() {
    let fixture = Fixture::new().await;
    let (attempt, begun) = replaced(&fixture).await;
    end(&fixture, &attempt, Unset::InDoubt).await;
    assert_eq!(owed(&fixture).await, [begun]);
    assert_eq!(owed_in_the_end(&fixture).await, [begun]);
}

#[tokio::test]
async fn a_change_whose_maker_died_is_told_once_its_claim_has_ended() {
    let fixture = Fixture::new().await;
    let (_, begun) = replaced(&fixture).await;
    fixture.clock.advance(SignedDuration::from_mins(3) - SignedDuration::from_millis(1));
    assert!(owed(&fixture).await.is_empty(), "its maker may still be at it");
    fixture.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(owed(&fixture).await, [begun]);
}

#[tokio::test]
async fn a_change_that_was_certainly_not_made_is_not_told() {
    let fixture = Fixture::new().await;
    let (attempt, _) = replaced(&fixture).await;
    end(&fixture, &attempt, Unset::NotMade).await;
    assert!(owed_in_the_end(&fixture).await.is_empty());

    let (attempt, _) = replaced(&fixture).await;
    let limits = crate::database::RefusalLimits { attempts: 5, refusals: 3 };
    fixture
        .database
        .settle_refused(&attempt, fixture.clock.now(), "changed elsewhere", limits)
        .await
        .unwrap();
    assert!(owed_in_the_end(&fixture).await.is_empty());
}

#[tokio::test]
async fn a_change_that_was_made_is_told_once() {
    let fixture = Fixture::new().await;
    let (attempt, _) = replaced(&fixture).await;
    let made = fixture.clock.now();
    fixture.database.erase_used_link(&attempt, None, made).await.unwrap();
    assert_eq!(owed(&fixture).await, [made]);
    assert_eq!(owed_in_the_end(&fixture).await, [made]);
}

/// What was in doubt before is told when the link goes, whatever becomes of the change that is under way then.
#[tokio::test]
async fn an_earlier_change_in_doubt_is_told_with_the_replacement() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (attempt, earlier) = (begin(&fixture, &link.token).await, fixture.clock.now());
    end(&fixture, &attempt, Unset::InDoubt).await;
    fixture.clock.advance(SignedDuration::from_mins(1));
    let attempt = begin(&fixture, &link.token).await;
    fixture.link().await;
    assert_eq!(owed(&fixture).await, [earlier]);
    end(&fixture, &attempt, Unset::NotMade).await;
    assert_eq!(owed_in_the_end(&fixture).await, [earlier]);
}

/// One of the two may be the user's own, and the other one not.
#[tokio::test]
async fn each_change_in_doubt_is_told_where_several_links_are_replaced() {
    let fixture = Fixture::new().await;
    let welcome = fixture.link().await;
    let asked = fixture.reset_link(PIN).await;
    let mut begun = Vec::new();
    for token in [&welcome.token, &asked.issued().token] {
        let attempt = begin(&fixture, token).await;
        begun.push(fixture.clock.now());
        end(&fixture, &attempt, Unset::InDoubt).await;
        fixture.clock.advance(SignedDuration::from_mins(1));
    }
    fixture.link().await;
    let mut owed = owed(&fixture).await;
    owed.sort_unstable();
    assert_eq!(owed, begun);
}

/// A renewed link starts from the same password, so a later try may still find out what became of the change.
#[tokio::test]
async fn a_renewal_leaves_a_change_in_doubt_to_the_renewed_link() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (attempt, begun) = (begin(&fixture, &link.token).await, fixture.clock.now());
    fixture.setpass.renew(USER).await.unwrap();
    end(&fixture, &attempt, Unset::InDoubt).await;
    assert!(owed(&fixture).await.is_empty());
    assert_eq!(owed_in_the_end(&fixture).await, [begun]);
}

/// The links that were asked for go with a new registration, and with the first link that is used.
#[tokio::test]
async fn a_change_in_doubt_with_a_link_that_was_asked_for_is_told_when_another_ends_it() {
    for is_used in [false, true] {
        let fixture = Fixture::new().await;
        let welcome = fixture.link().await;
        let asked = fixture.reset_link(PIN).await;
        let (attempt, begun) = (begin(&fixture, &asked.issued().token).await, fixture.clock.now());
        fixture.clock.advance(SignedDuration::from_mins(1));
        let mut expected = vec![begun];
        if is_used {
            fixture.redeem(&welcome.token, PIN, CHOSEN).await.unwrap();
            expected.push(fixture.clock.now());
        } else {
            fixture.link().await;
        }
        end(&fixture, &attempt, Unset::InDoubt).await;
        let mut owed = owed(&fixture).await;
        owed.sort_unstable();
        assert_eq!(owed, expected, "used: {is_used}");
    }
}

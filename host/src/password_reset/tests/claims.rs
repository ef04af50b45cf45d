//! A request is worked through by one at a time, and by nobody who lost it to another.

use super::*;

#[tokio::test]
async fn of_two_who_work_at_the_same_time_one_mails_each_link() {
    let desk = Desk::new("mode = \"self-service\"\nmax_per_account = 100").await;
    for _ in 0..4 {
        desk.ask("user@example.org").await;
    }
    let both = tokio::join!(desk.resets.work_through(|| true), desk.resets.work_through(|| true));
    assert_eq!(both.0.unwrap() + both.1.unwrap(), 4);
    assert_eq!(desk.recipients().await.len(), 4);
}

#[tokio::test]
async fn who_lost_the_claim_mails_nothing() {
    let desk = Desk::new("mode = \"self-service\"").await;
    desk.ask("user@example.org").await;
    let (now, database) = (desk.fixture.clock.now(), &desk.fixture.database);
    let slow = database.claim_reset_request("slow", now, now + CLAIM, |_| false).await.unwrap().unwrap();
    assert!(database.claim_reset_request("quick", now, now + CLAIM, |_| false).await.unwrap().is_none());
    let taken = database.claim_reset_request("quick", now, now + CLAIM, |who| who == "slow").await.unwrap();
    assert_eq!(taken.unwrap().id, slow.id);
    desk.resets.answer("slow", &slow).await.unwrap();
    assert!(desk.recipients().await.is_empty());
    desk.resets.answer("quick", &slow).await.unwrap();
    assert_eq!(desk.recipients().await.len(), 1);
}

/// The same where a case is opened, and where the request is dropped, which is on record.
#[tokio::test]
async fn who_lost_the_claim_opens_no_case_and_drops_nothing() {
    let desk = Desk::new("").await;
    let slow = lost_to_another(&desk, "user@example.org").await;
    desk.resets.answer("slow", &slow).await.unwrap();
    assert!(desk.recipients().await.is_empty());
    assert!(desk.fixture.setpass.open_cases().await.unwrap().is_empty());
    desk.resets.answer("quick", &slow).await.unwrap();
    assert_eq!(desk.recipients().await, ["helpdesk@example.org"]);
    assert_eq!(desk.fixture.setpass.open_cases().await.unwrap().len(), 1);

    let desk = Desk::new("mode = \"self-service\"").await;
    let slow = lost_to_another(&desk, "nobody@example.org").await;
    desk.resets.answer("slow", &slow).await.unwrap();
    assert_eq!(desk.trail("").await, ["reset-requested request 1"]);
    desk.resets.answer("quick", &slow).await.unwrap();
    assert_eq!(desk.trail("").await, ["reset-requested request 1", "reset-skipped request 1: no account"]);
}

/// A request that `slow` had claimed and `quick` has now.
async fn lost_to_another(desk: &Desk, email: &str) -> ClaimedRequest {
    desk.ask(email).await;
    let (now, database) = (desk.fixture.clock.now(), &desk.fixture.database);
    let slow = database.claim_reset_request("slow", now, now + CLAIM, |_| false).await.unwrap().unwrap();
    let taken = database.claim_reset_request("quick", now, now + CLAIM, |who| who == "slow").await.unwrap();
    assert_eq!(taken.unwrap().id, slow.id);
    slow
}

#[tokio::test]
async fn a_claim_ends_by_itself_and_who_lost_it_postpones_nothing() {
    let desk = Desk::new("").await;
    desk.ask("user@example.org").await;
    let (start, database) = (desk.fixture.clock.now(), &desk.fixture.database);
    let claim = async |who: &str, now: Timestamp| {
        database
            .claim_reset_request(who, now, now + CLAIM, |_| false)
            .await
            .unwrap()
            .map(|request| request.id)
    };
    let id = claim("slow", start).await.unwrap();
    assert_eq!(claim("quick", start + CLAIM - SignedDuration::from_millis(1)).await, None);
    assert_eq!(claim("quick", start + CLAIM).await, Some(id));
    let later = start + CLAIM + CLAIM;
    database.postpone_reset_request(id, "slow", later + SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(
        claim("third", later).await,
        Some(id),
        "it is not put off, and was still the other's until now"
    );
    database.postpone_reset_request(id, "third", later + SignedDuration::from_hours(1)).await.unwrap();
    assert_eq!(claim("fourth", later).await, None);
    assert_eq!(claim("fourth", later + SignedDuration::from_hours(1)).await, Some(id));
}

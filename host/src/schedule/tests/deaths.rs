//! Jobs that end the process that runs them.

use std::cell::Cell;

use jiff::SignedDuration;

use super::fixture::{Site, done, job, until, work};
use crate::database::Database;
use crate::database::OccasionState::{Done, Failed, Running, Waiting};
use crate::schedule::seen::Seen;
use crate::schedule::{Job, LEASE, Scheduler};
use crate::stop::Stop;

const START: &str = "2027-05-01T00:00:00Z";

/// A host on a machine where every other one is known to be dead.
async fn next_life<'a>(site: &Site, number: u32, jobs: Vec<Job<'a>>) -> Scheduler<'a> {
    let name = format!("life {number}");
    Scheduler { is_gone: |_| true, ..site.host(&name, jobs).await }
}

/// Looks at the job until there is nothing to do at present, or the job ends the process. Says whether it did.
async fn dies(host: &Scheduler<'_>, begun: &Cell<u32>) -> bool {
    let before = begun.get();
    let (mut seen, stop) = (Seen::default(), Stop::default());
    let looks = async { while host.turn(&host.jobs[0], &mut seen, &stop).await.unwrap().is_zero() {} };
    tokio::select! {
        biased;
        () = looks => false,
        () = until("the job to begin", async || begun.get() > before) => true,
    }
}

fn deadly(begun: &Cell<u32>) -> crate::schedule::Work<'_> {
    work(|_| async {
        begun.set(begun.get() + 1);
        std::future::pending().await
    })
}

#[tokio::test]
async fn a_job_that_ends_its_process_is_run_again_later_and_later_and_told() {
    let site = Site::new(START, "UTC");
    let (begun, mut lives) = (Cell::new(0), 0);
    let mut starts = Vec::new();
    let first = next_life(&site, 0, vec![job("sync", "0 */6 * * *", deadly(&begun))]).await;
    assert!(!dies(&first, &begun).await);
    site.clock.advance(SignedDuration::from_hours(6));
    let since = site.clock.ran();
    // A service manager starts it again after five seconds.
    while starts.len() < 6 {
        lives += 1;
        let host = next_life(&site, lives, vec![job("sync", "0 */6 * * *", deadly(&begun))]).await;
        if dies(&host, &begun).await {
            starts.push((site.clock.ran() - since).as_secs() / 60);
        }
        site.clock.advance(SignedDuration::from_secs(5));
    }
    assert_eq!(starts, [0, 0, 2, 6, 14, 30], "minutes");
    assert_eq!(first.told().await, ["keeps-failing"]);
    let recorded = first.recorded("sync").await;
    assert_eq!((recorded.len(), recorded[0].state, recorded[0].deaths), (1, Running, 5));

    // It is mended, and what it did before does not count any more.
    site.clock.advance(SignedDuration::from_mins(40));
    let mended =
        next_life(&site, lives + 1, vec![job("sync", "0 */6 * * *", work(|_| async { done() }))]).await;
    assert!(!dies(&mended, &begun).await);
    assert_eq!(mended.recorded("sync").await[0].state, Waiting);
    site.clock.advance(SignedDuration::from_mins(40));
    assert!(!dies(&mended, &begun).await);
    let recorded = mended.recorded("sync").await;
    assert_eq!((recorded[0].state, recorded[0].deaths), (Done, 0));
    assert_eq!(mended.told().await, ["keeps-failing", "works-again"]);
}

#[tokio::test]
async fn an_occasion_that_takes_the_place_of_a_deadly_one_waits_as_long() {
    let site = Site::new(START, "UTC");
    let (begun, mut starts) = (Cell::new(0), Vec::new());
    let host = next_life(&site, 0, vec![job("sync", "* * * * *", deadly(&begun))]).await;
    assert!(!dies(&host, &begun).await);
    let since = site.clock.ran();
    for life in 1..=(10 * 60) {
        site.clock.advance(SignedDuration::from_secs(5));
        let host = next_life(&site, life, vec![job("sync", "* * * * *", deadly(&begun))]).await;
        if dies(&host, &begun).await {
            starts.push((site.clock.ran() - since).as_secs() / 60);
        }
    }
    assert_eq!(starts, [1, 1, 3, 7, 15, 31], "minutes");
    let recorded = host.recorded("sync").await;
    assert!(recorded.iter().rev().skip(1).all(|one| one.state != Waiting && one.state != Running));
    assert!(recorded.iter().any(|one| one.state == Failed));
}

#[tokio::test]
async fn two_dead_processes_do_not_keep_each_other_alive() {
    let site = Site::new(START, "UTC");
    let host = site.host("b", vec![job("sync", "@hourly", work(|_| async { done() }))]).await;
    let (mut seen, stop) = (Seen::default(), Stop::default());
    let mut look = async || while host.turn(&host.jobs[0], &mut seen, &stop).await.unwrap().is_zero() {};
    look().await;
    let now = site.clock.now();
    let mut transaction = host.database.begin().await.unwrap();
    for holder in ["one", "other"] {
        Database::begin_by_hand(&mut transaction, "sync", holder, LEASE, now).await.unwrap();
    }
    transaction.commit().await.unwrap();
    look().await;
    site.clock.advance(LEASE.try_into().unwrap());
    look().await;
    site.clock.advance(SignedDuration::from_hours(1));
    look().await;
    let states: Vec<_> = host.recorded("sync").await.iter().map(|one| one.state).collect();
    assert_eq!(states, [Failed, Failed, Done]);
}

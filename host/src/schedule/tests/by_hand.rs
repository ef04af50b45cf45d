//! Jobs that are run by hand: beside others that live or are dead, to their end or not.

use std::cell::Cell;
use std::time::Duration;

use jiff::SignedDuration;

use super::fixture::{Site, done, failed, time_passes, until};
use crate::database::Database;
use crate::database::OccasionState::{Done, Failed, Running, Skipped};
use crate::leases::RENEWAL;
use crate::schedule::by_hand::ByHandError;
use crate::schedule::seen::Seen;
use crate::schedule::{Failure, LEASE, Remedy, Report, Scheduler};
use crate::stop::Stop;

const START: &str = "2027-05-01T00:00:00Z";
const HOUR: Duration = Duration::from_secs(3600);

type Ended = Result<Report, Failure>;

/// Runs the job by hand, on a clock on which `meanwhile` lets time pass.
async fn run(
    host: &Scheduler<'_>,
    stop: &Stop,
    work: impl Future<Output = Ended>,
    meanwhile: impl Future<Output = ()>,
) -> Result<Ended, ByHandError> {
    tokio::select! {
        ended = host.run_by_hand("sync", HOUR, stop, work, Clone::clone) => ended,
        () = async { meanwhile.await; std::future::pending().await } => unreachable!(),
    }
}

/// Lets time pass whenever somebody waits for it.
async fn time_passes_for_who_waits(site: &Site) {
    loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if site.clock.sleepers() > 0 {
            site.clock.advance(SignedDuration::from_secs(2));
        }
    }
}

/// A process that has begun by hand and dies.
async fn dead_one(site: &Site, holder: &str) {
    let host = site.host(holder, Vec::new()).await;
    let mut transaction = host.database.begin().await.unwrap();
    Database::begin_by_hand(&mut transaction, "sync", holder, LEASE, site.clock.now()).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_dead_process_of_another_machine_is_in_the_way_of_no_one_for_long() {
    let site = Site::new(START, "UTC");
    dead_one(&site, "dead").await;
    let (host, stop) = (site.host("b", Vec::new()).await, Stop::default());
    let busy = run(&host, &stop, async { done() }, std::future::pending()).await;
    assert!(matches!(&busy, Err(ByHandError::Busy { holder, .. }) if holder == "dead"), "{busy:?}");
    // Its lease has ended, and nobody can tell whether that is its clock; so it is watched.
    site.clock.advance(LEASE.try_into().unwrap());
    let ran = site.clock.ran();
    run(&host, &stop, async { done() }, time_passes_for_who_waits(&site)).await.unwrap().unwrap();
    assert!(site.clock.ran() - ran >= LEASE, "it was not looked at for long enough");
    let recorded = host.recorded("sync").await;
    assert_eq!(recorded.iter().map(|one| one.state).collect::<Vec<_>>(), [Failed, Done]);
    assert!(recorded[0].summary.as_ref().unwrap().contains("has died"));
}

#[tokio::test]
async fn a_living_process_whose_clock_is_behind_keeps_its_job() {
    let site = Site::new(START, "UTC");
    dead_one(&site, "slow").await;
    let id = site.host("looking", Vec::new()).await.recorded("sync").await[0].id;
    site.clock.jump(SignedDuration::from_hours(3));
    let (host, stop) = (site.host("b", Vec::new()).await, Stop::default());
    let its_clock = site.clock.now() - SignedDuration::from_hours(3);
    let renewals = async {
        loop {
            tokio::time::sleep(Duration::from_millis(2)).await;
            assert!(host.database.renew_occasion(id, "slow", LEASE, its_clock).await.unwrap());
            site.clock.advance(SignedDuration::from_secs(30));
        }
    };
    let busy = run(&host, &stop, async { done() }, renewals).await;
    assert!(matches!(busy, Err(ByHandError::Busy { .. })), "{busy:?}");
    assert_eq!(host.recorded("sync").await[0].state, Running);
}

#[tokio::test]
async fn a_server_ends_what_dead_processes_have_left_of_jobs_that_it_does_not_run() {
    let site = Site::new(START, "UTC");
    dead_one(&site, "dead").await;
    let (host, mut seen) = (site.host("server", Vec::new()).await, Seen::default());
    host.close_dead(&mut seen).await.unwrap();
    assert_eq!(host.recorded("sync").await[0].state, Running, "it may live");
    site.clock.advance(LEASE.try_into().unwrap());
    host.close_dead(&mut seen).await.unwrap();
    assert_eq!(host.recorded("sync").await[0].state, Failed);
}

#[tokio::test]
async fn a_process_that_shows_life_in_the_last_moment_keeps_its_job() {
    let site = Site::new(START, "UTC");
    dead_one(&site, "slow").await;
    let host = site.host("server", Vec::new()).await;
    let seen = host.database.occasions_without_heir().await.unwrap().remove(0);
    assert!(host.database.renew_occasion(seen.id, "slow", LEASE, site.clock.now()).await.unwrap());
    host.database.close_without_heir(&seen, "it has died").await.unwrap();
    assert_eq!(host.recorded("sync").await[0].state, Running);
    let seen = host.database.occasions_without_heir().await.unwrap().remove(0);
    host.database.close_without_heir(&seen, "it has died").await.unwrap();
    assert_eq!(host.recorded("sync").await[0].state, Failed);
}

#[tokio::test]
async fn a_job_that_fails_by_hand_counts_and_is_told_where_nobody_looks() {
    let site = Site::new(START, "UTC");
    let stop = Stop::default();
    let fail = async |host: &Scheduler<'_>| {
        run(host, &stop, async { failed(true) }, std::future::pending()).await.unwrap().unwrap_err();
    };
    let at_terminal = Scheduler { attended: true, ..site.host("a", Vec::new()).await };
    let by_timer = site.host("b", Vec::new()).await;
    for _ in 0..3 {
        fail(&at_terminal).await;
    }
    assert_eq!(by_timer.told().await, [""; 0], "who looks is not told");
    fail(&by_timer).await;
    assert_eq!(by_timer.told().await, ["keeps-failing"]);
    fail(&by_timer).await;
    run(&by_timer, &stop, async { done() }, std::future::pending()).await.unwrap().unwrap();
    assert_eq!(by_timer.told().await, ["keeps-failing", "works-again"]);
}

#[tokio::test]
async fn a_job_by_hand_that_finds_another_process_at_its_work_has_not_failed() {
    let site = Site::new(START, "UTC");
    let (host, stop) = (site.host("a", Vec::new()).await, Stop::default());
    let busy = || Failure { reason: "another sync is running".to_owned(), remedy: Remedy::Turn };
    for _ in 0..5 {
        let ended = run(&host, &stop, async { Err(busy()) }, std::future::pending()).await;
        assert_eq!(ended.unwrap(), Err(busy()), "who has run it is told");
    }
    let recorded = host.recorded("sync").await;
    assert!(recorded.iter().all(|one| one.state == Skipped), "{recorded:?}");
    assert_eq!(recorded[0].summary.as_deref(), Some("another sync is running"));
    assert_eq!(host.told().await, [""; 0]);
}

#[tokio::test]
async fn a_job_that_is_interrupted_by_hand_is_given_back_and_has_not_failed() {
    for obeys in [true, false] {
        let site = Site::new(START, "UTC");
        let (host, stop) = (site.host("a", Vec::new()).await, Stop::default());
        let begun = Cell::new(false);
        let work = async {
            begun.set(true);
            stop.asked().await;
            if !obeys {
                std::future::pending::<()>().await;
            }
            failed(false)
        };
        let meanwhile = async {
            until("the job to begin", async || begun.get()).await;
            stop.ask();
            time_passes(&host, "sync", site.settings.grace).await;
        };
        let ran = site.clock.ran();
        let ended = run(&host, &stop, work, meanwhile).await;
        match obeys {
            true => assert!(ended.unwrap().is_err()),
            false => assert!(matches!(ended, Err(ByHandError::Interrupted(_))), "{ended:?}"),
        }
        assert!(site.clock.ran() - ran <= site.settings.grace + RENEWAL);
        let recorded = host.recorded("sync").await;
        assert_eq!(recorded[0].state, Failed);
        assert_eq!(recorded[0].summary.as_deref(), Some("interrupted: Usher was told to end"));
        assert_eq!(host.told().await, [""; 0], "an interruption is no failure");
        // Nothing is in the way of the next one.
        let stop = Stop::default();
        run(&host, &stop, async { done() }, std::future::pending()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_job_by_hand_ends_at_its_deadline() {
    let site = Site::new(START, "UTC");
    let (host, stop) = (site.host("a", Vec::new()).await, Stop::default());
    let begun = Cell::new(false);
    let work = async {
        begun.set(true);
        std::future::pending().await
    };
    let meanwhile = async {
        until("the job to begin", async || begun.get()).await;
        time_passes(&host, "sync", HOUR + site.settings.grace).await;
    };
    let late = run(&host, &stop, work, meanwhile).await;
    assert!(matches!(late, Err(ByHandError::Late { .. })), "{late:?}");
    assert!(stop.is_asked());
    let recorded = host.recorded("sync").await;
    assert_eq!(recorded[0].state, Failed);
    assert_eq!(recorded[0].summary.as_deref(), Some("it was not finished within its deadline of 1h"));
}

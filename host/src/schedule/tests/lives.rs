//! Hosts that die, stall or are told to stop in the middle of a job.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::SignedDuration;

use super::fixture::{Site, done, job, time_passes, until, work};
use crate::database::OccasionState::{Done, Waiting};
use crate::leases::RENEWAL;
use crate::schedule::seen::Seen;
use crate::schedule::{Job, LEASE, Report, Scheduler};
use crate::stop::Stop;

const START: &str = "2027-05-01T00:00:00Z";

/// On which hosts the job was begun and finished.
#[derive(Default)]
struct Notes {
    begun: Cell<usize>,
    finished: RefCell<Vec<&'static str>>,
}

/// A job that notes where it was finished, and never is on a host that `hangs`.
fn noting<'a>(host: &'static str, hangs: bool, notes: &'a Notes) -> Vec<Job<'a>> {
    let work = work(move |_| async move {
        notes.begun.set(notes.begun.get() + 1);
        if hangs {
            std::future::pending::<()>().await;
        }
        notes.finished.borrow_mut().push(host);
        done()
    });
    vec![job("sync", "@hourly", work)]
}

/// Looks at the job once, and again for as long as there is something to do.
async fn look(host: &Scheduler<'_>, seen: &mut Seen) {
    while host.turn(&host.jobs[0], seen, &Stop::default()).await.unwrap().is_zero() {}
}

/// Polls until the job has been begun.
async fn until_begun(turn: &mut (impl Future + Unpin), notes: &Notes) {
    let begun = async { until("the job to begin", async || notes.begun.get() > 0).await };
    tokio::select! {
        biased;
        _ = turn => panic!("the job ended"),
        () = begun => {}
    }
}

#[tokio::test]
async fn what_a_dead_host_leaves_is_finished_by_another_once_its_lease_is_not_renewed() {
    let site = Site::new(START, "UTC");
    let notes = Notes::default();
    let a = site.host("a", noting("a", true, &notes)).await;
    let b = site.host("b", noting("b", false, &notes)).await;
    let (mut seen_by_a, mut seen_by_b) = (Seen::default(), Seen::default());
    look(&a, &mut seen_by_a).await;
    site.clock.advance(SignedDuration::from_hours(1));
    {
        let stop = Stop::default();
        let mut turn = Box::pin(a.turn(&a.jobs[0], &mut seen_by_a, &stop));
        until_begun(&mut turn, &notes).await;
        look(&b, &mut seen_by_b).await;
        // It lives, and shows it.
        for _ in 0..10 {
            site.clock.advance(SignedDuration::from_secs(31));
            let renewals = async || b.recorded("sync").await[0].renewals;
            let before = renewals().await;
            tokio::select! {
                _ = &mut turn => panic!("the job ended"),
                // Who renews it and who watches the deadline wait for the clock again by then.
                () = until("the lease to be renewed", async || {
                    renewals().await > before && site.clock.sleepers() == 2
                }) => {}
            }
            look(&b, &mut seen_by_b).await;
        }
        assert!(notes.finished.borrow().is_empty());
    }
    // It has died, and nobody can tell at first. A clock that is set says nothing either.
    site.clock.jump(SignedDuration::from_mins(20));
    look(&b, &mut seen_by_b).await;
    assert!(notes.finished.borrow().is_empty());
    site.clock.advance(LEASE.try_into().unwrap());
    look(&b, &mut seen_by_b).await;
    assert_eq!(*notes.finished.borrow(), ["b"]);
    let recorded = b.recorded("sync").await;
    assert_eq!((recorded.len(), recorded[0].state, recorded[0].attempts), (1, Done, 2));
}

#[tokio::test]
async fn a_host_that_is_known_to_be_dead_is_waited_for_by_nobody() {
    let site = Site::new(START, "UTC");
    let notes = Notes::default();
    let a = site.host("a", noting("a", true, &notes)).await;
    look(&a, &mut Seen::default()).await;
    site.clock.advance(SignedDuration::from_hours(1));
    {
        let (mut seen, stop) = (Seen::default(), Stop::default());
        let mut turn = Box::pin(a.turn(&a.jobs[0], &mut seen, &stop));
        until_begun(&mut turn, &notes).await;
    }
    let again =
        Scheduler { is_gone: |holder| holder == "a", ..site.host("b", noting("b", false, &notes)).await };
    look(&again, &mut Seen::default()).await;
    assert_eq!(*notes.finished.borrow(), ["b"]);
}

#[tokio::test]
async fn a_host_that_was_stalled_gives_up_what_another_has_taken_over() {
    let site = Site::new(START, "UTC");
    let notes = Notes::default();
    let a = site.host("a", noting("a", true, &notes)).await;
    let b = site.host("b", noting("b", false, &notes)).await;
    let (mut seen_by_a, mut seen_by_b) = (Seen::default(), Seen::default());
    look(&a, &mut seen_by_a).await;
    site.clock.advance(SignedDuration::from_hours(1));
    let stop = Stop::default();
    let mut turn = Box::pin(a.turn(&a.jobs[0], &mut seen_by_a, &stop));
    until_begun(&mut turn, &notes).await;
    look(&b, &mut seen_by_b).await;
    site.clock.advance(LEASE.try_into().unwrap());
    look(&b, &mut seen_by_b).await;
    assert_eq!(*notes.finished.borrow(), ["b"]);
    // It comes back to life, and finds out before it records anything.
    assert_eq!(turn.await.unwrap(), Duration::ZERO);
    let recorded = b.recorded("sync").await;
    assert_eq!((recorded[0].state, recorded[0].summary.as_deref()), (Done, Some("did it")));
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_gives_the_occasion_back_and_the_job_goes_on_elsewhere() {
    for obeys in [true, false] {
        let site = Site::new(START, "UTC");
        let (begun, asked) = (Cell::new(false), Cell::new(Duration::ZERO));
        let stopping = work(|call| {
            begun.set(true);
            async move {
                call.stop.asked().await;
                if !obeys {
                    std::future::pending::<()>().await;
                }
                Ok(Report { partly: true, ..Report::default() })
            }
        });
        let a = site.host("a", vec![job("sync", "@hourly", stopping)]).await;
        look(&a, &mut Seen::default()).await;
        site.clock.advance(SignedDuration::from_hours(1));
        let stop = Stop::default();
        let meanwhile = async {
            until("the job to begin", async || begun.get()).await;
            asked.set(site.clock.ran());
            stop.ask();
            time_passes(&a, "sync", site.settings.grace).await;
        };
        tokio::select! {
            () = a.run(&stop) => {}
            () = meanwhile => {}
        }
        let took = site.clock.ran() - asked.get();
        assert!(took <= site.settings.grace + RENEWAL, "it took {took:?}, obeys: {obeys}");
        let recorded = a.recorded("sync").await;
        assert_eq!((recorded[0].state, recorded[0].attempts), (Waiting, 0), "obeys: {obeys}");

        let notes = Notes::default();
        let b = site.host("b", noting("b", false, &notes)).await;
        look(&b, &mut Seen::default()).await;
        assert_eq!(*notes.finished.borrow(), ["b"]);
        assert_eq!(b.told().await, [""; 0], "an interruption is no failure");
    }
}

#[tokio::test]
async fn a_job_that_nobody_comes_back_from_is_no_sign_of_life() {
    let site = Site::new(START, "UTC");
    let notes = Notes::default();
    let host = site.host("a", noting("a", true, &notes)).await;
    let stop = Stop::default();
    let mut runs = Box::pin(host.run(&stop));
    let begun = async {
        // The first look is over: what it said of its own longest time is replaced by the hour until the next one.
        let first_look = host.jobs[0].deadline + Duration::from_secs(91);
        until("the first look", async || host.pulse.is_overdue(first_look)).await;
        site.clock.advance(SignedDuration::from_hours(1));
        until("the job to begin", async || notes.begun.get() > 0).await;
    };
    tokio::select! {
        biased;
        () = &mut runs => panic!("it ended"),
        () = begun => {}
    }
    // From here on, nothing comes back: as if the job had blocked what looks after it.
    let may_take = host.jobs[0].deadline + site.settings.grace;
    site.clock.advance(may_take.try_into().unwrap());
    assert!(host.is_alive());
    site.clock.advance(SignedDuration::from_mins(2));
    assert!(!host.is_alive(), "the watchdog would go on being told that all is well");
    drop(runs);
}

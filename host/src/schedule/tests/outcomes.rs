//! What becomes of occasions: missed, failed, tried again, overrun.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::SignedDuration;

use super::fixture::{Site, done, failed, job, look, pass, time_passes, until, work};
use crate::database::OccasionState::{Done, Dropped, Failed, Running, Skipped, Waiting};
use crate::schedule::seen::Seen;
use crate::schedule::{Failure, Job, Remedy, Report};
use crate::settings::schedule::Missed;
use crate::stop::Stop;

const START: &str = "2027-05-01T00:00:00Z";

#[tokio::test]
async fn what_was_missed_happens_once_or_is_dropped_as_the_site_says() {
    let site = Site::new(START, "UTC");
    let ran = RefCell::new(Vec::new());
    let jobs = || {
        let count = |name: &'static str, missed| {
            let ran = &ran;
            let work = work(move |call| async move {
                ran.borrow_mut().push((name, call.time.timestamp().to_string()));
                done()
            });
            Job { missed, ..job(name, "0 * * * *", work) }
        };
        [count("once", Missed::RunOnce), count("dropped", Missed::Drop)]
    };
    for job in jobs() {
        look(&site.host("a", vec![job]).await).await;
    }
    assert!(ran.borrow().is_empty(), "a job that was never heard of has missed nothing");
    site.clock.advance(SignedDuration::from_mins(3 * 60 + 10));
    for job in jobs() {
        let name = job.name.clone();
        let host = site.host("a", vec![job]).await;
        look(&host).await;
        let recorded = host.recorded(&name).await;
        let [only] = &recorded[..] else { panic!("{recorded:?}") };
        assert_eq!(only.stands_for, 3);
        assert_eq!(only.state, if name == "once" { Done } else { Dropped });
        assert_eq!(only.due.to_string(), "2027-05-01T03:00:00Z");
    }
    assert_eq!(*ran.borrow(), [("once", "2027-05-01T03:00:00Z".to_owned())]);
    // What a restart is late for is not missed.
    site.clock.advance(SignedDuration::from_secs(51 * 60));
    let [_, dropped] = jobs();
    look(&site.host("a", vec![dropped]).await).await;
    assert_eq!(ran.borrow().last(), Some(&("dropped", "2027-05-01T04:00:00Z".to_owned())));
}

#[tokio::test]
async fn what_fails_in_passing_is_tried_later_and_later_and_told_once_each_way() {
    let site = Site::new(START, "UTC");
    let fails = Cell::new(5);
    let work = work(|_| async {
        fails.set(fails.get() - 1);
        if fails.get() >= 0 { failed(true) } else { done() }
    });
    let host = site.host("a", vec![job("sync", "0 */6 * * *", work)]).await;
    look(&host).await;
    site.clock.advance(SignedDuration::from_hours(6));
    let mut waits = Vec::new();
    let mut told = Vec::new();
    for _ in 0..6 {
        let wait = look(&host).await;
        waits.push(wait.as_secs() / 60);
        told.push(host.told().await.len());
        site.clock.advance(wait.try_into().unwrap());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 60], "the last is the look after it worked");
    assert_eq!(told, [0, 0, 1, 1, 1, 2]);
    assert_eq!(host.told().await, ["keeps-failing", "works-again"]);
    let recorded = host.recorded("sync").await;
    assert_eq!((recorded.len(), recorded[0].state, recorded[0].attempts), (1, Done, 6));
}

#[tokio::test]
async fn what_trying_again_does_not_mend_waits_for_the_next_occasion_and_is_told_at_once() {
    let site = Site::new(START, "UTC");
    let host = site.host("a", vec![job("sync", "@hourly", work(|_| async { failed(false) }))]).await;
    look(&host).await;
    for _ in 0..3 {
        site.clock.advance(SignedDuration::from_hours(1));
        look(&host).await;
    }
    let recorded = host.recorded("sync").await;
    assert!(recorded.iter().all(|one| one.state == Failed && one.attempts == 1), "{recorded:?}");
    assert_eq!(recorded.len(), 3);
    assert_eq!(recorded[0].summary.as_deref(), Some("the service is away"));
    assert_eq!(host.told().await, ["keeps-failing"]);
}

#[tokio::test]
async fn who_is_to_be_told_only_after_a_job_began_to_fail_is_told_then() {
    let mut site = Site::new(START, "UTC");
    let to = site.settings.alert_to.take();
    let fails = Cell::new(true);
    let jobs = || {
        let work = work(|_| async { if fails.get() { failed(false) } else { done() } });
        vec![job("sync", "@hourly", work)]
    };
    let untold = site.host("a", jobs()).await;
    look(&untold).await;
    site.clock.advance(SignedDuration::from_hours(1));
    look(&untold).await;
    assert_eq!(untold.told().await, [""; 0]);
    site.settings.alert_to = to;
    let host = site.host("a", jobs()).await;
    for _ in 0..2 {
        site.clock.advance(SignedDuration::from_hours(1));
        look(&host).await;
        assert_eq!(host.told().await, ["keeps-failing"]);
    }
    fails.set(false);
    site.clock.advance(SignedDuration::from_hours(1));
    look(&host).await;
    assert_eq!(host.told().await, ["keeps-failing", "works-again"]);
}

#[tokio::test]
async fn an_occasion_that_still_fails_gives_way_to_the_next() {
    let site = Site::new(START, "UTC");
    let host = site.host("a", vec![job("sync", "*/5 * * * *", work(|_| async { failed(true) }))]).await;
    look(&host).await;
    for _ in 0..6 {
        site.clock.advance(SignedDuration::from_mins(1));
        look(&host).await;
    }
    site.clock.advance(SignedDuration::from_mins(4));
    look(&host).await;
    let recorded = host.recorded("sync").await;
    assert_eq!(recorded.iter().map(|one| one.state).collect::<Vec<_>>(), [Failed, Waiting]);
    assert!(recorded[0].summary.as_ref().unwrap().ends_with("; the next occasion took its place"));
}

fn busy() -> Result<Report, Failure> {
    Err(Failure { reason: "another sync is running".to_owned(), remedy: Remedy::Turn })
}

#[tokio::test]
async fn what_another_process_is_at_waits_for_its_turn_and_has_not_failed() {
    let site = Site::new(START, "UTC");
    let times = Cell::new(6);
    let work = work(|_| async {
        times.set(times.get() - 1);
        if times.get() >= 0 { busy() } else { done() }
    });
    let host = site.host("a", vec![job("sync", "0 */6 * * *", work)]).await;
    look(&host).await;
    site.clock.advance(SignedDuration::from_hours(6));
    let mut waits = Vec::new();
    for _ in 0..6 {
        let wait = look(&host).await;
        waits.push(wait.as_secs() / 60);
        let waiting = host.recorded("sync").await.remove(0);
        assert_eq!((waiting.state, waiting.attempts), (Waiting, 0));
        assert_eq!(waiting.summary.as_deref(), Some("another sync is running"));
        site.clock.advance(wait.try_into().unwrap());
    }
    assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
    look(&host).await;
    let recorded = host.recorded("sync").await;
    assert_eq!((recorded.len(), recorded[0].state, recorded[0].attempts), (1, Done, 1));
    assert_eq!(recorded[0].busy, 0);
    assert_eq!(host.told().await, [""; 0]);
}

#[tokio::test]
async fn what_waits_for_its_turn_gives_way_to_the_next_occasion_and_is_told_where_that_goes_on() {
    let site = Site::new(START, "UTC");
    let is_busy = Cell::new(true);
    let work = work(|_| async { if is_busy.get() { busy() } else { done() } });
    let host = site.host("a", vec![job("sync", "*/5 * * * *", work)]).await;
    look(&host).await;
    for minute in 1..=25 {
        site.clock.advance(SignedDuration::from_mins(1));
        look(&host).await;
        // Three whole occasions have passed when the fourth one comes.
        let told: &[&str] = if minute < 20 { &[] } else { &["keeps-failing"] };
        assert_eq!(host.told().await, told, "after {minute} minutes");
    }
    let recorded = host.recorded("sync").await;
    assert_eq!(
        recorded.iter().map(|one| one.state).collect::<Vec<_>>(),
        [Skipped, Skipped, Skipped, Skipped, Waiting]
    );
    let summary = recorded[0].summary.as_deref();
    assert_eq!(summary, Some("another sync is running; the next occasion took its place"));
    is_busy.set(false);
    site.clock.advance(SignedDuration::from_mins(5));
    look(&host).await;
    assert_eq!(host.told().await, ["keeps-failing", "works-again"]);
}

#[tokio::test]
async fn a_job_that_panics_leaves_the_scheduler_alone() {
    let site = Site::new(START, "UTC");
    let host = site.host("a", vec![job("sync", "@hourly", work(|_| async { panic!("in a test") }))]).await;
    look(&host).await;
    site.clock.advance(SignedDuration::from_hours(1));
    look(&host).await;
    let recorded = host.recorded("sync").await;
    assert_eq!(recorded[0].state, Failed);
    assert!(recorded[0].summary.as_ref().unwrap().contains("it panicked"));
}

#[tokio::test]
async fn a_job_is_asked_to_end_at_its_deadline_and_cut_off_after_the_grace() {
    for obeys in [true, false] {
        let site = Site::new(START, "UTC");
        let begun = Cell::new(false);
        let work = work(|call| {
            begun.set(true);
            async move {
                call.stop.asked().await;
                if !obeys {
                    std::future::pending::<()>().await;
                }
                failed(false)
            }
        });
        let deadline = Duration::from_secs(600);
        let host = site.host("a", vec![Job { deadline, ..job("sync", "@daily", work) }]).await;
        look(&host).await;
        site.clock.advance(SignedDuration::from_hours(24));
        let meanwhile = async {
            until("the job to begin", async || begun.get()).await;
            time_passes(&host, "sync", deadline + site.settings.grace).await;
        };
        let (mut seen, stop) = (Seen::default(), Stop::default());
        tokio::select! {
            wait = host.turn(&host.jobs[0], &mut seen, &stop) => assert!(wait.unwrap().is_zero()),
            () = meanwhile => {}
        }
        let recorded = host.recorded("sync").await;
        assert_eq!((recorded[0].state, recorded[0].attempts), (Waiting, 1), "obeys: {obeys}");
        assert_eq!(
            recorded[0].summary.as_deref(),
            Some("it was not finished within its deadline of 10m"),
            "obeys: {obeys}"
        );
    }
}

#[tokio::test]
async fn a_job_that_overruns_its_next_occasions_does_not_run_twice_at_once() {
    let site = Site::new(START, "UTC");
    let (running, most, go_on) = (Cell::new(0), Cell::new(0), tokio::sync::Notify::new());
    let jobs = || {
        let work = work(|_| async {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            go_on.notified().await;
            running.set(running.get() - 1);
            done()
        });
        vec![job("long", "* * * * *", work)]
    };
    let (a, b) = (site.host("a", jobs()).await, site.host("b", jobs()).await);
    let stop = Stop::default();
    let script = async {
        until("the job to be known", async || !a.database.known_jobs().await.unwrap().is_empty()).await;
        // Occasions of which each stands for one or more, so that it does not matter who is how fast.
        let stand_for = async |state| {
            let recorded = a.recorded("long").await;
            recorded.iter().filter(|one| one.state == state).map(|one| one.stands_for).sum::<u32>()
        };
        let pass_until = async |state, count: u32| {
            until("occasions to come", async || {
                pass(&a, "long").await;
                stand_for(state).await >= count
            })
            .await;
        };
        pass_until(Running, 1).await;
        pass_until(Skipped, 3).await;
        go_on.notify_one();
        pass_until(Done, 1).await;
        pass_until(Running, 1).await;
        go_on.notify_one();
        pass_until(Done, 2).await;
        stop.ask();
        go_on.notify_one();
    };
    tokio::join!(script, a.run(&stop), b.run(&stop));
    let recorded = a.recorded("long").await;
    assert_eq!(recorded[0].state, Done);
    assert_eq!(
        (recorded[1].state, recorded[1].summary.as_deref()),
        (Skipped, Some("the job was still running"))
    );
    assert_eq!(most.get(), 1);
    let expected = 60 * i64::from(recorded.iter().map(|one| one.stands_for).sum::<u32>());
    let last = recorded.last().unwrap().due;
    assert_eq!(last.duration_since(START.parse().unwrap()).as_secs(), expected, "none is left out");
}

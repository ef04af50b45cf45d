//! Clocks that are set, forward and back, while jobs run and between them.

use std::cell::{Cell, RefCell};

use jiff::SignedDuration;

use super::fixture::{Site, done, failed, job, look, work};
use crate::clock::Clock;
use crate::database::OccasionState::{Done, Waiting};
use crate::schedule::seen::Seen;
use crate::schedule::{Job, LOOK, Scheduler};
use crate::stop::Stop;

const START: &str = "2027-03-05T12:00:00Z";

#[tokio::test]
async fn a_clock_that_is_wrong_at_the_end_of_a_job_silences_nothing_once_it_is_right() {
    let site = Site::new(START, "UTC");
    let month = SignedDuration::from_hours(30 * 24);
    let (clock, sets) = (site.clock.clone(), Cell::new(true));
    let work = work(|_| {
        if sets.take() {
            clock.jump(month);
        }
        async { done() }
    });
    let host = site.host("a", vec![job("sync", "@daily", work)]).await;
    look(&host).await;
    site.clock.advance(SignedDuration::from_hours(13));
    let ran = host.turn(&host.jobs[0], &mut Seen::default(), &Stop::default()).await.unwrap();
    assert!(ran.is_zero());
    assert!(host.recorded("sync").await[0].ended.unwrap() > site.clock.now() - SignedDuration::from_secs(1));
    site.clock.jump(-month);
    for _ in 0..3 {
        site.clock.advance(SignedDuration::from_hours(24));
        look(&host).await;
    }
    let recorded = host.recorded("sync").await;
    let states: Vec<_> = recorded.iter().map(|one| (one.due.to_string(), one.state)).collect();
    let days = ["06", "07", "08", "09"];
    assert_eq!(states, days.map(|day| (format!("2027-03-{day}T00:00:00Z"), Done)));
    assert_eq!(host.told().await, [""; 0], "no occasion was recorded ahead");
}

#[tokio::test]
async fn a_clock_that_is_put_back_after_it_ran_ahead_is_told_once() {
    let site = Site::new(START, "UTC");
    let jobs = || ["one", "other"].map(|name| job(name, "@hourly", work(|_| async { done() })));
    let host = site.host("a", jobs().into()).await;
    let look_at_all = async || {
        for job in &host.jobs {
            while host.turn(job, &mut Seen::default(), &Stop::default()).await.unwrap().is_zero() {}
        }
    };
    look_at_all().await;
    // What the network corrects is told to nobody.
    site.clock.advance(SignedDuration::from_hours(1));
    look_at_all().await;
    site.clock.jump(SignedDuration::from_mins(-2));
    look_at_all().await;
    assert_eq!(host.told().await, [""; 0]);
    site.clock.advance(SignedDuration::from_mins(10));
    site.clock.jump(SignedDuration::from_hours(5));
    look_at_all().await;
    site.clock.jump(SignedDuration::from_hours(-5));
    for _ in 0..3 {
        look_at_all().await;
        site.clock.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(host.told().await, ["put-back"]);
    let mail = host.outbox.pending().await.unwrap().remove(0);
    assert_eq!(mail.origin, "clock:2027-03-05:put-back");
}

/// A host that goes on looking at its one job, and knows what it has seen.
struct Looking<'a> {
    host: Scheduler<'a>,
    seen: Seen,
}

impl<'a> Looking<'a> {
    async fn new(site: &Site, name: &str, job: Job<'a>) -> Self {
        Self { host: site.host(name, vec![job]).await, seen: Seen::default() }
    }

    async fn look(&mut self) {
        while self.host.turn(&self.host.jobs[0], &mut self.seen, &Stop::default()).await.unwrap().is_zero() {}
    }
}

/// A job that runs each hour and notes the hour that it is due in.
fn noting<'a>(hours: &'a RefCell<Vec<i8>>) -> Job<'a> {
    let note = work(move |call| async move {
        hours.borrow_mut().push(call.time.hour());
        done()
    });
    job("sync", "@hourly", note)
}

#[tokio::test]
async fn what_was_done_while_a_clock_ran_ahead_is_done_once_more_at_its_time() {
    let site = Site::new(START, "UTC");
    let ran = RefCell::new(Vec::new());
    let mut hosts =
        [Looking::new(&site, "a", noting(&ran)).await, Looking::new(&site, "b", noting(&ran)).await];
    let look_for = async |hosts: &mut [Looking<'_>; 2], hours: i64| {
        for hour in 0..=hours {
            for host in &mut *hosts {
                host.look().await;
            }
            if hour < hours {
                site.clock.advance(SignedDuration::from_hours(1));
            }
        }
        std::mem::take(&mut *ran.borrow_mut())
    };
    assert_eq!(look_for(&mut hosts, 2).await, [13, 14]);
    // What the network corrects does nothing twice.
    site.clock.jump(SignedDuration::from_mins(-2));
    assert_eq!(look_for(&mut hosts, 0).await, [0; 0]);
    site.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(look_for(&mut hosts, 0).await, [0; 0]);

    site.clock.jump(SignedDuration::from_hours(5));
    assert_eq!(look_for(&mut hosts, 4).await, [19, 20, 21, 22, 23]);
    site.clock.jump(SignedDuration::from_hours(-5));
    assert_eq!(look_for(&mut hosts, 2).await, [18, 19, 20]);
    // Who is started anew sees it too.
    hosts[0].seen = Seen::default();
    assert_eq!(look_for(&mut hosts, 5).await, [21, 22, 23, 0, 1]);
    let host = &hosts[0].host;
    assert_eq!(host.told().await, ["put-back"]);
    let recorded = host.recorded("sync").await;
    assert!(recorded.iter().all(|one| one.state == Done), "{recorded:?}");
    let ahead: Vec<_> = recorded.iter().filter(|one| one.ahead).map(|one| one.due.to_string()).collect();
    assert_eq!(ahead, [19, 20, 21, 22, 23].map(|hour| format!("2027-03-05T{hour}:00:00Z")));
}

#[tokio::test]
async fn what_was_done_ahead_of_its_time_is_not_forgotten_while_nobody_looks() {
    let site = Site::new(START, "UTC");
    let ran = RefCell::new(Vec::new());
    let mut host = Looking::new(&site, "a", noting(&ran)).await;
    host.look().await;
    site.clock.advance(SignedDuration::from_hours(1));
    host.look().await;
    for jump in [5, -5] {
        site.clock.jump(SignedDuration::from_hours(jump));
        host.look().await;
    }
    site.clock.advance(SignedDuration::from_hours(5));
    Looking::new(&site, "a", noting(&ran)).await.look().await;
    assert_eq!(*ran.borrow(), [13, 18, 18]);
}

#[tokio::test]
async fn what_waits_ahead_of_its_time_is_in_the_way_of_nothing_that_comes_before() {
    let site = Site::new(START, "UTC");
    let (fails, ran) = (Cell::new(true), RefCell::new(Vec::new()));
    let sync = work(|call| {
        ran.borrow_mut().push(call.time.hour());
        let fails = fails.get();
        async move { if fails { failed(true) } else { done() } }
    });
    let mut host = Looking::new(&site, "a", job("sync", "@hourly", sync)).await;
    host.look().await;
    site.clock.jump(SignedDuration::from_hours(3));
    host.look().await;
    site.clock.jump(SignedDuration::from_hours(-3));
    fails.set(false);
    let mut states = Vec::new();
    // It is tried again when its time has come, and the delay after its first try is over.
    for minutes in [60, 60, 61] {
        site.clock.advance(SignedDuration::from_mins(minutes));
        host.look().await;
        states.push(host.host.recorded("sync").await.iter().map(|one| one.state).collect::<Vec<_>>());
    }
    assert_eq!(*ran.borrow(), [15, 13, 14, 15]);
    assert_eq!(states, [vec![Waiting, Done], vec![Waiting, Done, Done], vec![Done; 3]]);
}

#[tokio::test]
async fn what_ran_for_long_while_a_clock_ran_ahead_is_not_running_when_that_time_comes() {
    let site = Site::new(START, "UTC");
    let (takes_long, ran) = (Cell::new(false), RefCell::new(Vec::new()));
    let sync = work(|call| {
        ran.borrow_mut().push(call.time.hour());
        if takes_long.take() {
            site.clock.advance(SignedDuration::from_mins(90));
        }
        async { done() }
    });
    let mut host = Looking::new(&site, "a", job("sync", "@hourly", sync)).await;
    host.look().await;
    site.clock.jump(SignedDuration::from_hours(5));
    takes_long.set(true);
    host.look().await;
    site.clock.jump(SignedDuration::from_hours(-5));
    host.look().await;
    for minutes in [60, 60, 60, 60, 70] {
        site.clock.advance(SignedDuration::from_mins(minutes));
        host.look().await;
    }
    assert_eq!(*ran.borrow(), [17, 13, 14, 15, 16, 17, 18]);
}

#[tokio::test]
async fn a_host_whose_clock_is_behind_has_nobody_else_do_anything_twice() {
    let site = Site::new(START, "UTC");
    let (ran, ran_late) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let mut right = Looking::new(&site, "right", noting(&ran)).await;
    let mut behind = Looking::new(&site, "behind", noting(&ran_late)).await;
    behind.host.clock = Clock::manual(site.clock.now() - SignedDuration::from_hours(3));
    for _ in 0..24 {
        for host in [&mut right, &mut behind] {
            host.look().await;
            host.host.clock.advance(SignedDuration::from_mins(30));
        }
    }
    assert_eq!(*ran.borrow(), [13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    assert!(ran_late.borrow().iter().all(|hour| !ran.borrow().contains(hour)), "done twice: {ran_late:?}");
}

#[tokio::test]
async fn two_hosts_whose_clocks_differ_do_each_occasion_once_for_days_and_tell_it_once() {
    let site = Site::new(START, "UTC");
    let ran = RefCell::new(Vec::new());
    let noting = || {
        let note = work(|call| {
            ran.borrow_mut().push(call.time.timestamp());
            async { done() }
        });
        job("sync", "*/5 * * * *", note)
    };
    let begun = site.clock.now() + SignedDuration::from_mins(2);
    let mut hosts =
        [Looking::new(&site, "ahead", noting()).await, Looking::new(&site, "right", noting()).await];
    for (host, minutes) in hosts.iter_mut().zip([7, 0]) {
        host.host.clock = Clock::manual(begun + SignedDuration::from_mins(minutes));
        host.host.look = LOOK;
        host.look().await;
    }
    // On the second day one is down for a while, on the third the other, on the fourth both.
    for minutes in (0..4 * 24 * 60).step_by(2) {
        let down = match minutes {
            2000..2100 => [false, true],
            3400..3500 => [true, false],
            4900..5000 => [true, true],
            _ => [false, false],
        };
        for (host, down) in hosts.iter_mut().zip(down) {
            host.host.clock.advance(SignedDuration::from_mins(2));
            if !down {
                host.look().await;
            }
        }
    }
    let host = &hosts[0].host;
    let recorded = host.recorded("sync").await;
    let dues: Vec<_> = recorded.iter().map(|one| one.due).collect();
    assert!(recorded.iter().all(|one| one.state == Done), "{recorded:?}");
    assert_eq!(*ran.borrow(), dues);
    let minutes = SignedDuration::from_mins;
    let mut before = site.clock.now() + minutes(5);
    for one in &recorded {
        assert_eq!(one.due.duration_since(before), minutes(5 * i64::from(one.stands_for)), "{one:?}");
        before = one.due;
    }
    assert_eq!(before.to_string(), "2027-03-09T12:05:00Z");
    let many: Vec<_> =
        recorded.iter().map(|one| one.stands_for).filter(|stands_for| *stands_for > 1).collect();
    // What the clock shows of the one that is ahead when that comes back; and while both were down.
    assert_eq!(many, [2, 21], "nothing else was missed");
    assert_eq!(host.told().await, ["behind"]);
}

#[tokio::test]
async fn a_host_that_ran_far_ahead_and_is_gone_silences_no_other_one() {
    let site = Site::new(START, "UTC");
    let (ran, ran_ahead) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let mut wrong = Looking::new(&site, "wrong", noting(&ran_ahead)).await;
    wrong.host.clock = Clock::manual(site.clock.now() + SignedDuration::from_hours(30 * 24));
    wrong.look().await;
    wrong.host.clock.advance(SignedDuration::from_hours(1));
    wrong.look().await;
    assert_eq!(ran_ahead.borrow().len(), 1);
    let mut right = Looking::new(&site, "right", noting(&ran)).await;
    for _ in 0..5 {
        right.look().await;
        site.clock.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(*ran.borrow(), [12, 13, 14, 15, 16]);
    assert_eq!(right.host.told().await, ["behind"]);
}

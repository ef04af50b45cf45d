//! Clocks that are set, forward and back, while jobs run and between them.

use std::cell::Cell;

use jiff::SignedDuration;

use super::fixture::{Site, done, job, look, work};
use crate::database::OccasionState::Done;
use crate::schedule::turn::Seen;
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

//! Jobs that are switched off, and on again.

use std::cell::RefCell;
use std::path::Path;

use jiff::SignedDuration;

use super::fixture::{Site, done, failed, job, look, work};
use crate::database::Database;
use crate::database::OccasionState::{Done, Dropped, Failed, Waiting};
use crate::schedule::{Scheduler, server_of};
use crate::stop::Stop;

const START: &str = "2027-05-01T00:00:00Z";

#[tokio::test]
async fn a_job_that_is_switched_on_again_has_missed_nothing() {
    let site = Site::new(START, "UTC");
    let ran = RefCell::new(Vec::new());
    let on = || {
        let work = work(|call| {
            let due = call.time.timestamp().to_string();
            async {
                ran.borrow_mut().push(due);
                done()
            }
        });
        vec![job("sync", "@hourly", work)]
    };
    let stop = Stop::default();
    let first = site.host("a", on()).await;
    first.take_up(&stop).await;
    look(&first).await;
    // Nobody is there for a while: that is missed.
    site.clock.advance(SignedDuration::from_hours(3));
    let restarted = site.host("a", on()).await;
    restarted.take_up(&stop).await;
    look(&restarted).await;
    assert_eq!(*ran.borrow(), ["2027-05-01T03:00:00Z"]);
    site.host("a", Vec::new()).await.take_up(&stop).await;
    site.clock.advance(SignedDuration::from_mins(3 * 60 + 30));
    let on_again = site.host("a", on()).await;
    on_again.take_up(&stop).await;
    look(&on_again).await;
    assert_eq!(ran.borrow().len(), 1);
    site.clock.advance(SignedDuration::from_hours(1));
    look(&on_again).await;
    assert_eq!(ran.borrow()[1..], ["2027-05-01T07:00:00Z"]);
}

#[tokio::test]
async fn a_job_whose_times_are_others_has_missed_nothing_and_one_that_is_only_started_again_has() {
    let site = Site::new(START, "UTC");
    let ran = RefCell::new(Vec::new());
    let at = async |times: &'static str| {
        let work = work(|call| {
            ran.borrow_mut().push(call.time.hour());
            async { done() }
        });
        let host = site.host("a", vec![job("sync", times, work)]).await;
        host.take_up(&Stop::default()).await;
        look(&host).await;
    };
    at("0 3 * * *").await;
    site.clock.advance(SignedDuration::from_hours(2));
    // At one o'clock a server was there, and had nothing to do.
    at("0 1 * * *").await;
    assert_eq!(*ran.borrow(), [0_i8; 0]);
    site.clock.advance(SignedDuration::from_hours(24));
    at("0 1 * * *").await;
    assert_eq!(*ran.borrow(), [1]);
}

#[tokio::test]
async fn what_waits_of_a_job_ends_when_the_job_is_switched_off_and_not_because_of_another_machine() {
    let site = Site::new(START, "UTC");
    let stop = Stop::default();
    let on = async |name: &str| -> Scheduler<'static> {
        let host = site.host(name, vec![job("sync", "@hourly", work(|_| async { failed(true) }))]).await;
        host.take_up(&stop).await;
        host
    };
    let host = on("a").await;
    look(&host).await;
    site.clock.advance(SignedDuration::from_hours(1));
    look(&host).await;
    let state = async || host.recorded("sync").await.last().unwrap().state;
    assert_eq!(state().await, Waiting);
    site.host("b", Vec::new()).await.take_up(&stop).await;
    assert_eq!(state().await, Waiting, "the settings of another machine are others");
    site.host("a", Vec::new()).await.take_up(&stop).await;
    assert_eq!(state().await, Failed);
    let summary = host.recorded("sync").await[0].summary.clone().unwrap();
    assert!(summary.ends_with("the job was switched off"), "{summary}");

    // One that nobody had begun yet.
    let host = on("a").await;
    site.clock.advance(SignedDuration::from_mins(30));
    let mut transaction = host.database.begin().await.unwrap();
    Database::add_occasion(&mut transaction, "sync", site.clock.now(), 1, (Waiting, None), "a")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    site.host("a", Vec::new()).await.take_up(&stop).await;
    assert_eq!(state().await, Dropped);
}

#[tokio::test]
async fn a_job_that_another_server_runs_is_not_switched_off_and_that_one_goes_on_with_it() {
    let site = Site::new(START, "UTC");
    let (stop, fails) = (Stop::default(), std::cell::Cell::new(true));
    let ran = RefCell::new(Vec::new());
    let on = async |name: &str| {
        let work = work(|call| {
            ran.borrow_mut().push(call.time.hour());
            let fails = fails.get();
            async move { if fails { failed(true) } else { done() } }
        });
        let host = site.host(name, vec![job("sync", "@hourly", work)]).await;
        host.take_up(&stop).await;
        host
    };
    let off = async |name: &str| site.host(name, Vec::new()).await.take_up(&stop).await;
    let b = on("b").await;
    look(&b).await;
    // The other one was started last.
    on("a").await;
    site.clock.advance(SignedDuration::from_hours(1));
    look(&b).await;
    let states = async || b.recorded("sync").await.iter().map(|one| one.state).collect::<Vec<_>>();
    off("a").await;
    assert_eq!(states().await, [Waiting]);
    assert!(b.database.occasions_without_heir().await.unwrap().is_empty());
    // What was missed while it was away is made up for.
    fails.set(false);
    site.clock.advance(SignedDuration::from_hours(3));
    let restarted = on("b").await;
    look(&restarted).await;
    let recorded = restarted.recorded("sync").await;
    let last = recorded.last().unwrap();
    assert_eq!(
        (last.due.to_string().as_str(), last.stands_for, last.state),
        ("2027-05-01T04:00:00Z", 3, Done)
    );
    // Nobody has it who was there within days: it is off, and what is then on again has missed nothing.
    site.clock.advance(SignedDuration::from_hours(8 * 24));
    off("a").await;
    let begun = ran.borrow().len();
    look(&on("b").await).await;
    assert_eq!(ran.borrow().len(), begun);
    // One that shows that it is there has its jobs, however long ago it was started.
    let b = on("b").await;
    for _ in 0..8 {
        site.clock.advance(SignedDuration::from_hours(24));
        b.database.server_is_there("b", site.clock.now()).await.unwrap();
    }
    off("a").await;
    look(&on("b").await).await;
    assert_eq!(ran.borrow().len(), begun + 1);
}

#[tokio::test]
async fn a_server_that_was_away_for_long_is_forgotten_and_known_again_once_it_shows_that_it_is_there() {
    let site = Site::new(START, "UTC");
    let stop = Stop::default();
    let on = async |name: &str| -> Scheduler<'static> {
        let host = site.host(name, vec![job("sync", "@hourly", work(|_| async { done() }))]).await;
        host.take_up(&stop).await;
        host
    };
    let (a, b) = (on("a").await, on("b").await);
    let is_known = async |name: &str| a.database.server_is_there(name, site.clock.now()).await.unwrap();
    site.clock.advance(SignedDuration::from_hours(6 * 24));
    on("a").await;
    assert!(is_known("b").await, "it may be repaired");
    site.clock.advance(SignedDuration::from_hours(8 * 24));
    on("a").await;
    assert!(!is_known("b").await);
    // It was there all the time: the clock was wrong.
    b.be_present("server b", &stop).await.unwrap();
    assert!(is_known("b").await);
    site.host("a", Vec::new()).await.take_up(&stop).await;
    look(&b).await;
    let states: Vec<_> = b.recorded("sync").await.iter().map(|one| one.state).collect();
    assert_eq!(states, [Done]);
    // One without jobs has nothing to be known for.
    site.host("c", Vec::new()).await.be_present("server c", &stop).await.unwrap();
    assert!(!is_known("c").await);
}

#[test]
fn servers_are_told_apart_by_where_their_settings_are_and_not_by_what_a_link_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("settings.toml");
    std::os::unix::fs::symlink(folder.path().join("settings of today.toml"), &link).unwrap();
    let before = server_of("a", &link);
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(folder.path().join("settings of tomorrow.toml"), &link).unwrap();
    assert_eq!(server_of("a", &link), before);
    assert_ne!(server_of("b", &link), before);
    // Servers are started in different folders.
    for relative in ["./src/schedule.rs", "./settings that are gone.toml"] {
        let server = server_of("a", Path::new(relative));
        let file = Path::new(server.strip_prefix("a ").unwrap());
        assert!(file.is_absolute() && file.file_name() == Path::new(relative).file_name(), "{server}");
    }
}

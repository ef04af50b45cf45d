//! A month of two hosts on one database, with faults, deaths, restarts, jobs that take long, and clocks that are set.

mod machine;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::machine::{Machine, settle};
use self::world::World;
use super::fixture::{Site, announce};
use crate::cron::CronLine;
use crate::database::{OccasionRecord, OccasionState};
use crate::schedule::Scheduler;

const START: &str = "2027-03-01T05:00:00Z";
const ZONE: &str = "America/New_York";
const DAYS: u64 = 31;

/// After that, nothing goes wrong any more, so that in the end nothing is open.
const QUIET: Duration = Duration::from_secs((DAYS - 1) * 24 * 3600);

/// On the 14th, clocks are put forward, and there is no half past two.
const JOBS: [(&str, &str); 4] = [
    ("hourly", "@hourly"),
    ("six-hourly", "15 */6 * * *"),
    ("daily", "30 2 * * *"),
    ("weekly", "0 8 * * MON"),
];

/// Ten minutes after which hour clocks are set, and by how many hours: by mistake into the future and back, back and right again, and for good.
/// Each time, jobs are running.
const SET: [(u64, i64); 5] =
    [(5 * 24 + 7, 30 * 24), (5 * 24 + 9, -30 * 24), (12 * 24 + 3, -5), (12 * 24 + 20, 5), (20 * 24, 3)];

/// For how long a dead process may be taken for a living one: its lease, and until somebody looks.
const UNDISCOVERED: SignedDuration = SignedDuration::from_hours(2);

fn when(hour: u64) -> Duration {
    Duration::from_secs(hour * 3600 + 600)
}

#[tokio::test]
async fn in_a_month_each_occasion_happens_exactly_once() {
    let site = Site::new(START, ZONE);
    let world = Rc::new(World::new(&site.clock));
    let mut machines = [Machine::new(0), Machine::new(1)];
    let start = site.clock.now();
    let mut steps = 0_u32;
    let mut set = SET.iter().peekable();
    // When nobody was there, by the clock, and times that the clock never showed.
    let mut dark = Vec::<(Timestamp, Timestamp)>::new();
    let end = Duration::from_secs(DAYS * 24 * 3600);
    while site.clock.ran() < end {
        let ran = site.clock.ran();
        let next = machines.iter().map(|machine| machine.next(ran, &world)).min().unwrap();
        let next_set = set.peek().map_or(end, |(hour, _)| when(*hour));
        let next = next.min(next_set).max(ran);
        let before = site.clock.now();
        site.clock.advance((next - ran).try_into().unwrap());
        if machines.iter().all(Machine::is_down) {
            dark.push((before, site.clock.now()));
        }
        while let Some((_, hours)) = set.next_if(|(hour, _)| when(*hour) <= next) {
            let before = site.clock.now();
            site.clock.jump(SignedDuration::from_hours(*hours));
            let now = site.clock.now();
            if *hours > 0 {
                dark.push((before, now));
            } else {
                // From here on, the clock shows again what it has left out.
                dark.iter_mut().for_each(|(_, to)| *to = now.min(*to));
            }
        }
        for machine in &mut machines {
            machine.begin(&site, &world).await;
        }
        settle(&mut machines, &site, &world).await;
        machines.iter_mut().for_each(|machine| machine.end(next, &world));
        steps += 1;
    }

    let looking = site.host("looking", Vec::new()).await;
    let mut counts = BTreeMap::<&str, u32>::new();
    let mut came_again = 0;
    for (name, cron) in JOBS {
        let cron: CronLine = cron.parse().unwrap();
        // What was done while the clock ran ahead comes again at its time, and then anything may become of it.
        let (ahead, in_time): (Vec<_>, Vec<_>) =
            looking.recorded(name).await.into_iter().partition(|one| one.ahead);
        came_again += ahead.len();
        let ahead: BTreeSet<Timestamp> = ahead.iter().map(|one| one.due).collect();
        for key in world.repeated.borrow().iter().filter(|(job, _)| job == name) {
            let has_reason = world.unreported.borrow().contains(key) || ahead.contains(&key.1);
            assert!(has_reason, "{name} at {} was done again for no reason", key.1);
        }
        let count = in_time.len();
        let recorded: BTreeMap<_, _> = in_time.into_iter().map(|one| (one.due, one)).collect();
        assert_eq!(recorded.len(), count, "{name}: no occasion twice");
        for (due, occasion) in &recorded {
            let key = (name.to_owned(), *due);
            let (done, unreported) =
                (world.done.borrow().contains(&key), world.unreported.borrow().contains(&key));
            let may_be_done = unreported || ahead.contains(due);
            let is_right = if occasion.state == OccasionState::Done { done } else { !done || may_be_done };
            assert!(is_right, "{name} at {due}, done: {done}, unreported: {unreported}: {occasion:?}");
        }
        let now = site.clock.now();
        let next_after = |due| cron.next_after(due, &site.zone).filter(|next| *next <= now);
        let all: Vec<Timestamp> = std::iter::successors(next_after(start), |due| next_after(*due)).collect();
        for (place, due) in all.iter().enumerate() {
            let what = match recorded.get(due) {
                Some(occasion) => fate_of(occasion, &world, &dark),
                None => {
                    let covers = recorded.range(due..).next();
                    let covered = covers.is_some_and(|(at, covers)| {
                        let distance = all.iter().skip(place).take_while(|due| *due <= at).count();
                        covers.stands_for as usize >= distance
                    });
                    assert!(covered, "{name} never came at {due}, and {covers:?} does not stand for it");
                    "part of a later one"
                }
            };
            *counts.entry(what).or_default() += 1;
        }
        let told = told_of(&looking, name).await;
        assert_eq!(told, should_be_told(&world.ended.borrow()[name], site.settings.alert_after), "{name}");
    }
    let (kills, restarts, overruns) = (world.kills.get(), world.restarts.get(), world.overruns.get());
    announce(&format!(
        "{DAYS} days, 2 hosts, {steps} steps: of {} occasions were {counts:?}; {kills} deaths ({} with a report), {restarts} \
         restarts, {} failures, {overruns} overruns, the clock set {} times under {} jobs; {came_again} came again because the clock \
         had run ahead; {} times done again by whoever took over, or then",
        counts.values().sum::<u32>(),
        world.unreported.borrow().len(),
        world.faults.get(),
        SET.len(),
        world.across_jumps.get(),
        world.repeated.borrow().len(),
    ));
    assert!(counts["done in its time"] > 600 && kills > 40 && restarts > 30, "too little has happened");
    assert!(
        overruns > 5 && came_again > 3 && world.across_jumps.get() > 3 && world.repeated.borrow().len() > 5,
        "too little has happened"
    );
}

/// What has become of an occasion, where there is a reason for that.
fn fate_of(occasion: &OccasionRecord, world: &World, dark: &[(Timestamp, Timestamp)]) -> &'static str {
    let summary = occasion.summary.as_deref().unwrap_or_default();
    let took_its_place = summary.ends_with("the next occasion took its place");
    match occasion.state {
        OccasionState::Done if dark.iter().any(|(from, to)| *from < occasion.due && occasion.due <= *to) => {
            "made up for"
        }
        OccasionState::Done => "done in its time",
        OccasionState::Failed if took_its_place && occasion.attempts > 0 => "given up for the next one",
        OccasionState::Failed if summary == "the service is away" => "failed for good",
        OccasionState::Skipped if took_its_place && occasion.attempts == 0 => "part of a later one",
        OccasionState::Skipped if summary == "the job was still running" => {
            let (due, spans) = (occasion.due, world.spans.borrow());
            let was_running = spans.iter().filter(|span| span.name == occasion.job).any(|span| {
                let until = if span.died { span.until + UNDISCOVERED } else { span.until };
                span.since < due && due <= until
            });
            assert!(was_running, "nothing was running: {occasion:?}");
            "skipped for one that was running"
        }
        _ => panic!("without a reason: {occasion:?}"),
    }
}

async fn told_of(looking: &Scheduler<'_>, job: &str) -> Vec<String> {
    let mails = looking.outbox.pending().await.unwrap();
    let of_job = mails.iter().filter(|mail| mail.origin.split(':').nth(1) == Some(job));
    of_job.map(|mail| mail.origin.rsplit_once(':').unwrap().1.to_owned()).collect()
}

/// Each time that a job begins to keep failing, and each time that it works again after that.
fn should_be_told(ended: &[Result<(), bool>], after: u32) -> Vec<&'static str> {
    let (mut failures, mut is_told, mut told) = (0, false, Vec::new());
    for outcome in ended {
        match outcome {
            Ok(()) => {
                if is_told {
                    told.push("works-again");
                }
                (failures, is_told) = (0, false);
            }
            Err(passing) => {
                failures += 1;
                if !is_told && (!passing || failures >= after) {
                    is_told = true;
                    told.push("keeps-failing");
                }
            }
        }
    }
    told
}

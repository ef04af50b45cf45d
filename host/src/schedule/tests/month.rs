//! A month of two hosts on one database, with faults, deaths, restarts, and clocks that are set.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::fixture::{Site, done, failed, job, work};
use crate::cron::CronLine;
use crate::database::OccasionState;
use crate::schedule::turn::Seen;
use crate::schedule::{Call, Failure, Job, Report, Scheduler};
use crate::stop::Stop;

const START: &str = "2027-03-01T05:00:00Z";
const ZONE: &str = "America/New_York";
const DAYS: u64 = 31;

/// On the 14th, clocks are put forward, and there is no half past two.
const JOBS: [(&str, &str); 4] = [
    ("hourly", "@hourly"),
    ("six-hourly", "15 */6 * * *"),
    ("daily", "30 2 * * *"),
    ("weekly", "0 8 * * MON"),
];

/// Ten minutes after which hour clocks are set, and by how many hours: by mistake into the future and back, back and right again, and for good.
const SET: [(u64, i64); 5] =
    [(5 * 24 + 7, 30 * 24), (5 * 24 + 9, -30 * 24), (12 * 24 + 3, -5), (12 * 24 + 20, 5), (20 * 24, 3)];

/// How many hosts of each name have been started. One that was started before another of its name is known to be dead
/// on the same machine, and on no other.
static STARTED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

fn is_gone(machine: usize, holder: &str) -> bool {
    let (name, number) = holder.split_once('#').unwrap();
    name == machine.to_string() && number.parse::<usize>().unwrap() < STARTED[machine].load(Ordering::SeqCst)
}

/// What happens to jobs, the same in each run of the test.
struct World {
    chance: Cell<u64>,
    running: RefCell<BTreeSet<String>>,
    /// How often the job was finished, by its due time.
    finished: RefCell<BTreeMap<(String, Timestamp), u32>>,
    /// How attempts ended that did: whether well, and whether trying again helps.
    ended: RefCell<BTreeMap<String, Vec<Result<(), bool>>>>,
    killed: [Notify; 2],
    kills: Cell<u32>,
    stops: RefCell<[Stop; 2]>,
    restarts: Cell<u32>,
    faults: Cell<u32>,
}

/// A job that is running. It is not any more when its host dies.
struct Running<'a>(&'a World, String);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.borrow_mut().remove(&self.1);
    }
}

impl World {
    fn new() -> Self {
        Self {
            chance: Cell::new(2027),
            running: RefCell::default(),
            finished: RefCell::default(),
            ended: RefCell::default(),
            killed: [Notify::new(), Notify::new()],
            kills: Cell::new(0),
            stops: RefCell::default(),
            restarts: Cell::new(0),
            faults: Cell::new(0),
        }
    }

    fn draw(&self, below: u64) -> u64 {
        // A linear congruential generator is random enough, and always the same.
        self.chance.set(
            self.chance.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407),
        );
        (self.chance.get() >> 33) % below
    }

    async fn work(&self, machine: usize, name: &str, call: Call) -> Result<Report, Failure> {
        assert!(self.running.borrow_mut().insert(name.to_owned()), "{name} runs twice at once");
        let _running = Running(self, name.to_owned());
        let fate = self.draw(100);
        tokio::task::yield_now().await;
        let ended = match fate {
            0..8 => {
                self.kills.set(self.kills.get() + 1);
                self.killed[machine].notify_one();
                std::future::pending().await
            }
            8..14 => {
                self.restarts.set(self.restarts.get() + 1);
                self.stops.borrow()[machine].ask();
                call.stop.asked().await;
                return Ok(Report { partly: true, ..Report::default() });
            }
            14..34 => failed(true),
            34..36 => failed(false),
            _ => {
                let key = (name.to_owned(), call.time.timestamp());
                *self.finished.borrow_mut().entry(key).or_default() += 1;
                done()
            }
        };
        self.faults.set(self.faults.get() + u32::from(ended.is_err()));
        let outcome = ended.as_ref().map(|_| ()).map_err(|failure| failure.passing);
        self.ended.borrow_mut().entry(name.to_owned()).or_default().push(outcome);
        ended
    }
}

/// A machine, and the host on it where there is one.
struct Machine {
    number: usize,
    host: Option<Scheduler<'static>>,
    seen: Vec<Seen>,
    /// When each job is looked at next, and when the host is started again, in the clock's running time.
    wakes: Vec<Duration>,
    starts: Duration,
}

impl Machine {
    async fn start(&mut self, site: &Site, world: &Rc<World>) {
        let number = self.number;
        let started = STARTED[number].fetch_add(1, Ordering::SeqCst) + 1;
        let jobs: Vec<Job<'static>> = JOBS
            .iter()
            .map(|(name, cron)| {
                let world = Rc::clone(world);
                let work = work(move |call| {
                    let world = Rc::clone(&world);
                    async move { world.work(number, name, call).await }
                });
                job(name, cron, work)
            })
            .collect();
        let host = site.host(&format!("{number}#{started}"), jobs).await;
        let is_gone: fn(&str) -> bool =
            if number == 0 { |holder| is_gone(0, holder) } else { |holder| is_gone(1, holder) };
        self.host = Some(Scheduler { is_gone, ..host });
        world.stops.borrow_mut()[number] = Stop::default();
        self.seen = JOBS.iter().map(|_| Seen::default()).collect();
        self.wakes = vec![site.clock.ran(); JOBS.len()];
    }

    /// Looks at the jobs whose time has come. The host is gone afterwards where it died or was told to stop.
    async fn turn(&mut self, site: &Site, world: &World) {
        let Some(host) = &self.host else { return };
        let (ran, stop) = (site.clock.ran(), world.stops.borrow()[self.number].clone());
        let turns = host.jobs.iter().zip(&mut self.seen).zip(&mut self.wakes);
        let turns = turns.filter(|(_, wake)| **wake <= ran).map(|((job, seen), wake)| {
            let stop = &stop;
            async move { *wake = ran + host.turn(job, seen, stop).await.unwrap() }
        });
        let died = tokio::select! {
            _ = join_all(turns) => false,
            () = world.killed[self.number].notified() => true,
        };
        if died || stop.is_asked() {
            self.host = None;
            let down = if died { 60 * world.draw(180) } else { 20 };
            self.starts = ran + Duration::from_secs(down);
        }
    }

    fn next(&self) -> Duration {
        match &self.host {
            None => self.starts,
            Some(_) => self.wakes.iter().copied().min().unwrap(),
        }
    }
}

fn when(hour: u64) -> Duration {
    Duration::from_secs(hour * 3600 + 600)
}

/// When nobody was there, by the clock, and times that the clock never showed.
fn is_dark(dark: &[(Timestamp, Timestamp)], due: Timestamp) -> bool {
    dark.iter().any(|(from, to)| *from < due && due <= *to)
}

#[tokio::test]
async fn in_a_month_each_occasion_happens_exactly_once() {
    let site = Site::new(START, ZONE);
    let world = Rc::new(World::new());
    let mut machines = [0, 1].map(|number| Machine {
        number,
        host: None,
        seen: Vec::new(),
        wakes: Vec::new(),
        starts: Duration::ZERO,
    });
    let start = site.clock.now();
    let (mut dark, mut turns) = (Vec::<(Timestamp, Timestamp)>::new(), 0_u32);
    let mut set = SET.iter().peekable();
    let end = Duration::from_secs(DAYS * 24 * 3600);
    while site.clock.ran() < end {
        let next = machines.iter().map(Machine::next).min().unwrap();
        let next_set = set.peek().map_or(end, |(hour, _)| when(*hour));
        let before = site.clock.now();
        let next = next.min(next_set).max(site.clock.ran());
        site.clock.advance((next - site.clock.ran()).try_into().unwrap());
        if machines.iter().all(|machine| machine.host.is_none()) {
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
            if machine.host.is_none() && machine.starts <= site.clock.ran() {
                machine.start(&site, &world).await;
            }
        }
        let [a, b] = &mut machines;
        tokio::join!(a.turn(&site, &world), b.turn(&site, &world));
        turns += 1;
    }

    let looking = site.host("looking", Vec::new()).await;
    let (mut expected, mut in_time, mut made_up, mut given_up, mut others) = (0, 0, 0, 0, 0);
    for (name, cron) in JOBS {
        let cron: CronLine = cron.parse().unwrap();
        let recorded: BTreeMap<_, _> =
            looking.recorded(name).await.into_iter().map(|one| (one.due, one)).collect();
        let finished = world.finished.borrow().clone();
        for (due, occasion) in &recorded {
            let times = finished.get(&(name.to_owned(), *due)).copied().unwrap_or(0);
            let once = u32::from(occasion.state == OccasionState::Done);
            assert_eq!(times, once, "{name} at {due}: {occasion:?}");
        }
        let mut due = start;
        while let Some(next) = cron.next_after(due, &site.zone).filter(|next| *next <= site.clock.now()) {
            due = next;
            expected += 1;
            let state = recorded.get(&due).map(|occasion| occasion.state);
            match (state, is_dark(&dark, due)) {
                (Some(OccasionState::Done), false) => in_time += 1,
                (Some(OccasionState::Done), true) => made_up += 1,
                (Some(OccasionState::Failed), _) => given_up += 1,
                // The very last one may have failed just now.
                (None, true) | (Some(_), _) => others += 1,
                (None, false) => panic!("{name} never came at {due}"),
            }
        }
        let told = told_of(&looking, name).await;
        assert_eq!(told, should_be_told(&world.ended.borrow()[name], site.settings.alert_after), "{name}");
    }
    let done: u32 = world.finished.borrow().values().sum();
    eprintln!(
        "    {DAYS} days, 2 hosts, {turns} looks: of {expected} occasions {in_time} were done in their time, {made_up} made up \
         for what nobody was there for, {given_up} failed until the next one, {others} are covered by a later one; {done} \
         finished in all, none twice; {} deaths, {} restarts, {} faults, the clock set {} times",
        world.kills.get(),
        world.restarts.get(),
        world.faults.get(),
        SET.len(),
    );
    assert!(in_time > 650 && world.kills.get() > 40 && world.restarts.get() > 30, "too little has happened");
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

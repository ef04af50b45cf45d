//! What becomes of jobs while they run: they work at once or for long, fail, overrun, and end their process.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::{QUIET, SET, when};
use crate::clock::Clock;
use crate::schedule::tests::fixture::{done, failed};
use crate::schedule::{Call, Failure, Report};
use crate::stop::Stop;

/// As the fixture's jobs and settings have them.
const DEADLINE: Duration = Duration::from_secs(3600);
const GRACE: Duration = Duration::from_secs(30);

/// A job, and when it was due.
pub(super) type Key = (String, Timestamp);

enum Fate {
    /// The process dies before the job has done anything.
    Dies,
    /// It dies when the job has done all, and has yet to say so.
    DiesWithItsReport,
    /// It dies in the middle of a job that takes long.
    DiesLater,
    /// The server is told to stop.
    IsStopped,
    Fails {
        passing: bool,
    },
    Works {
        minutes: u64,
    },
    /// The job does not end within its deadline, and may not even listen when it is asked to.
    Overruns {
        obeys: bool,
    },
}

/// From when until when a job ran, by the clock.
pub(super) struct Span {
    pub name: String,
    pub since: Timestamp,
    pub until: Timestamp,
    pub died: bool,
}

/// A job in the middle of its work.
struct Asleep {
    /// When it goes on, in the clock's running time; never, where its process is about to die.
    until: Option<Duration>,
    /// Whether it goes on when it is asked to stop.
    obeys: bool,
    /// Whether it waits for the clock itself.
    sleeps: bool,
}

pub(super) struct World {
    clock: Clock,
    chance: Cell<u64>,
    running: RefCell<BTreeSet<String>>,
    asleep: RefCell<BTreeMap<(usize, String), Asleep>>,
    /// What was done. Doing it again changes nothing, as with jobs that keep a journal.
    pub done: RefCell<BTreeSet<Key>>,
    /// What was done by a process that died before it could say so.
    pub unreported: RefCell<BTreeSet<Key>>,
    pub repeated: RefCell<Vec<Key>>,
    /// How attempts ended: whether well, and whether trying again helps.
    pub ended: RefCell<BTreeMap<String, Vec<Result<(), bool>>>>,
    pub spans: RefCell<Vec<Span>>,
    /// Which machine's process dies as soon as the others are where they wait.
    pub dying: RefCell<[bool; 2]>,
    /// Which one's is dead, so that its jobs are dropped.
    pub dead: RefCell<[bool; 2]>,
    pub stops: RefCell<[Stop; 2]>,
    pub kills: Cell<u32>,
    pub restarts: Cell<u32>,
    pub faults: Cell<u32>,
    pub overruns: Cell<u32>,
    pub across_jumps: Cell<u32>,
}

/// A job that is running. It is not any more when its host dies, or when it is cut off.
struct Running<'a> {
    world: &'a World,
    machine: usize,
    name: &'a str,
    since: Timestamp,
    /// Nothing but its deadline ends it.
    stubborn: Cell<bool>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let (world, name) = (self.world, self.name.to_owned());
        world.running.borrow_mut().remove(&name);
        world.asleep.borrow_mut().remove(&(self.machine, name.clone()));
        let died = world.dead.borrow()[self.machine];
        let cut_off = self.stubborn.get() && !world.stops.borrow()[self.machine].is_asked();
        // Both count as failures that may pass: the former for whoever takes the job over.
        if died || cut_off {
            world.note(self.name, Err(true));
        }
        world.spans.borrow_mut().push(Span { name, since: self.since, until: world.clock.now(), died });
    }
}

impl World {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            chance: Cell::new(2027),
            running: RefCell::default(),
            asleep: RefCell::default(),
            done: RefCell::default(),
            unreported: RefCell::default(),
            repeated: RefCell::default(),
            ended: RefCell::default(),
            spans: RefCell::default(),
            dying: RefCell::default(),
            dead: RefCell::default(),
            stops: RefCell::default(),
            kills: Cell::new(0),
            restarts: Cell::new(0),
            faults: Cell::new(0),
            overruns: Cell::new(0),
            across_jumps: Cell::new(0),
        }
    }

    pub(super) fn draw(&self, below: u64) -> u64 {
        // A linear congruential generator is random enough, and always the same.
        self.chance.set(
            self.chance.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407),
        );
        (self.chance.get() >> 33) % below
    }

    /// When a job goes on that waits in the middle of its work; none where it does not wait there.
    pub(super) fn goes_on(&self, machine: usize, name: &str) -> Option<Duration> {
        let asleep = self.asleep.borrow();
        asleep.get(&(machine, name.to_owned())).map(|asleep| asleep.until.unwrap_or(Duration::MAX))
    }

    fn fate(&self) -> Fate {
        let ran = self.clock.ran();
        if ran > QUIET {
            return Fate::Works { minutes: 0 };
        }
        if SET.iter().any(|(hour, _)| (ran..ran + Duration::from_secs(1200)).contains(&when(*hour))) {
            self.across_jumps.set(self.across_jumps.get() + 1);
            return Fate::Works { minutes: 40 };
        }
        match self.draw(100) {
            0..5 => Fate::Dies,
            5..8 => Fate::DiesWithItsReport,
            8..11 => Fate::DiesLater,
            11..17 => Fate::IsStopped,
            17..35 => Fate::Fails { passing: true },
            35..37 => Fate::Fails { passing: false },
            37..40 => Fate::Works { minutes: 1 + self.draw(50) },
            40 => Fate::Overruns { obeys: true },
            41 => Fate::Overruns { obeys: false },
            _ => Fate::Works { minutes: 0 },
        }
    }

    /// How many wait for the clock: for each job that waits, who renews its lease, who watches its deadline, and perhaps the
    /// job itself.
    pub(super) fn sleepers(&self) -> usize {
        self.asleep.borrow().values().map(|asleep| 2 + usize::from(asleep.sleeps)).sum()
    }

    fn falls_asleep(&self, machine: usize, name: &str, wait: Option<Duration>, obeys: bool, sleeps: bool) {
        let until = wait.map(|wait| self.clock.ran() + wait);
        let asleep = Asleep { until, obeys, sleeps };
        self.asleep.borrow_mut().insert((machine, name.to_owned()), asleep);
    }

    async fn die(&self, machine: usize, name: &str) -> Result<Report, Failure> {
        self.kills.set(self.kills.get() + 1);
        self.falls_asleep(machine, name, None, false, false);
        self.dying.borrow_mut()[machine] = true;
        std::future::pending().await
    }

    /// Has a machine's server stop, and whatever waits on it go on.
    fn stop(&self, machine: usize) {
        self.restarts.set(self.restarts.get() + 1);
        self.stops.borrow()[machine].ask();
        let ran = self.clock.ran();
        for ((on, _), asleep) in self.asleep.borrow_mut().iter_mut() {
            if let Some(until) = asleep.until.as_mut().filter(|_| *on == machine) {
                *until = if asleep.obeys { ran } else { (ran + GRACE).min(*until) };
            }
        }
    }

    fn note(&self, name: &str, ended: Result<(), bool>) {
        self.faults.set(self.faults.get() + u32::from(ended.is_err()));
        self.ended.borrow_mut().entry(name.to_owned()).or_default().push(ended);
    }

    fn do_it(&self, key: &Key) {
        if !self.done.borrow_mut().insert(key.clone()) {
            self.repeated.borrow_mut().push(key.clone());
        }
    }

    pub(super) async fn work(&self, machine: usize, name: &str, call: Call) -> Result<Report, Failure> {
        assert!(self.running.borrow_mut().insert(name.to_owned()), "{name} runs twice at once");
        let since = self.clock.now();
        let running = Running { world: self, machine, name, since, stubborn: Cell::new(false) };
        let key = (name.to_owned(), call.time.timestamp());
        let stopped = || Ok(Report { partly: true, ..Report::default() });
        tokio::task::yield_now().await;
        match self.fate() {
            Fate::Dies => self.die(machine, name).await,
            Fate::DiesWithItsReport => {
                self.do_it(&key);
                self.unreported.borrow_mut().insert(key);
                self.die(machine, name).await
            }
            Fate::DiesLater => {
                let wait = Duration::from_secs(600);
                self.falls_asleep(machine, name, Some(wait), true, true);
                tokio::select! {
                    () = self.clock.sleep(wait) => self.die(machine, name).await,
                    () = call.stop.asked() => stopped(),
                }
            }
            Fate::IsStopped => {
                self.stop(machine);
                call.stop.asked().await;
                stopped()
            }
            Fate::Fails { passing } => {
                self.note(name, Err(passing));
                failed(passing)
            }
            Fate::Overruns { obeys } => {
                self.overruns.set(self.overruns.get() + 1);
                running.stubborn.set(true);
                let until = if obeys { DEADLINE } else { DEADLINE + GRACE };
                self.falls_asleep(machine, name, Some(until), obeys, false);
                if !obeys {
                    std::future::pending::<()>().await;
                }
                call.stop.asked().await;
                stopped()
            }
            Fate::Works { minutes } => {
                if minutes > 0 {
                    let wait = Duration::from_secs(60 * minutes);
                    self.falls_asleep(machine, name, Some(wait), true, true);
                    tokio::select! {
                        () = self.clock.sleep(wait) => {}
                        () = call.stop.asked() => return stopped(),
                    }
                    self.asleep.borrow_mut().remove(&(machine, name.to_owned()));
                }
                self.do_it(&key);
                self.note(name, Ok(()));
                done()
            }
        }
    }
}

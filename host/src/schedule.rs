//! What happens by itself: jobs, each on its occasions.
//!
//! An occasion is a row in the database before its job runs. Whichever host comes first takes it with a lease, which it
//! renews as long as the job runs; where it dies, another host finds that the lease is not renewed any more and runs
//! the job again, which goes on from its journal. So each occasion is finished exactly once, however many hosts there
//! are, and whatever becomes of them and of their clocks: a lease is watched by the time that passes on the watcher's
//! side, and no two clocks are compared.
//!
//! A job never runs twice at the same time: an occasion that comes while it is running is recorded as skipped. What fails
//! in passing is tried again, later and later, until the next occasion takes its place. What only somebody who acts can
//! mend is told at once and waits for the next occasion: nothing is won by trying it before, and who has acted runs the job
//! by hand. A job that finds another process at its work has not failed, and waits for its turn.
//!
//! Occasions that a clock which ran ahead has recorded are in the way of none that come before them, and come again at
//! their times: all jobs may be done twice.
//!
//! Mail that waits is not a job: `usher serve` looks for it every few seconds.

mod alert;
pub mod by_hand;
mod clocks;
pub mod jobs;
mod leftovers;
pub mod overview;
pub mod presence;
mod pulse;
mod seen;
#[cfg(test)]
mod tests;
mod turn;
mod work;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use self::pulse::Pulse;
use self::seen::Seen;
use crate::app::App;
use crate::batch::{BatchError, ExclusiveError};
use crate::clock::Clock;
use crate::cron::CronLine;
use crate::database::{Database, DatabaseError};
use crate::leases::{LASTS as LEASE, Leases, RENEWAL};
use crate::outbox::{Outbox, OutboxError};
use crate::process::Process;
use crate::settings::schedule::{Missed, Schedule, Times};
use crate::stop::Stop;

/// How often a job is looked at although nothing is due: somebody may have set the clock, or another host may have died.
const LOOK: Duration = Duration::from_secs(30);

/// How late an occasion may be and still not count as missed: as long as a restart takes.
const ON_TIME: SignedDuration = SignedDuration::from_mins(2);

/// A job.
pub struct Job<'a> {
    /// Its name, by which its occasions are recorded.
    pub name: String,
    /// When it runs; none where it does not by itself.
    pub cron: Option<CronLine>,
    /// How long one attempt may take.
    pub deadline: Duration,
    /// What becomes of occasions that nobody was there for.
    pub missed: Missed,
    /// What it does.
    pub work: Work<'a>,
}

/// What a job does, on an occasion.
pub type Work<'a> = Box<dyn Fn(Call) -> LocalBoxFuture<'a, Result<Report, Failure>> + 'a>;

/// An occasion for a job to do its work.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it is due, in the site's time zone.
    pub time: Zoned,
    /// Whether the job should only say what it would do.
    pub dry_run: bool,
    /// Asks it to end with the step that it is taking.
    pub stop: Stop,
}

/// What a job did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One sentence, without anybody's name: it is kept and mailed.
    pub summary: String,
    /// Further lines.
    pub details: Vec<String>,
    /// Whether something is left that could not be done, and that is not for the job to try again.
    pub partly: bool,
}

/// Why a job did not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why, and what to do.
    pub reason: String,
    /// What helps.
    pub remedy: Remedy,
}

/// What helps a job that did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Trying again may, without anybody doing anything.
    Time,
    /// Nothing does until somebody acts.
    Action,
    /// It has not failed: another process is at the same work, and it is its turn when that one is finished.
    Turn,
}

/// Why the scheduler cannot go on at present.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A mail to the operator cannot be recorded.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// Runs jobs on their occasions.
pub struct Scheduler<'a> {
    jobs: Vec<Job<'a>>,
    database: Database,
    outbox: Outbox,
    /// What jobs hold while they work, watched for what dead hosts have left.
    leases: Leases,
    clock: Clock,
    zone: TimeZone,
    settings: Schedule,
    /// How long occasions that are over are remembered.
    kept: SignedDuration,
    /// What this process is called among the holders of occasions.
    holder: String,
    /// What the machine that it runs on is known by.
    host: String,
    /// What tells the server, as one that runs the jobs that its settings name, from others: its machine and its settings.
    server: String,
    /// Whether somebody at a terminal reads what is said on standard error.
    attended: bool,
    /// Whether a holder is known to be dead.
    is_gone: fn(&str) -> bool,
    /// As [`LOOK`].
    look: Duration,
    pulse: Pulse,
}

impl Failure {
    /// A failure that trying again may help with, if it is `passing`, and else only somebody who acts.
    #[must_use]
    pub fn new(reason: String, passing: bool) -> Self {
        Self { reason, remedy: if passing { Remedy::Time } else { Remedy::Action } }
    }

    /// Whether trying again may help without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.remedy != Remedy::Action
    }
}

impl From<&BatchError> for Failure {
    fn from(error: &BatchError) -> Self {
        match error {
            BatchError::Exclusive(ExclusiveError::Busy { kind, holder, since }) => Self {
                reason: format!("another {kind} is running: {holder}, since {since}"),
                remedy: Remedy::Turn,
            },
            error => Self::new(error.to_string(), error.is_passing()),
        }
    }
}

impl<'a> Job<'a> {
    /// A job at the times that a site sets, or at the `default` ones.
    pub fn new(name: &str, times: &Times, default: Option<&str>, work: Work<'a>) -> Self {
        Self {
            name: name.to_owned(),
            cron: times.cron_or(default),
            deadline: times.deadline(),
            missed: times.missed,
            work,
        }
    }
}

impl<'a> Scheduler<'a> {
    /// A scheduler for the jobs of a site.
    #[must_use]
    pub fn new(app: &'a App) -> Self {
        Self::of(app, jobs::jobs(app))
    }

    fn of(app: &'a App, mut jobs: Vec<Job<'a>>) -> Self {
        jobs.retain(|job| job.cron.is_some());
        Self {
            pulse: Pulse::new(jobs.len()),
            jobs,
            database: app.database.clone(),
            outbox: app.outbox.clone(),
            leases: app.leases.clone(),
            clock: app.clock.clone(),
            zone: app.settings.site.time_zone.clone(),
            settings: app.settings.schedule.clone(),
            kept: SignedDuration::try_from(app.settings.retention.reports).unwrap_or(SignedDuration::MAX),
            holder: Process::this().to_string(),
            host: Process::this().machine(),
            server: server_of(&Process::this().machine(), &app.settings.file),
            attended: std::io::stderr().is_terminal(),
            is_gone: Process::is_gone,
            look: LOOK,
        }
    }

    /// Runs jobs until it is asked to stop. What runs then ends with the step that it is taking, within
    /// `schedule.grace`, and its occasion is given back.
    pub async fn run(&self, stop: &Stop) {
        self.take_up(stop).await;
        let jobs = self.jobs.iter().enumerate().map(|(index, job)| self.keep(index, job, stop));
        tokio::join!(
            join_all(jobs),
            self.forget(stop),
            self.close_leftovers(stop),
            self.watch_leases(stop),
            self.show_presence(stop)
        );
    }

    /// Whether all that it should be doing is being done.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.pulse.is_overdue(self.clock.ran())
    }

    /// Looks after one job.
    async fn keep(&self, index: usize, job: &Job<'_>, stop: &Stop) {
        let mut seen = Seen::default();
        while !stop.is_asked() {
            self.pulse.back_within(index, self.clock.ran(), job.deadline + self.settings.grace);
            let wait = match self.turn(job, &mut seen, stop).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, job = job.name, "the occasions of a job cannot be looked at; trying again");
                    self.look
                }
            };
            self.pulse.back_within(index, self.clock.ran(), wait);
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = stop.asked() => {}
            }
        }
        self.pulse.finished(index);
    }

    /// Forgets what was long ago, once a day.
    async fn forget(&self, stop: &Stop) {
        while !stop.is_asked() {
            let before = self.clock.now().saturating_sub(self.kept).unwrap_or(Timestamp::MIN);
            if let Err(error) = self.database.forget_occasions(before).await {
                tracing::warn!(%error, "old occasions of jobs are not forgotten yet");
            }
            tokio::select! {
                () = self.clock.sleep(Duration::from_secs(24 * 3600)) => {}
                () = stop.asked() => {}
            }
        }
    }
}

/// What tells a server of a machine that runs the jobs of this settings file from others, whatever folder each was started in.
/// By the file's name and not by what a link of that name leads to, which may be another one with each change.
fn server_of(machine: &str, settings: &Path) -> String {
    let file = std::path::absolute(settings);
    let file = file.as_deref().unwrap_or(settings);
    format!("{machine} {}", file.display())
}

//! What happens by itself: jobs, each on its occasions.
//!
//! An occasion is a row in the database before its job runs. Whichever host comes first takes it with a lease, which it
//! renews as long as the job runs; where it dies, another host finds that the lease is not renewed any more and runs
//! the job again, which goes on from its journal. So each occasion is finished exactly once, however many hosts there
//! are, and whatever becomes of them and of their clocks: a lease is watched by the time that passes on the watcher's
//! side, and no two clocks are compared.
//!
//! A job never runs twice at the same time: an occasion that comes while it is running is recorded as skipped. What fails
//! in passing is tried again, later and later, until the next occasion takes its place.
//!
//! Mail that waits is not a job: `usher serve` looks for it every few seconds.

mod alert;
pub mod by_hand;
pub mod jobs;
mod leftovers;
pub mod overview;
mod pulse;
#[cfg(test)]
mod tests;
mod turn;
mod work;

use std::io::IsTerminal as _;
use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use self::pulse::Pulse;
use self::turn::Seen;
use crate::app::App;
use crate::clock::Clock;
use crate::cron::CronLine;
use crate::database::{Database, DatabaseError};
use crate::outbox::{Outbox, OutboxError};
use crate::process::Process;
use crate::settings::schedule::{Missed, Schedule, Times};
use crate::stop::Stop;

/// For how long nobody else may take an occasion whose lease is not renewed.
const LEASE: Duration = Duration::from_secs(120);

/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

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
    /// Whether trying again may help without anybody doing anything.
    pub passing: bool,
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
    clock: Clock,
    zone: TimeZone,
    settings: Schedule,
    /// How long occasions that are over are remembered.
    kept: SignedDuration,
    /// What this process is called among the holders of occasions.
    holder: String,
    /// The machine that it runs on.
    host: String,
    /// Whether somebody at a terminal reads what is said on standard error.
    attended: bool,
    /// Whether a holder is known to be dead.
    is_gone: fn(&str) -> bool,
    /// As [`LOOK`].
    look: Duration,
    pulse: Pulse,
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
            clock: app.clock.clone(),
            zone: app.settings.site.time_zone.clone(),
            settings: app.settings.schedule.clone(),
            kept: SignedDuration::try_from(app.settings.retention.reports).unwrap_or(SignedDuration::MAX),
            holder: Process::this().to_string(),
            host: Process::this().host().to_owned(),
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
        tokio::join!(join_all(jobs), self.forget(stop), self.close_leftovers(stop));
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

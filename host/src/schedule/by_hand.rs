//! Jobs that somebody runs by hand: recorded among the occasions, and never at the same time as one of them.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;

use super::seen::Seen;
use super::turn::DIED;
use super::work::{Cut, not_in_time};
use super::{Failure, LEASE, Report, ScheduleError, Scheduler, alert, jobs};
use crate::app::App;
use crate::database::{Database, DatabaseError, OccasionEnd, OccasionRecord, OccasionState};
use crate::leases::{LOOK, seems_dead};
use crate::outbox::Delivery;
use crate::process::Process;
use crate::settings::schedule::Times;
use crate::stop::Stop;

/// Why a job cannot be run by hand now, or was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// It is running.
    #[error("the job {job} is being run by {holder}, since {since}; wait until it is finished")]
    Busy {
        /// The job.
        job: String,
        /// The process.
        holder: String,
        /// Since when, in the site's time zone.
        since: String,
    },
    /// Another process has taken over.
    #[error("stopped: this process was stalled for so long that another one has taken over the job {0}")]
    Lost(String),
    /// The process was told to end.
    #[error("the job {0} was interrupted; the next run goes on from there")]
    Interrupted(String),
    /// It took too long.
    #[error("the job {job}: {reason}; the next run goes on from there")]
    Late {
        /// The job.
        job: String,
        /// Its deadline, in words.
        reason: String,
    },
    /// It could not be recorded.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// Does a job's work, and records what `told` makes of its result. Where `app.stop` is asked, and at the job's deadline, it ends
/// with its step, within `schedule.grace`.
///
/// # Errors
/// Where the job is running already, does not end in time, or what it did cannot be recorded.
pub async fn run<T>(
    app: &App,
    job: &str,
    work: impl Future<Output = T>,
    told: impl FnOnce(&T) -> Result<Report, Failure>,
) -> Result<T, ByHandError> {
    let scheduler = Scheduler::of(app, Vec::new());
    let known = jobs::jobs(app).into_iter().find(|known| known.name == job);
    let deadline = known.map_or_else(|| Times::default().deadline(), |known| known.deadline);
    let done = scheduler.run_by_hand(job, deadline, &app.stop, work, told).await;
    send_alerts(app).await;
    done
}

/// Where timers run all jobs, nobody else may send for a long time what an operator is to be told.
async fn send_alerts(app: &App) {
    let waits =
        app.outbox.pending().await.is_ok_and(|pending| pending.iter().any(|mail| mail.kind == alert::KIND));
    if !waits || app.stop.is_asked() {
        return;
    }
    match app.outbox.deliver_due().await {
        Ok(deliveries) => deliveries.iter().for_each(Delivery::log),
        Err(error) => tracing::error!(%error, "the operator cannot be told how a job is doing"),
    }
}

impl Scheduler<'_> {
    pub(super) async fn run_by_hand<T>(
        &self,
        job: &str,
        deadline: Duration,
        stop: &Stop,
        work: impl Future<Output = T>,
        told: impl FnOnce(&T) -> Result<Report, Failure>,
    ) -> Result<T, ByHandError> {
        let occasion = self.begin_by_hand(job, stop).await?;
        let asked = Cell::new(None);
        let cut = async {
            let why = tokio::select! {
                () = self.clock.sleep(deadline) => Cut::Deadline,
                () = stop.asked() => Cut::Stop,
            };
            asked.set(Some(why));
            stop.ask();
            self.clock.sleep(self.settings.grace).await;
        };
        let done = tokio::select! {
            done = work => Some(done),
            () = self.renew(&occasion) => return Err(ByHandError::Lost(job.to_owned())),
            () = cut => None,
        };
        let ended = done.as_ref().map(told);
        // The work may have seen sooner than this that it is to end.
        let asked = asked.get().or_else(|| stop.is_asked().then_some(Cut::Stop));
        let (ended, error) = match (ended, asked) {
            // What was finished all the same is finished.
            (Some(Ok(report)), _) if !report.partly => (Ok(report), None),
            (_, Some(Cut::Stop)) => {
                self.interrupt_by_hand(&occasion).await?;
                return done.ok_or_else(|| ByHandError::Interrupted(job.to_owned()));
            }
            (Some(ended), None) => (ended, None),
            (_, Some(Cut::Deadline)) | (None, None) => {
                let late = not_in_time(deadline);
                let (job, reason) = (job.to_owned(), late.reason.clone());
                (Err(late), Some(ByHandError::Late { job, reason }))
            }
        };
        self.record_end(job, &occasion, &ended).await?;
        match (done, error) {
            (Some(done), _) => Ok(done),
            (None, Some(error)) => Err(error),
            (None, None) => Err(ByHandError::Interrupted(job.to_owned())),
        }
    }

    /// An interruption is no failure of the job.
    async fn interrupt_by_hand(&self, occasion: &OccasionRecord) -> Result<(), ScheduleError> {
        let now = self.clock.now();
        let summary = "interrupted: Usher was told to end";
        let ending = OccasionEnd { state: OccasionState::Failed, next_attempt: now, summary, details: &[] };
        let mut transaction = self.database.begin().await?;
        Database::end_occasion(&mut transaction, occasion.id, &self.holder, &ending, now).await?;
        Ok(transaction.commit().await.map_err(DatabaseError::from)?)
    }

    /// Begins as soon as nobody else runs the job. Where somebody seems to, that is said at once; where that process may
    /// well be dead, it is watched for as long as it takes to be sure.
    async fn begin_by_hand(&self, job: &str, stop: &Stop) -> Result<OccasionRecord, ByHandError> {
        let mut seen = Seen::default();
        let mut watched = None;
        loop {
            let other = match self.try_to_begin(job, &mut seen).await.map_err(ScheduleError::from)? {
                Ok(occasion) => return Ok(occasion),
                Err(other) => other,
            };
            let state = (other.id, other.renewals);
            let shows_life = watched.is_some_and(|watched| watched != state);
            let ends = other.lease_ends.unwrap_or(Timestamp::MIN);
            if shows_life || !seems_dead(ends, self.clock.now()) {
                return Err(self.busy(job, &other));
            }
            if watched.replace(state).is_none() {
                tracing::warn!(
                    job,
                    holder = in_words(&other),
                    "the process that runs the job seems to be dead; looking for two minutes whether it is"
                );
            }
            tokio::select! {
                () = self.clock.sleep(LOOK) => {}
                () = stop.asked() => return Err(ByHandError::Interrupted(job.to_owned())),
            }
        }
    }

    fn busy(&self, job: &str, other: &OccasionRecord) -> ByHandError {
        let since = other.started.unwrap_or(other.due).to_zoned(self.zone.clone());
        ByHandError::Busy {
            job: job.to_owned(),
            holder: in_words(other),
            since: since.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        }
    }

    /// The occasion, or the one that is in its way.
    async fn try_to_begin(
        &self,
        job: &str,
        seen: &mut Seen,
    ) -> Result<Result<OccasionRecord, OccasionRecord>, DatabaseError> {
        let now = self.clock.now();
        let mut transaction = self.database.begin().await?;
        for open in Database::open_occasions(&mut transaction, job).await? {
            if self.is_running(&open, seen) {
                return Ok(Err(open));
            }
            if open.by_hand {
                Database::close_occasion(&mut transaction, open.id, OccasionState::Failed, DIED).await?;
            }
        }
        let id = Database::begin_by_hand(&mut transaction, job, &self.holder, LEASE, now).await?;
        let begun = Database::open_occasions(&mut transaction, job).await?;
        transaction.commit().await?;
        let begun = begun.into_iter().find(|open| open.id == id);
        let begun = begun.ok_or_else(|| DatabaseError::Damaged("an occasion is not there".to_owned()))?;
        // Attempts are counted before each.
        Ok(Ok(OccasionRecord { attempts: 0, ..begun }))
    }
}

fn in_words(other: &OccasionRecord) -> String {
    let holder = other.holder.clone().unwrap_or_default();
    Process::parse(&holder).map_or(holder, |process| process.in_words())
}

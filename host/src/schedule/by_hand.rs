//! Jobs that somebody runs by hand: recorded among the occasions, and never at the same time as one of them.

use super::turn::Seen;
use super::{Failure, LEASE, Report, ScheduleError, Scheduler};
use crate::app::App;
use crate::database::{Database, DatabaseError, OccasionRecord, OccasionState};
use crate::process::Process;

/// Why a job cannot be run by hand now.
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
    /// It could not be recorded.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// Does a job's work, and records what `told` makes of its result.
///
/// # Errors
/// Where the job is running already, or what it did cannot be recorded.
pub async fn run<T>(
    app: &App,
    job: &str,
    work: impl Future<Output = T>,
    told: impl FnOnce(&T) -> Result<Report, Failure>,
) -> Result<T, ByHandError> {
    let scheduler = Scheduler::of(app, Vec::new());
    let occasion = scheduler.begin_by_hand(job).await?;
    let done = tokio::select! {
        done = work => done,
        () = scheduler.renew(&occasion) => return Err(ByHandError::Lost(job.to_owned())),
    };
    scheduler.record_end(job, &occasion, told(&done)).await?;
    Ok(done)
}

impl Scheduler<'_> {
    async fn begin_by_hand(&self, job: &str) -> Result<OccasionRecord, ByHandError> {
        Ok(match self.try_to_begin(job).await.map_err(ScheduleError::from)? {
            Ok(occasion) => occasion,
            Err(other) => {
                let holder = other.holder.unwrap_or_default();
                let since = other.started.unwrap_or(other.due).to_zoned(self.zone.clone());
                return Err(ByHandError::Busy {
                    job: job.to_owned(),
                    holder: Process::parse(&holder).map_or(holder, |process| process.in_words()),
                    since: since.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
                });
            }
        })
    }

    /// The occasion, or the one that is in its way.
    async fn try_to_begin(&self, job: &str) -> Result<Result<OccasionRecord, OccasionRecord>, DatabaseError> {
        let now = self.clock.now();
        let mut transaction = self.database.begin().await?;
        for open in Database::open_occasions(&mut transaction, job).await? {
            if self.is_running(&open, &mut Seen::default()) {
                return Ok(Err(open));
            }
            if open.by_hand {
                let interrupted = "interrupted: the process that ran the job has died";
                Database::close_occasion(&mut transaction, open.id, OccasionState::Failed, interrupted)
                    .await?;
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

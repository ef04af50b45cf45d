//! The records of when jobs run by themselves: which occasions there were, who runs one, and how they ended.

mod ahead;
mod endings;
mod jobs;
mod switched_off;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

pub use self::ahead::FurtherOn;
pub use self::endings::OccasionEnd;
pub use self::jobs::JobHealth;
use super::{Database, DatabaseError, Transaction, timestamp};

/// An occasion of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OccasionRecord {
    /// Its number.
    pub id: i64,
    /// The job.
    pub job: String,
    /// When it is due; for one by hand, when it was asked for.
    pub due: Timestamp,
    /// Whether somebody ran the job by hand.
    pub by_hand: bool,
    /// Whether a clock that ran ahead recorded it: when its time comes and it is over, there is another one.
    pub ahead: bool,
    /// How many occasions it stands for: itself, and those before it that were missed with it.
    pub stands_for: u32,
    /// What has become of it.
    pub state: OccasionState,
    /// How often it was begun, interruptions not counted.
    pub attempts: u32,
    /// After how many attempts in a row the process that ran it was found dead. The next occasion takes the number over.
    pub deaths: u32,
    /// How often in a row it was given back because another process was at the same work.
    pub busy: u32,
    /// When it may be begun next, where it waits.
    pub next_attempt: Timestamp,
    /// Who runs it.
    pub holder: Option<String>,
    /// Until when the holder has it, unless it renews that, by the holder's clock.
    pub lease_ends: Option<Timestamp>,
    /// Changes as long as its holder lives.
    pub renewals: i64,
    /// When its last attempt began.
    pub started: Option<Timestamp>,
    /// When its last attempt ended.
    pub ended: Option<Timestamp>,
    /// One sentence: what it did, or why not.
    pub summary: Option<String>,
    /// Further lines.
    pub details: Vec<String>,
}

/// What has become of an occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OccasionState {
    /// It has yet to be run, for the first time or again.
    Waiting,
    /// It is being run.
    Running,
    /// It was run.
    Done,
    /// It was run, and its report names what could not be done.
    Partly,
    /// It failed and will not be tried again.
    Failed,
    /// The one before was still running, or a later one came first.
    Skipped,
    /// It was missed and is not made up for.
    Dropped,
}

impl OccasionState {
    const ALL: [Self; 7] =
        [Self::Waiting, Self::Running, Self::Done, Self::Partly, Self::Failed, Self::Skipped, Self::Dropped];

    /// The name, as in the records and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Dropped => "dropped",
        }
    }
}

const COLUMNS: &str = "SELECT id, job, due, by_hand, ahead, stands_for, state, attempts, deaths, busy, next_attempt, \
     holder, lease_ends, renewals, started, ended, summary, details FROM occasion";

/// How many occasions of one job are remembered.
const MOST_OF_ONE_JOB: i64 = 5000;

impl Database {
    /// Records an occasion that waits, or that will never be run and why. Nothing changes where it is recorded
    /// already.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_occasion(
        transaction: &mut Transaction,
        job: &str,
        due: Timestamp,
        stands_for: u32,
        (state, summary): (OccasionState, Option<&str>),
        host: &str,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "INSERT INTO occasion (job, due, stands_for, state, next_attempt, summary, recorded_by) \
             VALUES ($1, $2, $3, $4, $2, $5, $6) ON CONFLICT (job, due) WHERE by_hand = 0 AND ahead < 2 DO NOTHING",
        )
        .bind(job)
        .bind(due.as_millisecond())
        .bind(stands_for)
        .bind(state.name())
        .bind(summary)
        .bind(host)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// The occasions of a job that wait or are being run, the earliest first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn open_occasions(
        transaction: &mut Transaction,
        job: &str,
    ) -> Result<Vec<OccasionRecord>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query
            .push(" WHERE job = ")
            .push_bind(job)
            .push(" AND state IN ('waiting', 'running') ORDER BY due, id");
        query.build().fetch_all(&mut **transaction).await?.iter().map(record).collect()
    }

    /// Whether the job was running at a moment in the past, and did its work. Where its end lies ahead of `now`, the clock
    /// was wrong then and has been set right, and nothing can be said.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn was_running(
        transaction: &mut Transaction,
        job: &str,
        moment: Timestamp,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM occasion WHERE job = $1 AND started < $2 AND ended >= $2 AND ended <= $3 \
             AND ahead = 0 AND state IN ('done', 'partly') LIMIT 1",
        )
        .bind(job)
        .bind(moment.as_millisecond())
        .bind(now.as_millisecond())
        .fetch_optional(&mut **transaction)
        .await?;
        Ok(found.is_some())
    }

    /// Takes an occasion, from whoever had it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claim_occasion(
        transaction: &mut Transaction,
        id: i64,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE occasion SET state = 'running', holder = $2, lease_ends = $3, renewals = renewals + 1, \
             attempts = attempts + 1, started = $4, ended = NULL WHERE id = $1",
        )
        .bind(id)
        .bind(holder)
        .bind(end(now, lasts))
        .bind(now.as_millisecond())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Records that somebody runs a job by hand, and numbers the occasion.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin_by_hand(
        transaction: &mut Transaction,
        job: &str,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<i64, DatabaseError> {
        let id = sqlx::query_scalar(
            "INSERT INTO occasion (job, due, by_hand, state, attempts, next_attempt, holder, lease_ends, started) \
             VALUES ($1, $2, 1, 'running', 1, $2, $3, $4, $2) RETURNING id",
        )
        .bind(job)
        .bind(now.as_millisecond())
        .bind(holder)
        .bind(end(now, lasts))
        .fetch_one(&mut **transaction)
        .await?;
        Ok(id)
    }

    /// Shows that the holder lives. False where somebody else has taken the occasion meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew_occasion(
        &self,
        id: i64,
        holder: &str,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let renewed = sqlx::query(
            "UPDATE occasion SET lease_ends = $3, renewals = renewals + 1 WHERE id = $1 AND holder = $2",
        )
        .bind(id)
        .bind(holder)
        .bind(end(now, lasts))
        .execute(&self.pool)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// The last `most` occasions of a job, the latest first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn occasions(&self, job: &str, most: u32) -> Result<Vec<OccasionRecord>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(" WHERE job = ").push_bind(job).push(" ORDER BY id DESC LIMIT ").push_bind(most);
        query.build().fetch_all(&self.pool).await?.iter().map(record).collect()
    }

    /// The occasion of a job that was begun last, whether it has ended or not. One that lies ahead of `now` was begun while a
    /// clock was wrong: it is the last where there is no other.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn last_begun_occasion(
        &self,
        job: &str,
        now: Timestamp,
    ) -> Result<Option<OccasionRecord>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(" WHERE job = ").push_bind(job);
        query.push(" AND started IS NOT NULL ORDER BY started <= ").push_bind(now.as_millisecond());
        query.push(" DESC, started DESC, id DESC LIMIT 1");
        query.build().fetch_optional(&self.pool).await?.as_ref().map(record).transpose()
    }

    /// Forgets occasions that are over and were due before a moment, or that are more of one job than anybody looks
    /// through: some jobs run every minute. The last one of each job stays, without its further lines, and so does the last
    /// one that came by itself: up to then its occasions are recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_occasions(&self, before: Timestamp) -> Result<(), DatabaseError> {
        sqlx::query(
            "DELETE FROM occasion WHERE state NOT IN ('waiting', 'running') AND id IN (SELECT id FROM \
             (SELECT id, due, ROW_NUMBER() OVER (PARTITION BY job ORDER BY id DESC) AS place, \
             ROW_NUMBER() OVER (PARTITION BY job, by_hand, ahead ORDER BY id DESC) AS place_of_kind FROM occasion) AS placed \
             WHERE place_of_kind > 1 AND (place > $2 OR due < $1))",
        )
        .bind(before.as_millisecond())
        .bind(MOST_OF_ONE_JOB)
        .execute(&self.pool)
        .await?;
        sqlx::query(
            "UPDATE occasion SET details = NULL WHERE state NOT IN ('waiting', 'running') AND due < $1 \
             AND details IS NOT NULL",
        )
        .bind(before.as_millisecond())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn record(row: &SqliteRow) -> Result<OccasionRecord, DatabaseError> {
    let state: &str = row.try_get("state")?;
    let state = OccasionState::ALL.into_iter().find(|known| known.name() == state);
    let moment = |column| Ok::<_, DatabaseError>(row.try_get::<Option<i64>, _>(column)?.map(timestamp));
    let details: Option<&str> = row.try_get("details")?;
    Ok(OccasionRecord {
        id: row.try_get("id")?,
        job: row.try_get("job")?,
        due: timestamp(row.try_get("due")?)?,
        by_hand: row.try_get("by_hand")?,
        ahead: row.try_get("ahead")?,
        stands_for: row.try_get("stands_for")?,
        state: state.ok_or_else(|| DatabaseError::Damaged("an occasion of an unknown state".to_owned()))?,
        attempts: row.try_get("attempts")?,
        deaths: row.try_get("deaths")?,
        busy: row.try_get("busy")?,
        next_attempt: timestamp(row.try_get("next_attempt")?)?,
        holder: row.try_get("holder")?,
        lease_ends: moment("lease_ends")?.transpose()?,
        renewals: row.try_get("renewals")?,
        started: moment("started")?.transpose()?,
        ended: moment("ended")?.transpose()?,
        summary: row.try_get("summary")?,
        details: match details {
            None => Vec::new(),
            Some(details) => serde_json::from_str(details)
                .map_err(|error| DatabaseError::Damaged(format!("the report of a job ({error})")))?,
        },
    })
}

fn end(now: Timestamp, lasts: Duration) -> i64 {
    SignedDuration::try_from(lasts)
        .ok()
        .and_then(|lasts| now.checked_add(lasts).ok())
        .unwrap_or(Timestamp::MAX)
        .as_millisecond()
}

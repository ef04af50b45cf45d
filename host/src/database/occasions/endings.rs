//! How occasions of jobs end, for now or for good.

use jiff::Timestamp;

use super::OccasionState;
use crate::database::{Database, DatabaseError, Transaction};

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct OccasionEnd<'a> {
    /// What becomes of the occasion.
    pub state: OccasionState,
    /// When to try again, where it waits.
    pub next_attempt: Timestamp,
    /// One sentence.
    pub summary: &'a str,
    /// Further lines.
    pub details: &'a [String],
}

impl Database {
    /// Records how an attempt ended. False where somebody else has taken the occasion meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_occasion(
        transaction: &mut Transaction,
        id: i64,
        holder: &str,
        ending: &OccasionEnd<'_>,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let details = serde_json::to_string(ending.details)
            .map_err(|error| DatabaseError::Damaged(format!("the report of a job ({error})")))?;
        let ended = sqlx::query(
            "UPDATE occasion SET state = $3, holder = NULL, lease_ends = NULL, next_attempt = $4, summary = $5, \
             details = $6, ended = $7, deaths = 0, busy = 0 WHERE id = $1 AND holder = $2",
        )
        .bind(id)
        .bind(holder)
        .bind(ending.state.name())
        .bind(ending.next_attempt.as_millisecond())
        .bind(ending.summary)
        .bind(details)
        .bind(now.as_millisecond())
        .execute(&mut **transaction)
        .await?;
        Ok(ended.rows_affected() == 1)
    }

    /// Has an occasion wait whose holder has died, the `deaths`-th time in a row.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn return_occasion_of_the_dead(
        transaction: &mut Transaction,
        id: i64,
        deaths: u32,
        next_attempt: Timestamp,
        summary: &str,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE occasion SET state = 'waiting', holder = NULL, lease_ends = NULL, deaths = $2, next_attempt = $3, \
             summary = $4, ended = started WHERE id = $1",
        )
        .bind(id)
        .bind(deaths)
        .bind(next_attempt.as_millisecond())
        .bind(summary)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Has an occasion that takes the place of another wait for as long as that one had to, whose process died so often.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn inherit_deaths(
        transaction: &mut Transaction,
        id: i64,
        deaths: u32,
        next_attempt: Timestamp,
    ) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE occasion SET deaths = $2, next_attempt = $3 WHERE id = $1")
            .bind(id)
            .bind(deaths)
            .bind(next_attempt.as_millisecond())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Gives an occasion back that was interrupted, so that anybody may run it at once.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn release_occasion(&self, id: i64, holder: &str, now: Timestamp) -> Result<(), DatabaseError> {
        // Whether it is still running at a moment is not asked of an attempt that was given back.
        sqlx::query(
            "UPDATE occasion SET state = 'waiting', holder = NULL, lease_ends = NULL, attempts = attempts - 1, \
             next_attempt = $3, ended = started WHERE id = $1 AND holder = $2",
        )
        .bind(id)
        .bind(holder)
        .bind(now.as_millisecond())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives an occasion back because another process is at the same work, to be tried again at a moment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn give_occasion_back(
        transaction: &mut Transaction,
        id: i64,
        holder: &str,
        next_attempt: Timestamp,
        why: &str,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE occasion SET state = 'waiting', holder = NULL, lease_ends = NULL, attempts = attempts - 1, \
             busy = busy + 1, next_attempt = $3, summary = $4, details = NULL, ended = started \
             WHERE id = $1 AND holder = $2",
        )
        .bind(id)
        .bind(holder)
        .bind(next_attempt.as_millisecond())
        .bind(why)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// Ends an occasion that nobody will run any more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn close_occasion(
        transaction: &mut Transaction,
        id: i64,
        state: OccasionState,
        summary: &str,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE occasion SET state = $2, holder = NULL, lease_ends = NULL, ended = COALESCE(ended, started), \
             summary = CASE WHEN summary IS NULL THEN $3 ELSE summary || '; ' || $3 END WHERE id = $1",
        )
        .bind(id)
        .bind(state.name())
        .bind(summary)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }
}

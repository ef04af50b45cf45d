//! What is known of a job: up to when its occasions are recorded, and since when it fails.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use crate::database::{Database, DatabaseError, Transaction, timestamp};

/// By how much a clock may be behind another one whose word is taken for it that an occasion stands for others.
const BEHIND: SignedDuration = SignedDuration::from_hours(1);

/// How a job is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobHealth {
    /// Attempts that failed since the last one that did not.
    pub failures: u32,
    /// When the first of them did.
    pub failing_since: Option<Timestamp>,
    /// Whether the operator was told.
    pub alerted: bool,
}

impl Database {
    /// Up to when the occasions of a job are recorded, as a clock that shows `now` has to see it: that of the last one whose
    /// time has come by that clock, whoever recorded it. What a clock that runs ahead has recorded further on does not count:
    /// neither is it counted again, nor does it keep what comes before from being recorded, unless it comes soon and stands
    /// for that.
    ///
    /// Nothing was missed before `job.looked_until`, which is when the job was first heard of, or switched on. Where a clock
    /// that ran ahead has set that, nothing was but what came at most `unseen` ago.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn looked_until(
        transaction: &mut Transaction,
        job: &str,
        now: Timestamp,
        unseen: Duration,
    ) -> Result<Timestamp, DatabaseError> {
        sqlx::query("INSERT INTO job (name, looked_until) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(job)
            .bind(now.as_millisecond())
            .execute(&mut **transaction)
            .await?;
        let row = sqlx::query(
            "SELECT looked_until, (SELECT MAX(due) FROM occasion WHERE job = $1 AND by_hand = 0 AND ahead = 0 \
             AND (due <= $2 OR (due <= $3 AND stands_for > 1))) \
             AS last FROM job WHERE name = $1",
        )
        .bind(job)
        .bind(now.as_millisecond())
        .bind(now.saturating_add(BEHIND).unwrap_or(Timestamp::MAX).as_millisecond())
        .fetch_one(&mut **transaction)
        .await?;
        let since = timestamp(row.try_get("looked_until")?)?;
        let since = if since <= now { since } else { now.checked_sub(unseen).unwrap_or(now) };
        let last = row.try_get::<Option<i64>, _>("last")?.map(timestamp).transpose()?;
        Ok(last.map_or(since, |last| last.max(since)))
    }

    /// The jobs that were looked at.
    ///
    /// # Errors
    /// Where the database fails.
    #[cfg(test)]
    pub async fn known_jobs(&self) -> Result<Vec<String>, DatabaseError> {
        Ok(sqlx::query_scalar("SELECT name FROM job ORDER BY name").fetch_all(&self.pool).await?)
    }

    /// How a job is doing.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn job_health(transaction: &mut Transaction, job: &str) -> Result<JobHealth, DatabaseError> {
        let row = sqlx::query("SELECT failures, failing_since, alerted FROM job WHERE name = $1")
            .bind(job)
            .fetch_optional(&mut **transaction)
            .await?;
        let Some(row) = row else { return Ok(JobHealth::default()) };
        Ok(JobHealth {
            failures: row.try_get("failures")?,
            failing_since: row.try_get::<Option<i64>, _>("failing_since")?.map(timestamp).transpose()?,
            alerted: row.try_get("alerted")?,
        })
    }

    /// Records how a job is doing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_job_health(
        transaction: &mut Transaction,
        job: &str,
        health: JobHealth,
    ) -> Result<(), DatabaseError> {
        // One that no server has run by itself is as one that is switched off: it has missed nothing.
        sqlx::query(
            "INSERT INTO job (name, looked_until, switched_off, failures, failing_since, alerted) \
             VALUES ($1, 0, 1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET \
             failures = excluded.failures, failing_since = excluded.failing_since, alerted = excluded.alerted",
        )
        .bind(job)
        .bind(health.failures)
        .bind(health.failing_since.map(Timestamp::as_millisecond))
        .bind(health.alerted)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }
}

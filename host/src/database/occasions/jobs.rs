//! What is known of a job: up to when its occasions are recorded, and since when it fails.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;

use crate::database::{Database, DatabaseError, Transaction, timestamp};

/// Up to when the occasions of a job are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// The job was never heard of until now, or its occasions are recorded until then.
    Until(Timestamp),
    /// They were recorded up to a moment that has yet to come: the clock was wrong, and has been set right.
    Ahead {
        /// From when on they are to be recorded again.
        again_from: Timestamp,
        /// Up to when they were.
        were_until: Timestamp,
    },
}

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
    /// Up to when the occasions of a job are recorded. For a job that was never heard of, that is now: nothing was
    /// missed. Where it is in the future, the clock went wrong for a while and was set right, at most `unseen` ago: what
    /// is recorded already does not come again, and the rest begins then.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn looked_until(
        transaction: &mut Transaction,
        job: &str,
        now: Timestamp,
        unseen: Duration,
    ) -> Result<Looked, DatabaseError> {
        let known: Option<i64> = sqlx::query_scalar("SELECT looked_until FROM job WHERE name = $1")
            .bind(job)
            .fetch_optional(&mut **transaction)
            .await?;
        let begins = match known {
            Some(known) if known <= now.as_millisecond() => return Ok(Looked::Until(timestamp(known)?)),
            Some(_) => now.checked_sub(unseen).unwrap_or(now),
            None => now,
        };
        sqlx::query(
            "INSERT INTO job (name, looked_until) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET looked_until = excluded.looked_until",
        )
        .bind(job)
        .bind(begins.as_millisecond())
        .execute(&mut **transaction)
        .await?;
        Ok(match known {
            Some(known) => Looked::Ahead { again_from: begins, were_until: timestamp(known)? },
            None => Looked::Until(begins),
        })
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

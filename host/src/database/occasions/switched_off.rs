//! Which jobs the servers run by themselves, and what those have left that they do not run any more.

use jiff::{SignedDuration, Timestamp};

use super::{COLUMNS, OccasionRecord, OccasionState, record};
use crate::database::{Database, DatabaseError};

/// For how long a server may be away and still count among those that run its jobs: a host may be repaired meanwhile.
const ABSENCE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why an occasion will not be run any more.
const SWITCHED_OFF: &str = "the job was switched off";

impl Database {
    /// A server is started and runs these jobs at these times, in the words of the settings. What one of them would have had
    /// to do while it was switched off, or by times that are new, was not missed.
    ///
    /// A job that no server runs which was there within a week is switched off, and what waits of it with it. Other
    /// servers, on this host or another one, may have other settings.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_up_jobs(
        &self,
        server: &str,
        jobs: &[(&str, String)],
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM job_server WHERE server = $1")
            .bind(server)
            .execute(&mut *transaction)
            .await?;
        for (job, times) in jobs {
            sqlx::query(
                "INSERT INTO job (name, looked_until, times) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET \
                 times = $3, switched_off = 0, \
                 looked_until = CASE WHEN switched_off OR times <> $3 THEN $2 ELSE looked_until END",
            )
            .bind(job)
            .bind(now.as_millisecond())
            .bind(times)
            .execute(&mut *transaction)
            .await?;
            sqlx::query("INSERT INTO job_server (job, server, seen) VALUES ($1, $2, $3)")
                .bind(job)
                .bind(server)
                .bind(now.as_millisecond())
                .execute(&mut *transaction)
                .await?;
        }
        let long_ago = now.saturating_sub(ABSENCE).unwrap_or(Timestamp::MIN);
        let switched_off: Vec<String> = sqlx::query_scalar(
            "UPDATE job SET switched_off = 1 WHERE switched_off = 0 AND name NOT IN \
             (SELECT job FROM job_server WHERE seen >= $1) RETURNING name",
        )
        .bind(long_ago.as_millisecond())
        .fetch_all(&mut *transaction)
        .await?;
        for job in switched_off {
            for open in Self::open_occasions(&mut transaction, &job).await? {
                let state = match (open.state, open.attempts) {
                    (OccasionState::Waiting, 0) => OccasionState::Dropped,
                    (OccasionState::Waiting, _) => OccasionState::Failed,
                    // Whether its process lives has to be seen first.
                    _ => continue,
                };
                Self::close_occasion(&mut transaction, open.id, state, SWITCHED_OFF).await?;
            }
        }
        // These count no more, and most of them do not come back: their machines are gone, or their settings are elsewhere.
        sqlx::query("DELETE FROM job_server WHERE seen < $1")
            .bind(long_ago.as_millisecond())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// A server is still there, with the jobs that it runs. Answers whether it was known to run any.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn server_is_there(&self, server: &str, now: Timestamp) -> Result<bool, DatabaseError> {
        let known = sqlx::query("UPDATE job_server SET seen = $2 WHERE server = $1")
            .bind(server)
            .bind(now.as_millisecond())
            .execute(&self.pool)
            .await?;
        Ok(known.rows_affected() > 0)
    }

    /// Occasions that are recorded as being run and that no server would take over: those by hand, and those of jobs that are
    /// switched off.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn occasions_without_heir(&self) -> Result<Vec<OccasionRecord>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(
            " WHERE state = 'running' AND (by_hand = 1 OR job IN (SELECT name FROM job WHERE switched_off = 1)) \
             ORDER BY id",
        );
        query.build().fetch_all(&self.pool).await?.iter().map(record).collect()
    }

    /// Ends such an occasion, unless its holder has renewed its lease since it was read.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn close_without_heir(
        &self,
        seen: &OccasionRecord,
        summary: &str,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        let open = Self::open_occasions(&mut transaction, &seen.job).await?;
        if open.iter().any(|open| open.id == seen.id && open.renewals == seen.renewals) {
            Self::close_occasion(&mut transaction, seen.id, OccasionState::Failed, summary).await?;
        }
        Ok(transaction.commit().await?)
    }
}

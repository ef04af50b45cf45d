//! Which jobs the servers run by themselves, and what those have left that they do not run any more.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{COLUMNS, OccasionRecord, OccasionState, record};
use crate::database::{Database, DatabaseError};

/// Why an occasion will not be run any more.
const SWITCHED_OFF: &str = "the job was switched off";

impl Database {
    /// The server of a host is started and runs these jobs at these times, in the words of the settings. What one of them
    /// would have had to do while it was switched off, or by times that are new, was not missed. Those that were run there before and are not any more are switched off, and what waits of
    /// them with them. Jobs that only servers of other hosts run are left alone: their settings may be others.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_up_jobs(
        &self,
        host: &str,
        jobs: &[(&str, String)],
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        for (job, times) in jobs {
            sqlx::query(
                "INSERT INTO job (name, looked_until, host, times) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET \
                 host = $3, times = $4, switched_off = 0, \
                 looked_until = CASE WHEN switched_off OR times <> $4 THEN $2 ELSE looked_until END",
            )
            .bind(job)
            .bind(now.as_millisecond())
            .bind(host)
            .bind(times)
            .execute(&mut *transaction)
            .await?;
        }
        let run: BTreeSet<&str> = jobs.iter().map(|(job, _)| *job).collect();
        let of_host: Vec<String> =
            sqlx::query_scalar("SELECT name FROM job WHERE host = $1 AND switched_off = 0")
                .bind(host)
                .fetch_all(&mut *transaction)
                .await?;
        for job in of_host.iter().filter(|job| !run.contains(job.as_str())) {
            sqlx::query("UPDATE job SET switched_off = 1 WHERE name = $1")
                .bind(job)
                .execute(&mut *transaction)
                .await?;
            for open in Self::open_occasions(&mut transaction, job).await? {
                let state = match (open.state, open.attempts) {
                    (OccasionState::Waiting, 0) => OccasionState::Dropped,
                    (OccasionState::Waiting, _) => OccasionState::Failed,
                    // Whether its process lives has to be seen first.
                    _ => continue,
                };
                Self::close_occasion(&mut transaction, open.id, state, SWITCHED_OFF).await?;
            }
        }
        Ok(transaction.commit().await?)
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

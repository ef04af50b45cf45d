//! Runs: when an import began, when it ended, and with what result.

use jiff::Timestamp;
use sqlx::Row as _;

use super::{Database, DatabaseError};

impl Database {
    /// Records that a run begins, and numbers it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin_run(&self, kind: &str, now: Timestamp) -> Result<i64, DatabaseError> {
        let row = sqlx::query("INSERT INTO run (kind, started) VALUES ($1, $2) RETURNING id")
            .bind(kind)
            .bind(now.as_millisecond())
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get("id")?)
    }

    /// When the last run of that kind ended, or began where it has not ended; none where there was none.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn last_run(&self, kind: &str) -> Result<Option<Timestamp>, DatabaseError> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT COALESCE(finished, started) FROM run WHERE kind = $1 ORDER BY id DESC LIMIT 1",
        )
        .bind(kind)
        .fetch_optional(&self.pool)
        .await?;
        last.map(super::timestamp).transpose()
    }

    /// Records how a run ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn finish_run(&self, run: i64, summary: &str, now: Timestamp) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE run SET finished = $2, summary = $3 WHERE id = $1")
            .bind(run)
            .bind(now.as_millisecond())
            .bind(summary)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

//! Runs: when an import began, when it ended, and with what result.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Database, DatabaseError, timestamp};

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none where it has not, or was killed.
    pub finished: Option<Timestamp>,
    /// One sentence about it; none as above.
    pub summary: Option<String>,
    /// What it reported, as JSON; none as above.
    pub report: Option<String>,
}

/// A step that a run took, or was the last one to try.
#[derive(Clone, Debug)]
pub struct RunStep {
    /// The key of its request.
    pub request: String,
    /// Its name.
    pub name: String,
    /// When it was begun first.
    pub started: Timestamp,
    /// When it ended; none where it has not.
    pub finished: Option<Timestamp>,
    /// How often it was begun.
    pub attempts: u32,
}

const COLUMNS: &str = "SELECT id, started, finished, summary, report FROM run";

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
        last.map(timestamp).transpose()
    }

    /// Records how a run ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn finish_run(
        &self,
        run: i64,
        summary: &str,
        report: &str,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE run SET finished = $2, summary = $3, report = $4 WHERE id = $1")
            .bind(run)
            .bind(now.as_millisecond())
            .bind(summary)
            .bind(report)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets what runs that ended before a moment reported. That there were such runs, and their summaries, stay.
    /// Answers how many there were.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_reports(&self, before: Timestamp) -> Result<u64, DatabaseError> {
        let forgotten =
            sqlx::query("UPDATE run SET report = NULL WHERE finished < $1 AND report IS NOT NULL")
                .bind(before.as_millisecond())
                .execute(&self.pool)
                .await?;
        Ok(forgotten.rows_affected())
    }

    /// The last `most` runs of that kind, the latest first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn runs(&self, kind: &str, most: u32) -> Result<Vec<Run>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(" WHERE kind = ").push_bind(kind).push(" ORDER BY id DESC LIMIT ").push_bind(most);
        query.build().fetch_all(&self.pool).await?.iter().map(run).collect()
    }

    /// The run of that kind and number.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn run(&self, kind: &str, id: i64) -> Result<Option<Run>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(" WHERE kind = ").push_bind(kind).push(" AND id = ").push_bind(id);
        query.build().fetch_optional(&self.pool).await?.as_ref().map(run).transpose()
    }

    /// The steps that a run was the last one to try, in the order in which they were begun.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn steps_of_run(&self, run: i64) -> Result<Vec<RunStep>, DatabaseError> {
        sqlx::query(
            "SELECT request.key, step.name, step.started, step.finished, step.attempts \
             FROM step JOIN request ON request.id = step.request \
             WHERE step.run = $1 ORDER BY step.started, step.rowid",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(step)
        .collect()
    }

    /// The requests that a run was the last one to work on and did not finish: key, and what was noted of each.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn left_open_by(&self, run: i64) -> Result<Vec<(String, Option<String>)>, DatabaseError> {
        Ok(sqlx::query_as("SELECT key, error FROM request WHERE run = $1 AND state = 'open' ORDER BY id")
            .bind(run)
            .fetch_all(&self.pool)
            .await?)
    }
}

fn run(row: &SqliteRow) -> Result<Run, DatabaseError> {
    Ok(Run {
        id: row.try_get("id")?,
        started: timestamp(row.try_get("started")?)?,
        finished: row.try_get::<Option<i64>, _>("finished")?.map(timestamp).transpose()?,
        summary: row.try_get("summary")?,
        report: row.try_get("report")?,
    })
}

fn step(row: &SqliteRow) -> Result<RunStep, DatabaseError> {
    Ok(RunStep {
        request: row.try_get("key")?,
        name: row.try_get("name")?,
        started: timestamp(row.try_get("started")?)?,
        finished: row.try_get::<Option<i64>, _>("finished")?.map(timestamp).transpose()?,
        attempts: row.try_get("attempts")?,
    })
}

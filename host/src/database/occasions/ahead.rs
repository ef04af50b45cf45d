//! Occasions that were recorded before their time, because a clock ran ahead, or runs ahead of another host's.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use crate::database::{Database, DatabaseError, Transaction, timestamp};

/// What another host has recorded that has yet to come by this one's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherOn {
    /// The other host.
    pub host: String,
    /// Up to when.
    pub until: Timestamp,
}

impl Database {
    /// Notes of the occasions that a host recorded itself, and that are due only later, that its clock ran ahead, and says up to
    /// when it did; nothing where all of them are due within `slack`. What another host recorded says nothing about this
    /// one's clock.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn note_recorded_ahead(
        transaction: &mut Transaction,
        job: &str,
        host: &str,
        now: Timestamp,
        slack: SignedDuration,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let furthest: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(due) FROM occasion WHERE job = $1 AND due >= $2 AND recorded_by = $3 AND by_hand = 0 AND ahead = 0",
        )
        .bind(job)
        .bind(far(now, slack))
        .bind(host)
        .fetch_one(&mut **transaction)
        .await?;
        let Some(furthest) = furthest else { return Ok(None) };
        sqlx::query(
            "UPDATE occasion SET ahead = 1 WHERE job = $1 AND due > $2 AND recorded_by = $3 AND by_hand = 0 AND ahead = 0",
        )
        .bind(job)
        .bind(now.as_millisecond())
        .bind(host)
        .execute(&mut **transaction)
        .await?;
        Ok(Some(timestamp(furthest)?))
    }

    /// Which other host has recorded occasions furthest on, where that is further than `slack`.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn recorded_further_on(
        transaction: &mut Transaction,
        job: &str,
        host: &str,
        now: Timestamp,
        slack: SignedDuration,
    ) -> Result<Option<FurtherOn>, DatabaseError> {
        let row = sqlx::query(
            "SELECT recorded_by, due FROM occasion WHERE job = $1 AND due >= $2 AND recorded_by <> $3 AND by_hand = 0 \
             AND ahead = 0 ORDER BY due DESC LIMIT 1",
        )
        .bind(job)
        .bind(far(now, slack))
        .bind(host)
        .fetch_optional(&mut **transaction)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(FurtherOn { host: row.try_get("recorded_by")?, until: timestamp(row.try_get("due")?)? }))
    }

    /// The time has come of an occasion that was recorded ahead of it: one that is over may come again, and one that is open
    /// is as any other.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn let_come_again(
        transaction: &mut Transaction,
        job: &str,
        due: Timestamp,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE occasion SET ahead = CASE WHEN state IN ('waiting', 'running') THEN 0 ELSE 2 END \
             WHERE job = $1 AND due = $2 AND by_hand = 0 AND ahead = 1",
        )
        .bind(job)
        .bind(due.as_millisecond())
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }
}

fn far(now: Timestamp, slack: SignedDuration) -> i64 {
    now.saturating_add(slack).unwrap_or(Timestamp::MAX).as_millisecond()
}

//! How temporary changes of quotas come to their end.

use jiff::Timestamp;

use super::decision::{ChangeFate, RecordedQuotaDecision, with_changes};
use crate::database::{Database, DatabaseError, Transaction};
use crate::registration::QuotaService;

/// Records that the requester was told, or is told by a mail of the same transaction, that a change is about to end.
///
/// # Errors
/// Where the database fails.
pub async fn mark_quota_warned_in(
    transaction: &mut Transaction,
    decision: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE quota_decision SET warned = $2 WHERE id = $1 AND warned IS NULL")
        .bind(decision)
        .bind(now.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A limit at the end of a temporary change.
#[derive(Clone, Copy, Debug)]
pub struct EndedLimit<'a> {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: &'a str,
    /// What became of it.
    pub fate: ChangeFate,
    /// What it went back to, where it did.
    pub before: i64,
}

/// Records that a temporary change has ended and what became of each limit, together with whatever else the
/// transaction holds. False where that was recorded before: the transaction must not be committed then.
///
/// # Errors
/// Where the database fails.
pub async fn record_quota_fates_and_end_in(
    transaction: &mut Transaction,
    decision: i64,
    limits: &[EndedLimit<'_>],
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let ended = sqlx::query("UPDATE quota_decision SET ended = $2 WHERE id = $1 AND ended IS NULL")
        .bind(decision)
        .bind(now.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    for EndedLimit { service, key, fate, before } in limits {
        sqlx::query(
            "UPDATE quota_change SET fate = $4, old = CASE $4 WHEN 'restored' THEN $5 ELSE old END \
             WHERE decision = $1 AND service = $2 AND key = $3",
        )
        .bind(decision)
        .bind(service.name())
        .bind(*key)
        .bind(fate.name())
        .bind(before)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(ended.rows_affected() == 1)
}

impl Database {
    /// The temporary changes in force that end until a moment, of which the requester has not been told, the
    /// first to end first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn quota_decisions_to_warn(
        &self,
        ending_until: Timestamp,
    ) -> Result<Vec<RecordedQuotaDecision>, DatabaseError> {
        self.temporary(ending_until, true).await
    }

    /// The temporary changes that were applied as a whole and are to be undone by now, the first to end first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn quota_decisions_to_end(
        &self,
        now: Timestamp,
    ) -> Result<Vec<RecordedQuotaDecision>, DatabaseError> {
        self.temporary(now, false).await
    }

    async fn temporary(
        &self,
        ending_until: Timestamp,
        only_unwarned: bool,
    ) -> Result<Vec<RecordedQuotaDecision>, DatabaseError> {
        let rows = sqlx::query(
            "SELECT * FROM quota_decision WHERE outcome = 'granted' AND applied IS NOT NULL AND ended IS NULL \
             AND ends <= $1 AND (warned IS NULL OR NOT $2) ORDER BY ends, id",
        )
        .bind(ending_until.as_millisecond())
        .bind(only_unwarned)
        .fetch_all(&self.pool)
        .await?;
        with_changes(&self.pool, rows).await
    }
}

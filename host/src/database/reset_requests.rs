//! What was asked for on the page `/reset`, until it is worked through. Who asked is opaque here: it comes sealed.

use jiff::Timestamp;
use sqlx::FromRow;

use super::setpass_events::{SetpassEvent, SetpassEventKind, record_setpass_event};
use super::{Counted, Database, DatabaseError, Limit, Transaction, count_event_in, timestamp};

/// A request that the caller alone may work on until its claim ends.
#[derive(Debug)]
pub struct ClaimedRequest {
    /// Its number, which no other request ever has.
    pub id: i64,
    /// Who asked, sealed.
    pub who: Vec<u8>,
    /// The hashed PIN.
    pub pin_hash: String,
    /// When it was asked.
    pub created: Timestamp,
    /// How often it was tried before.
    pub tries: u32,
}

#[derive(FromRow)]
struct RequestRow {
    id: i64,
    who: Vec<u8>,
    pin_hash: String,
    created: i64,
    tries: i64,
}

impl Database {
    /// Records a request, and in the audit trail that it came from this client, unless the limit leaves none: false
    /// then.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_reset_request(
        &self,
        who: &[u8],
        pin_hash: &str,
        client: Option<&str>,
        now: Timestamp,
        total: &Limit<'_>,
    ) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        if let Counted::Over { .. } = count_event_in(&mut tx, total, now).await? {
            return Ok(false);
        }
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO reset_request (who, pin_hash, created, next_try) VALUES (?, ?, ?, ?) RETURNING id",
        )
        .bind(who)
        .bind(pin_hash)
        .bind(now.as_millisecond())
        .bind(now.as_millisecond())
        .fetch_one(&mut *tx)
        .await?;
        let (kind, detail) = (SetpassEventKind::ResetRequested, format!("request {id}"));
        let event = SetpassEvent { at: now, kind, user_id: "", link: None, client, detail: &detail };
        record_setpass_event(&mut tx, &event).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Claims the oldest request that is due and nobody else's. What somebody has claimed who `is_gone` is nobody's.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn claim_reset_request(
        &self,
        claimant: &str,
        now: Timestamp,
        until: Timestamp,
        is_gone: impl Fn(&str) -> bool,
    ) -> Result<Option<ClaimedRequest>, DatabaseError> {
        // Most rounds find nothing, and then no other writer has to wait.
        let due: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM reset_request WHERE next_try <= ?")
            .bind(now.as_millisecond())
            .fetch_one(&self.pool)
            .await?;
        if due == 0 {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        let claimants: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT claimed_by FROM reset_request WHERE claimed_until > ?")
                .bind(now.as_millisecond())
                .fetch_all(&mut *tx)
                .await?;
        for gone in claimants.iter().filter(|claimant| is_gone(claimant)) {
            sqlx::query(
                "UPDATE reset_request SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by = ?",
            )
            .bind(gone)
            .execute(&mut *tx)
            .await?;
        }
        let row: Option<RequestRow> = sqlx::query_as(
            "UPDATE reset_request SET claimed_by = ?, claimed_until = ? WHERE id = ( \
                 SELECT id FROM reset_request WHERE next_try <= ? \
                 AND (claimed_until IS NULL OR claimed_until <= ?) ORDER BY id LIMIT 1) \
             RETURNING id, who, pin_hash, created, tries",
        )
        .bind(claimant)
        .bind(until.as_millisecond())
        .bind(now.as_millisecond())
        .bind(now.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ClaimedRequest {
            id: row.id,
            who: row.who,
            pin_hash: row.pin_hash,
            created: timestamp(row.created)?,
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
        }))
    }

    /// Records that a request could not be worked through, and when to try next, and ends the claim.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn postpone_reset_request(
        &self,
        id: i64,
        claimant: &str,
        next_try: Timestamp,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE reset_request SET tries = tries + 1, next_try = ?, claimed_by = NULL, claimed_until = NULL \
             WHERE id = ? AND claimed_by = ?",
        )
        .bind(next_try.as_millisecond())
        .bind(id)
        .bind(claimant)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Erases requests from before a moment, which nobody could work through. Says how many.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase_reset_requests(&self, before: Timestamp) -> Result<u64, DatabaseError> {
        let erased = sqlx::query("DELETE FROM reset_request WHERE created <= ?")
            .bind(before.as_millisecond())
            .execute(&self.pool)
            .await?;
        Ok(erased.rows_affected())
    }
}

/// Erases a request that is worked through with what the transaction holds. False where it is not the claimant's any
/// more: then the transaction must not be committed, as somebody else is at it.
///
/// # Errors
/// Where the database fails.
pub async fn finish_reset_request_in(
    tx: &mut Transaction,
    id: i64,
    claimant: &str,
) -> Result<bool, DatabaseError> {
    let finished = sqlx::query("DELETE FROM reset_request WHERE id = ? AND claimed_by = ?")
        .bind(id)
        .bind(claimant)
        .execute(&mut **tx)
        .await?;
    Ok(finished.rows_affected() == 1)
}

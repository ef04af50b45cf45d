//! The cases of those who ask the helpdesk for another link.

use jiff::Timestamp;
use sqlx::FromRow;

use super::super::{Database, DatabaseError, Transaction};
use super::window_start;

/// How many cases may be opened within 24 hours.
#[derive(Clone, Copy, Debug)]
pub struct CaseLimits {
    /// For one e-mail address.
    pub per_email: u32,
    /// Altogether.
    pub total: u32,
}

/// A case that is still to be decided.
#[derive(Debug, FromRow)]
pub struct ResetCase {
    /// The e-mail address that was given, in the form that compares equal for all spellings.
    pub email: String,
    /// The hashed PIN.
    pub pin_hash: String,
}

impl Database {
    /// Numbers a case, which is not open yet; none, and nothing recorded, where the limits leave none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn number_reset_case(
        &self,
        email: &str,
        now: Timestamp,
        limits: CaseLimits,
    ) -> Result<Option<i64>, DatabaseError> {
        let mut tx = self.begin().await?;
        let (total, of_email): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN email = ? THEN 1 ELSE 0 END), 0) \
             FROM reset_case WHERE created > ?",
        )
        .bind(email)
        .bind(window_start(now))
        .fetch_one(&mut *tx)
        .await?;
        if total >= i64::from(limits.total) || of_email >= i64::from(limits.per_email) {
            return Ok(None);
        }
        let number =
            sqlx::query_scalar("INSERT INTO reset_case (email, created) VALUES (?, ?) RETURNING number")
                .bind(email)
                .bind(now.as_millisecond())
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// Opens a case that was numbered.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_reset_case(
        &self,
        tx: &mut Transaction,
        number: i64,
        pin_hash: &str,
    ) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE reset_case SET pin_hash = ? WHERE number = ? AND closed IS NULL")
            .bind(pin_hash)
            .bind(number)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// The case with this number, unless it is closed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_case(&self, number: i64) -> Result<Option<ResetCase>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT email, pin_hash FROM reset_case \
             WHERE number = ? AND closed IS NULL AND pin_hash IS NOT NULL",
        )
        .bind(number)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Closes a case and erases its PIN hash. False where it was closed already.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn close_case(
        &self,
        tx: &mut Transaction,
        number: i64,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let closed = sqlx::query(
            "UPDATE reset_case SET closed = ?, pin_hash = NULL WHERE number = ? AND closed IS NULL",
        )
        .bind(now.as_millisecond())
        .bind(number)
        .execute(&mut **tx)
        .await?;
        Ok(closed.rows_affected() > 0)
    }
}

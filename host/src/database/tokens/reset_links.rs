//! Links that somebody asked for on the page: any number for one user, each with a PIN of its own.
//!
//! None of them ends another, nor the link that the user was registered with: who asks for somebody else's link takes
//! nothing away. The first one that is used ends them all.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::super::setpass_events::{SetpassEvent, SetpassEventKind, record_setpass_event};
use super::super::{Database, DatabaseError, Transaction, forget_step_password_in};
use super::{CountedAttempt, TokenHash};

/// A link that was asked for.
#[derive(Debug)]
pub struct ResetLink<'a> {
    /// Keystone's id of the user.
    pub user_id: &'a str,
    /// SHA-256 of the token.
    pub token_hash: &'a TokenHash,
    /// Tells the random password that it will have from any other.
    pub password_name: &'a str,
    /// The hashed PIN.
    pub pin_hash: &'a str,
    /// The marker of the request that created the user, where Usher did.
    pub marker: Option<&'a str>,
    /// Now.
    pub issued: Timestamp,
    /// When the link ends.
    pub expires: Timestamp,
    /// What it answers, for the audit trail: a request or a case by its number.
    pub answers: &'a str,
}

/// Records a link that was asked for.
///
/// # Errors
/// Where the database fails.
pub async fn add_reset_link_in(tx: &mut Transaction, link: &ResetLink<'_>) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO setpass_link \
         (user_id, kind, token_hash, expires, password_name, is_password_set, pin_hash, issued, marker) \
         VALUES (?, 'reset', ?, ?, ?, 0, ?, ?, ?)",
    )
    .bind(link.user_id)
    .bind(link.token_hash.as_slice())
    .bind(link.expires.as_millisecond())
    .bind(link.password_name)
    .bind(link.pin_hash)
    .bind(link.issued.as_millisecond())
    .bind(link.marker)
    .execute(&mut **tx)
    .await?;
    let ResetLink { user_id, token_hash, issued: at, answers: detail, .. } = *link;
    let (kind, link) = (SetpassEventKind::Issued, Some(token_hash));
    record_setpass_event(tx, &SetpassEvent { at, kind, user_id, link, client: None, detail }).await
}

impl Database {
    /// Records that Keystone has the random password of the link in the place of the user's, who is told of it where
    /// the link ends before another one is chosen. An import that goes on does not mail a link that would need the
    /// password of before.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_random_password_set(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE setpass_link SET is_password_set = 1 WHERE user_id = ? AND password_name = ?")
            .bind(&attempt.user_id)
            .bind(&attempt.password_name)
            .execute(&mut *tx)
            .await?;
        record_previous_gone(&mut tx, attempt, now).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::PreviousReplaced, "")).await?;
        if let Some(marker) = &attempt.marker {
            forget_step_password_in(&mut tx, marker).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Records that Keystone may have the random password of the link: what it answered was lost.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_random_password_in_doubt(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        record_previous_gone(&mut tx, attempt, now).await?;
        Ok(tx.commit().await?)
    }
}

/// Records since when the password that the user had is gone, or may be.
async fn record_previous_gone(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE setpass_link SET previous_gone = COALESCE(previous_gone, ?) \
         WHERE user_id = ? AND password_name = ?",
    )
    .bind(now.as_millisecond())
    .bind(&attempt.user_id)
    .bind(&attempt.password_name)
    .execute(connection)
    .await?;
    Ok(())
}

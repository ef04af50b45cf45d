//! The changes of passwords that follow where a PIN is right: one at a time with each password, and what became of it.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::super::setpass_events::{SetpassEventKind, record_setpass_event};
use super::super::setpass_notices::settle_awaited;
use super::super::{Database, DatabaseError};
use super::endings::{lock, owe_untold};
use super::{Claim, CountedAttempt, GrantedClaim, take_back, unlock};

/// When a link ends that was not accepted.
#[derive(Clone, Copy, Debug)]
pub struct RefusalLimits {
    /// How many attempts it has: with the last of them it is locked.
    pub attempts: u32,
    /// How often Keystone may refuse its password: with the last of these times it is erased.
    pub refusals: u32,
}

/// What became of a change that set no password as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Nobody was asked for it.
    NotBegun,
    /// It was claimed, and certainly not made.
    NotMade,
    /// It was begun, and may have been made. That it was begun stays recorded.
    InDoubt,
}

#[derive(FromRow)]
struct ClaimRow {
    user_id: String,
    unsettled: i64,
    password: Vec<u8>,
    is_password_set: bool,
    was_asked_for: bool,
}

#[derive(FromRow)]
struct PresentRow {
    unsettled: i64,
    is_resting: bool,
}

impl Database {
    /// Asks to be the only one who changes the password with this link until the given time, and
    /// records that a change begins. Where the link has no random password yet, it gets the one that was `drawn`,
    /// sealed, which is recorded before Keystone hears of it. One that has ended gets none, and one whose password
    /// Keystone refused after `rested` has to wait.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claim_change(
        &self,
        attempt: &CountedAttempt,
        drawn: &[u8],
        now: Timestamp,
        until: Timestamp,
        rested: Timestamp,
    ) -> Result<Claim, DatabaseError> {
        let mut tx = self.begin().await?;
        unlock(&mut tx, attempt, now).await?;
        let claimed: Option<ClaimRow> = sqlx::query_as(
            "UPDATE setpass_link SET claimed_until = ?, \
             unsettled_since = CASE WHEN unsettled > told THEN unsettled_since ELSE ? END, \
             unsettled = unsettled + 1, password = COALESCE(password, ?) \
             WHERE token_hash = ? AND pin_hash <> '' AND (claimed_until IS NULL OR claimed_until <= ?) \
             AND (refused IS NULL OR refused <= ?) \
             RETURNING user_id, unsettled, password, is_password_set, kind = 'reset' AS was_asked_for",
        )
        .bind(until.as_millisecond())
        .bind(now.as_millisecond())
        .bind(drawn)
        .bind(attempt.token_hash.as_slice())
        .bind(now.as_millisecond())
        .bind(rested.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(claimed) = claimed {
            let superseded = sqlx::query_scalar(
                "SELECT password_name FROM setpass_link \
                 WHERE user_id = ? AND kind = 'registered' AND token_hash <> ?",
            )
            .bind(&claimed.user_id)
            .bind(attempt.token_hash.as_slice())
            .fetch_optional(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(Claim::Granted(GrantedClaim {
                unsettled: claimed.unsettled > 1,
                password: claimed.password,
                is_password_set: claimed.is_password_set,
                was_asked_for: claimed.was_asked_for,
                superseded,
            }));
        }
        let present: Option<PresentRow> = sqlx::query_as(
            "SELECT unsettled, refused IS NOT NULL AND refused > ? AS is_resting FROM setpass_link \
             WHERE token_hash = ? AND pin_hash <> ''",
        )
        .bind(rested.as_millisecond())
        .bind(attempt.token_hash.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        Ok(match present {
            None => Claim::Gone,
            Some(PresentRow { unsettled, is_resting: true }) => Claim::Resting { unsettled: unsettled > 0 },
            Some(_) => Claim::Taken,
        })
    }

    /// Gives an attempt back whose PIN was right, or could not be compared, and after which this `became` of the change.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn give_attempt_back(
        &self,
        attempt: &CountedAttempt,
        became: Unset,
        now: Timestamp,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        match became {
            Unset::NotBegun => {}
            Unset::NotMade => end_claim(&mut tx, attempt, true, now).await?,
            Unset::InDoubt => end_claim(&mut tx, attempt, false, now).await?,
        }
        take_back(&mut tx, attempt, now).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::NotSet, reason)).await?;
        Ok(tx.commit().await?)
    }

    /// Gives the claim back, and not the attempt, after Keystone did not accept the password that the link starts
    /// from. Where an earlier change may have replaced it, its user is to be told of that. Says whether that was the
    /// end of the link.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle_refused(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        reason: &str,
        limits: RefusalLimits,
    ) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        end_claim(&mut tx, attempt, true, now).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::NotSet, reason)).await?;
        let refusals: Option<i64> = sqlx::query_scalar(
            "UPDATE setpass_link SET refusals = refusals + 1, refused = ? \
             WHERE user_id = ? AND password_name = ? RETURNING refusals",
        )
        .bind(now.as_millisecond())
        .bind(&attempt.user_id)
        .bind(&attempt.password_name)
        .fetch_optional(&mut *tx)
        .await?;
        let is_last = refusals.is_some_and(|refusals| refusals >= i64::from(limits.refusals));
        owe_untold(&mut tx, &attempt.user_id, &attempt.password_name, is_last, now).await?;
        if is_last {
            sqlx::query("DELETE FROM setpass_link WHERE user_id = ? AND password_name = ?")
                .bind(&attempt.user_id)
                .bind(&attempt.password_name)
                .execute(&mut *tx)
                .await?;
            record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::Withdrawn, reason)).await?;
        } else {
            lock(&mut tx, attempt, now, limits.attempts).await?;
        }
        tx.commit().await?;
        Ok(is_last)
    }
}

/// Ends the claim on the password that the attempt is for. `is_settled` says that no change happened.
async fn end_claim(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
    is_settled: bool,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE setpass_link SET claimed_until = NULL, unsettled = unsettled - ? \
         WHERE user_id = ? AND password_name = ?",
    )
    .bind(i64::from(is_settled))
    .bind(&attempt.user_id)
    .bind(&attempt.password_name)
    .execute(&mut *connection)
    .await?;
    // The link may have been replaced meanwhile.
    settle_awaited(connection, &attempt.user_id, &attempt.password_name, is_settled, now).await
}

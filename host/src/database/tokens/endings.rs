//! How links end: used, locked, expired or withdrawn. Each destroys the password and the PIN's hash.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::super::setpass_events::{SetpassEvent, SetpassEventKind, record_setpass_event};
use super::super::setpass_notices::{owe_notice, owe_notice_unless_settled, settle_awaited};
use super::super::{Database, DatabaseError, Transaction, timestamp};
use super::{CountedAttempt, erase_attempt, window_start};

/// How long a link that took its last attempt is left to whoever made it: longer than comparing a PIN takes.
const LAST_ATTEMPT_MILLISECONDS: i64 = 60_000;

/// Links that have ended by ?1.
const EXPIRED: &str = "expires <= ?1";

/// Links that took ?2 attempts, the last of them before ?3.
const EXHAUSTED: &str = "expires > ?1 AND attempts >= ?2 AND NOT EXISTS (SELECT 1 FROM setpass_attempt \
     WHERE setpass_attempt.user_id = setpass_link.user_id AND at > ?3)";

/// Links that have secrets left, which nobody is using at ?1.
const HELD_BY_NOBODY: &str = "pin_hash <> '' AND (claimed_until IS NULL OR claimed_until <= ?1)";

/// What was destroyed and forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Links whose password and PIN were destroyed.
    pub destroyed: u64,
    /// Links and cases of which nothing is left.
    pub forgotten: u64,
}

impl Database {
    /// Erases the link after its password was changed, and the attempt that did it, and records that the user is
    /// to be told.
    ///
    /// The link is found by the password, not by the token: where another link was issued for
    /// the same password meanwhile, that one has nothing left to change and goes too. So do the links that were asked
    /// for, and one that was registered with the `superseded` password, which Keystone has no more. One that was
    /// registered after the change began stays: whoever did that has set a password since.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase_used_link(
        &self,
        attempt: &CountedAttempt,
        superseded: Option<&str>,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM setpass_link WHERE user_id = ? AND password_name = ?")
            .bind(&attempt.user_id)
            .bind(&attempt.password_name)
            .execute(&mut *tx)
            .await?;
        settle_awaited(&mut tx, &attempt.user_id, &attempt.password_name, true, now).await?;
        let others: Vec<Replaced> = sqlx::query_as(
            "DELETE FROM setpass_link WHERE user_id = ? AND (kind = 'reset' OR password_name = ?) \
             RETURNING password_name, claimed_until, unsettled, told, COALESCE(unsettled_since, issued) AS since, \
             previous_gone",
        )
        .bind(&attempt.user_id)
        .bind(superseded)
        .fetch_all(&mut *tx)
        .await?;
        // What is in doubt of the others was before this change, of which the user is told.
        owe_under_way(&mut tx, &attempt.user_id, &others, now).await?;
        erase_attempt(&mut tx, attempt.id).await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::PasswordSet, "")).await?;
        owe_notice(&mut tx, &attempt.user_id, now, now).await?;
        Ok(tx.commit().await?)
    }

    /// Erases the links of a user whom Keystone has no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn withdraw_links(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM setpass_link WHERE user_id = ?")
            .bind(&attempt.user_id)
            .execute(&mut *tx)
            .await?;
        record_setpass_event(&mut tx, &attempt.event(now, SetpassEventKind::Withdrawn, reason)).await?;
        Ok(tx.commit().await?)
    }

    /// Locks the link of an attempt whose PIN was wrong, if it was the last of `per_link`. Says whether it was.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lock_link(
        &self,
        attempt: &CountedAttempt,
        now: Timestamp,
        per_link: u32,
    ) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        let locked = lock(&mut tx, attempt, now, per_link).await?;
        tx.commit().await?;
        Ok(locked)
    }

    /// Destroys the password and the PIN of links that have ended, or took their last attempt and were not locked
    /// because the process died; forgets links that were issued before `before`, cases opened before it, and
    /// attempts that no limit counts any more. Where it is not known whether a change with such a link was made, its
    /// user is to be told. Leaves links alone whose password is being changed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sweep_links(
        &self,
        now: Timestamp,
        before: Timestamp,
        per_link: u32,
    ) -> Result<Swept, DatabaseError> {
        let mut tx = self.begin().await?;
        let mut destroyed = 0;
        for (kind, which) in [(SetpassEventKind::Expired, EXPIRED), (SetpassEventKind::Locked, EXHAUSTED)] {
            let statement = format!(
                "UPDATE setpass_link SET password = NULL, pin_hash = '' WHERE {which} AND {HELD_BY_NOBODY} \
                 RETURNING user_id, token_hash, password_name"
            );
            let ended: Vec<(String, Vec<u8>, String)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(now.as_millisecond())
                .bind(per_link)
                .bind(now.as_millisecond().saturating_sub(LAST_ATTEMPT_MILLISECONDS))
                .fetch_all(&mut *tx)
                .await?;
            for (user_id, token_hash, password_name) in &ended {
                let link = token_hash.as_slice().try_into().ok();
                let event = SetpassEvent { at: now, kind, user_id, link, client: None, detail: "" };
                record_setpass_event(&mut tx, &event).await?;
                owe_untold(&mut tx, user_id, password_name, true, now).await?;
                destroyed += 1;
            }
        }
        let links = sqlx::query("DELETE FROM setpass_link WHERE issued <= ? AND expires <= ?")
            .bind(before.as_millisecond())
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await?;
        let cases = sqlx::query("DELETE FROM reset_case WHERE created <= ?")
            .bind(before.as_millisecond())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM setpass_attempt WHERE at <= ?")
            .bind(window_start(now))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Swept { destroyed, forgotten: links.rows_affected() + cases.rows_affected() })
    }
}

impl Database {
    /// What [`Database::sweep_links`] would destroy and forget.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_sweepable_links(
        &self,
        now: Timestamp,
        before: Timestamp,
        per_link: u32,
    ) -> Result<Swept, DatabaseError> {
        let statement = format!(
            "SELECT (SELECT COUNT(*) FROM setpass_link WHERE ({EXPIRED} OR ({EXHAUSTED})) AND {HELD_BY_NOBODY}), \
             (SELECT COUNT(*) FROM setpass_link WHERE issued <= ?4 AND expires <= ?1) \
             + (SELECT COUNT(*) FROM reset_case WHERE created <= ?4)"
        );
        let (destroyed, forgotten): (i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(now.as_millisecond())
            .bind(per_link)
            .bind(now.as_millisecond().saturating_sub(LAST_ATTEMPT_MILLISECONDS))
            .bind(before.as_millisecond())
            .fetch_one(&self.pool)
            .await?;
        Ok(Swept { destroyed: destroyed.unsigned_abs(), forgotten: forgotten.unsigned_abs() })
    }
}

/// Locks the link of an attempt if no more are left and nobody is changing the password with it.
pub(super) async fn lock(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
    now: Timestamp,
    per_link: u32,
) -> Result<bool, DatabaseError> {
    let locked = sqlx::query(
        "UPDATE setpass_link SET password = NULL, pin_hash = '' WHERE token_hash = ? AND attempts >= ? \
         AND pin_hash <> '' AND (claimed_until IS NULL OR claimed_until <= ?)",
    )
    .bind(attempt.token_hash.as_slice())
    .bind(per_link)
    .bind(now.as_millisecond())
    .execute(&mut *connection)
    .await?;
    let locked = locked.rows_affected() == 1;
    if locked {
        record_setpass_event(&mut *connection, &attempt.event(now, SetpassEventKind::Locked, "")).await?;
        owe_untold(connection, &attempt.user_id, &attempt.password_name, true, now).await?;
    }
    Ok(locked)
}

/// Records that a user is to be told of changes with one password of which it is not known whether Keystone made them,
/// and, where the link `is_over`, of the user's own password, which a random one has replaced. Each is told of once. A
/// change that is under way is left to whoever makes it.
pub(super) async fn owe_untold(
    connection: &mut SqliteConnection,
    user_id: &str,
    password_name: &str,
    is_over: bool,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let since: Option<i64> = sqlx::query_scalar(
        "SELECT CASE WHEN unsettled > told THEN COALESCE(unsettled_since, issued) ELSE previous_gone END \
         FROM setpass_link WHERE user_id = ? AND password_name = ? \
         AND (unsettled > told OR (? AND previous_gone IS NOT NULL)) \
         AND (claimed_until IS NULL OR claimed_until <= ?)",
    )
    .bind(user_id)
    .bind(password_name)
    .bind(is_over)
    .bind(now.as_millisecond())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(since) = since else { return Ok(()) };
    sqlx::query(
        "UPDATE setpass_link SET told = unsettled, previous_gone = NULL WHERE user_id = ? AND password_name = ?",
    )
    .bind(user_id)
    .bind(password_name)
    .execute(&mut *connection)
    .await?;
    owe_notice(connection, user_id, timestamp(since)?, now).await
}

/// What is known of the changes with a link that another one takes the place of.
#[derive(FromRow)]
struct Replaced {
    password_name: String,
    claimed_until: Option<i64>,
    unsettled: i64,
    told: i64,
    since: i64,
    previous_gone: Option<i64>,
}

impl Replaced {
    /// Until when somebody else may be changing the password with it.
    fn under_way_until(&self, now: Timestamp) -> Option<i64> {
        self.claimed_until.filter(|until| *until > now.as_millisecond())
    }

    /// Whether its user is still to be told of a change whose outcome nobody will find out any more.
    fn is_in_doubt(&self, now: Timestamp) -> bool {
        self.unsettled - i64::from(self.under_way_until(now).is_some()) > self.told
    }

    /// Since when there is something that its user is still to be told of, now that it is gone.
    fn untold_since(&self, now: Timestamp) -> Option<i64> {
        if self.is_in_doubt(now) { Some(self.since) } else { self.previous_gone }
    }
}

/// Records what a user is to be told of the changes with links that are about to be replaced: those that were asked for,
/// which are erased, and the registered one where it `gets_another_password`.
pub(super) async fn replace_links(
    tx: &mut Transaction,
    user_id: &str,
    gets_another_password: bool,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let replaced: Vec<Replaced> = sqlx::query_as(
        "SELECT password_name, claimed_until, unsettled, told, COALESCE(unsettled_since, issued) AS since, previous_gone \
         FROM setpass_link WHERE user_id = ? AND (kind = 'reset' OR ?)",
    )
    .bind(user_id)
    .bind(gets_another_password)
    .fetch_all(&mut **tx)
    .await?;
    for link in &replaced {
        if let Some(since) = link.untold_since(now) {
            owe_notice(tx, user_id, timestamp(since)?, now).await?;
        }
    }
    owe_under_way(tx, user_id, &replaced, now).await?;
    sqlx::query("DELETE FROM setpass_link WHERE user_id = ? AND kind = 'reset'")
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Records that a user is to be told of the changes that are under way with links that are gone, unless their outcome
/// comes as long as somebody may be at them.
async fn owe_under_way(
    connection: &mut SqliteConnection,
    user_id: &str,
    gone: &[Replaced],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    for link in gone {
        let Some(until) = link.under_way_until(now) else { continue };
        // Begun not long ago; since when something else is in doubt is told already.
        let changed = if link.is_in_doubt(now) { now } else { timestamp(link.since)? };
        let until = timestamp(until)?;
        owe_notice_unless_settled(connection, user_id, &link.password_name, changed, until).await?;
    }
    Ok(())
}

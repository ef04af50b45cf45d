//! The links that users choose a password with, the PINs tried for them, and the cases of those who
//! ask the helpdesk for another link.
//!
//! Knows nothing of tokens and PINs themselves, only of their hashes; passwords come sealed.

mod cases;
mod reset_links;

use jiff::{SignedDuration, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{Database, DatabaseError, Transaction};

pub use cases::*;
pub use reset_links::*;

/// The span that a user's attempts are counted over.
pub const ATTEMPT_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A link to record.
pub struct LinkIssue<'a> {
    /// Keystone's id of the user.
    pub user_id: &'a str,
    /// SHA-256 of the new token; the user's earlier one is forgotten.
    pub token_hash: &'a TokenHash,
    /// The password; the recorded one stays where there is none.
    pub password: Option<LinkPassword<'a>>,
    /// The hashed PIN; the recorded one stays where there is none.
    pub pin_hash: Option<&'a str>,
    /// Now.
    pub issued: Timestamp,
    /// When the link ends.
    pub expires: Timestamp,
}

/// The password that a link is for.
#[derive(Clone, Copy, Debug)]
pub struct LinkPassword<'a> {
    /// Itself, sealed.
    pub sealed: &'a [u8],
    /// Tells it from any other, whatever key seals it.
    pub name: &'a str,
}

/// How many PINs may be tried.
#[derive(Clone, Copy, Debug)]
pub struct AttemptLimits {
    /// With one link.
    pub per_link: u32,
    /// For one user within [`ATTEMPT_WINDOW`], over all links.
    pub per_window: u32,
}

/// What counting an attempt came to.
#[derive(Debug)]
pub enum AttemptStart {
    /// No link has this token.
    Unknown,
    /// The link has ended.
    Expired,
    /// As many PINs as allowed were tried with the link.
    LinkExhausted,
    /// As many PINs as allowed were tried for the user within the window.
    UserExhausted,
    /// The attempt is counted: one PIN may be compared.
    Counted(CountedAttempt),
}

/// An attempt that is counted already.
#[derive(Debug)]
pub struct CountedAttempt {
    /// Names the attempt.
    pub id: i64,
    /// Keystone's id of the user.
    pub user_id: String,
    /// Which password it is.
    pub password_name: String,
    /// The hashed PIN.
    pub pin_hash: String,
    /// How many more PINs may be tried at present.
    pub left: u32,
    /// The marker of the request that created the user, where a link that was asked for knows it.
    pub marker: Option<String>,
}

/// What asking to be the only one who changes a password came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Granted.
    Granted(GrantedClaim),
    /// Another request has it.
    Taken,
    /// The link was used or replaced meanwhile.
    Gone,
}

/// A change that the caller alone may make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedClaim {
    /// Whether an earlier change was begun whose outcome is not known.
    pub unsettled: bool,
    /// The random password that the change starts from, sealed.
    pub password: Vec<u8>,
    /// Whether Keystone is known to have it.
    pub is_password_set: bool,
    /// Which password the user's registered link is for, where it is another one than this.
    pub superseded: Option<String>,
}

#[derive(FromRow)]
struct LinkRow {
    user_id: String,
    password_name: String,
    pin_hash: String,
    attempts: i64,
    marker: Option<String>,
}

#[derive(FromRow)]
struct ClaimRow {
    user_id: String,
    unsettled: i64,
    password: Vec<u8>,
    is_password_set: bool,
}

impl Database {
    /// Records a user's new link, in place of the earlier one and of all that were asked for. False, and nothing
    /// recorded, where the user has no link yet and password or PIN is missing.
    ///
    /// The attempts with the link start again; those of the user within the window do not. A change
    /// that is under way goes on, as it depends on the password only.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn issue_link(
        &self,
        tx: &mut Transaction,
        link: &LinkIssue<'_>,
    ) -> Result<bool, DatabaseError> {
        let (sealed, name) = link.password.map(|password| (password.sealed, password.name)).unzip();
        let updated = sqlx::query(
            "UPDATE setpass_link SET token_hash = ?, expires = ?, issued = ?, attempts = 0, \
             claimed_until = CASE WHEN ? IS NULL THEN claimed_until END, \
             unsettled = CASE WHEN ? IS NULL THEN unsettled ELSE 0 END, \
             password = COALESCE(?, password), password_name = COALESCE(?, password_name), \
             pin_hash = COALESCE(?, pin_hash) WHERE user_id = ? AND kind = 'registered'",
        )
        .bind(link.token_hash.as_slice())
        .bind(link.expires.as_millisecond())
        .bind(link.issued.as_millisecond())
        .bind(sealed)
        .bind(sealed)
        .bind(sealed)
        .bind(name)
        .bind(link.pin_hash)
        .bind(link.user_id)
        .execute(&mut **tx)
        .await?;
        if updated.rows_affected() > 0 {
            erase_reset_links(tx, link.user_id).await?;
            return Ok(true);
        }
        let (Some(password), Some(pin_hash)) = (link.password, link.pin_hash) else { return Ok(false) };
        erase_reset_links(tx, link.user_id).await?;
        sqlx::query(
            "INSERT INTO setpass_link \
             (user_id, kind, token_hash, expires, password, password_name, pin_hash, issued) \
             VALUES (?, 'registered', ?, ?, ?, ?, ?, ?)",
        )
        .bind(link.user_id)
        .bind(link.token_hash.as_slice())
        .bind(link.expires.as_millisecond())
        .bind(password.sealed)
        .bind(password.name)
        .bind(pin_hash)
        .bind(link.issued.as_millisecond())
        .execute(&mut **tx)
        .await?;
        Ok(true)
    }

    /// Counts an attempt with the link before the PIN is looked at, if the limits leave one.
    ///
    /// However many ask at once, through however many processes, no more are counted than the
    /// limits allow: each of them changes the link's row first, and then waits for the others.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_attempt(
        &self,
        token_hash: &TokenHash,
        now: Timestamp,
        limits: AttemptLimits,
    ) -> Result<AttemptStart, DatabaseError> {
        let mut tx = self.begin().await?;
        let expires: Option<i64> =
            sqlx::query_scalar("SELECT expires FROM setpass_link WHERE token_hash = ?")
                .bind(token_hash.as_slice())
                .fetch_optional(&mut *tx)
                .await?;
        match expires {
            None => return Ok(AttemptStart::Unknown),
            Some(expires) if expires <= now.as_millisecond() => return Ok(AttemptStart::Expired),
            Some(_) => {}
        }
        let link: Option<LinkRow> = sqlx::query_as(
            "UPDATE setpass_link SET attempts = attempts + 1 WHERE token_hash = ? AND attempts < ? \
             RETURNING user_id, password_name, pin_hash, attempts, marker",
        )
        .bind(token_hash.as_slice())
        .bind(limits.per_link)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(link) = link else { return Ok(AttemptStart::LinkExhausted) };
        let id: i64 =
            sqlx::query_scalar("INSERT INTO setpass_attempt (user_id, at) VALUES (?, ?) RETURNING id")
                .bind(&link.user_id)
                .bind(now.as_millisecond())
                .fetch_one(&mut *tx)
                .await?;
        let in_window: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM setpass_attempt WHERE user_id = ? AND at > ?")
                .bind(&link.user_id)
                .bind(window_start(now))
                .fetch_one(&mut *tx)
                .await?;
        if in_window > i64::from(limits.per_window) {
            // Dropping the transaction takes the attempt back: a refusal does not count as one.
            return Ok(AttemptStart::UserExhausted);
        }
        tx.commit().await?;
        let left = (i64::from(limits.per_link) - link.attempts).min(i64::from(limits.per_window) - in_window);
        Ok(AttemptStart::Counted(CountedAttempt {
            id,
            user_id: link.user_id,
            password_name: link.password_name,
            pin_hash: link.pin_hash,
            left: u32::try_from(left).unwrap_or(0),
            marker: link.marker,
        }))
    }

    /// Asks to be the only one who changes the password with this link until the given time, and
    /// records that a change begins. Where the link has no random password yet, it gets the one that was `drawn`,
    /// sealed, which is recorded before Keystone hears of it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claim_change(
        &self,
        token_hash: &TokenHash,
        drawn: &[u8],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, DatabaseError> {
        let mut tx = self.begin().await?;
        let claimed: Option<ClaimRow> = sqlx::query_as(
            "UPDATE setpass_link SET claimed_until = ?, unsettled = unsettled + 1, password = COALESCE(password, ?) \
             WHERE token_hash = ? AND (claimed_until IS NULL OR claimed_until <= ?) \
             RETURNING user_id, unsettled, password, is_password_set",
        )
        .bind(until.as_millisecond())
        .bind(drawn)
        .bind(token_hash.as_slice())
        .bind(now.as_millisecond())
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(claimed) = claimed {
            let superseded = sqlx::query_scalar(
                "SELECT password_name FROM setpass_link \
                 WHERE user_id = ? AND kind = 'registered' AND token_hash <> ?",
            )
            .bind(&claimed.user_id)
            .bind(token_hash.as_slice())
            .fetch_optional(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(Claim::Granted(GrantedClaim {
                unsettled: claimed.unsettled > 1,
                password: claimed.password,
                is_password_set: claimed.is_password_set,
                superseded,
            }));
        }
        let present: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM setpass_link WHERE token_hash = ?")
            .bind(token_hash.as_slice())
            .fetch_one(&mut *tx)
            .await?;
        Ok(if present == 0 { Claim::Gone } else { Claim::Taken })
    }

    /// Gives the claim back after a change that did not happen, and the attempt too if asked to.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle_unchanged(
        &self,
        token_hash: &TokenHash,
        attempt: &CountedAttempt,
        give_back: bool,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE setpass_link SET claimed_until = NULL, unsettled = unsettled - 1 \
             WHERE user_id = ? AND password_name = ?",
        )
        .bind(&attempt.user_id)
        .bind(&attempt.password_name)
        .execute(&mut *tx)
        .await?;
        if give_back {
            take_back(&mut tx, token_hash, attempt).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Gives the claim and the attempt back after a change of which it is not known whether it
    /// happened. That it was begun stays recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn leave_unsettled(
        &self,
        token_hash: &TokenHash,
        attempt: &CountedAttempt,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE setpass_link SET claimed_until = NULL WHERE user_id = ? AND password_name = ?")
            .bind(&attempt.user_id)
            .bind(&attempt.password_name)
            .execute(&mut *tx)
            .await?;
        take_back(&mut tx, token_hash, attempt).await?;
        Ok(tx.commit().await?)
    }

    /// Gives an attempt back whose PIN was right, where no change was begun.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn give_attempt_back(
        &self,
        token_hash: &TokenHash,
        attempt: &CountedAttempt,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        take_back(&mut tx, token_hash, attempt).await?;
        Ok(tx.commit().await?)
    }

    /// Erases the link after its password was changed, and the attempt that did it.
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
    ) -> Result<(), DatabaseError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "DELETE FROM setpass_link \
             WHERE user_id = ? AND (kind = 'reset' OR password_name = ? OR password_name = ?)",
        )
        .bind(&attempt.user_id)
        .bind(&attempt.password_name)
        .bind(superseded)
        .execute(&mut *tx)
        .await?;
        erase_attempt(&mut tx, attempt).await?;
        Ok(tx.commit().await?)
    }

    /// Erases links that have ended and were issued before `before`, cases opened before it, and
    /// attempts that no limit counts any more; and the secrets of links that were asked for and have ended, which
    /// nobody renews. Says how many links and cases went.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn erase_lapsed_links(&self, now: Timestamp, before: Timestamp) -> Result<u64, DatabaseError> {
        let mut tx = self.begin().await?;
        let links = sqlx::query("DELETE FROM setpass_link WHERE issued <= ? AND expires <= ?")
            .bind(before.as_millisecond())
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await?;
        erase_ended_reset_secrets(&mut tx, now).await?;
        let cases = sqlx::query("DELETE FROM reset_case WHERE created <= ?")
            .bind(before.as_millisecond())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM setpass_attempt WHERE at <= ?")
            .bind(window_start(now))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(links.rows_affected() + cases.rows_affected())
    }
}

/// The moment after which attempts count, in milliseconds.
fn window_start(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(ATTEMPT_WINDOW.as_secs().saturating_mul(1000))
}

async fn take_back(
    connection: &mut SqliteConnection,
    token_hash: &TokenHash,
    attempt: &CountedAttempt,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE setpass_link SET attempts = attempts - 1 WHERE token_hash = ? AND attempts > 0")
        .bind(token_hash.as_slice())
        .execute(&mut *connection)
        .await?;
    erase_attempt(connection, attempt).await
}

async fn erase_attempt(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM setpass_attempt WHERE id = ?").bind(attempt.id).execute(connection).await?;
    Ok(())
}

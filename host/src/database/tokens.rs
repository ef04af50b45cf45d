//! The links that users choose a password with, the PINs tried for them, and the cases of those who
//! ask the helpdesk for another link.
//!
//! Knows nothing of tokens and PINs themselves, only of their hashes; passwords come sealed.

mod attempts;
mod cases;
mod changes;
mod endings;
mod reset_links;

use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use super::setpass_events::{SetpassEvent, SetpassEventKind, record_setpass_event};
use super::{Database, DatabaseError, Transaction};

use endings::replace_links;

pub use cases::*;
pub use changes::*;
pub use endings::*;
pub use reset_links::*;

/// The span that a user's attempts are counted over.
pub const ATTEMPT_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A link to record.
///
/// One that has ended or is locked leaves its row for a while, so that its user is told so, but without the
/// password and the hash of the PIN: there is no password then, and the hash is blank.
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

/// An attempt to count.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// SHA-256 of the token that was given.
    pub token_hash: &'a TokenHash,
    /// Now.
    pub now: Timestamp,
    /// How many may be counted.
    pub limits: AttemptLimits,
    /// Where the request came from, in the form that the settings want.
    pub client: Option<&'a str>,
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

/// An attempt that is counted already. Whatever is counted after it, its PIN may be compared, and the password changed
/// where it is right: it has the link's secrets with it for the case that a later attempt locks the link meanwhile.
#[derive(Debug)]
pub struct CountedAttempt {
    /// Names the attempt.
    pub id: i64,
    /// SHA-256 of the link's token.
    pub token_hash: TokenHash,
    /// Where the request came from.
    pub client: Option<String>,
    /// Keystone's id of the user.
    pub user_id: String,
    /// Which password it is.
    pub password_name: String,
    /// The password, sealed; none where the link did not have one yet.
    pub password: Option<Vec<u8>>,
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
    /// Keystone did not accept the password that the link starts from a short while ago.
    Resting {
        /// Whether an earlier change was begun whose outcome is not known.
        unsettled: bool,
    },
    /// The link was used, replaced or ended meanwhile.
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
    /// Whether somebody asked for the link: then the random password takes the place of one that the user had.
    pub was_asked_for: bool,
    /// Which password the user's registered link is for, where it is another one than this.
    pub superseded: Option<String>,
}

impl CountedAttempt {
    /// An event of this attempt's link.
    fn event<'a>(&'a self, at: Timestamp, kind: SetpassEventKind, detail: &'a str) -> SetpassEvent<'a> {
        let (link, client) = (Some(&self.token_hash), self.client.as_deref());
        SetpassEvent { at, kind, user_id: &self.user_id, link, client, detail }
    }
}

impl Database {
    /// Records a user's new link, in place of the earlier one and of all that were asked for. False, and nothing
    /// recorded, where password or PIN is missing and there is no earlier link that still has them: it has been used,
    /// has ended, or is locked.
    ///
    /// The attempts with the link start again; those of the user within the window do not. A change
    /// that is under way goes on, as it depends on the password only; where the link gets another one, what becomes of
    /// that change is remembered without it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn issue_link(
        &self,
        tx: &mut Transaction,
        link: &LinkIssue<'_>,
    ) -> Result<bool, DatabaseError> {
        let (sealed, name) = link.password.map(|password| (password.sealed, password.name)).unzip();
        let is_whole = sealed.is_some() && link.pin_hash.is_some();
        replace_links(tx, link.user_id, sealed.is_some(), link.issued).await?;
        let updated = sqlx::query(
            "UPDATE setpass_link SET token_hash = ?, expires = ?, issued = ?, attempts = 0, \
             claimed_until = CASE WHEN ? IS NULL THEN claimed_until END, \
             unsettled = CASE WHEN ? IS NULL THEN unsettled ELSE 0 END, \
             told = CASE WHEN ? IS NULL THEN told ELSE 0 END, \
             refusals = CASE WHEN ? IS NULL THEN refusals ELSE 0 END, \
             refused = CASE WHEN ? IS NULL THEN refused END, \
             password = COALESCE(?, password), password_name = COALESCE(?, password_name), \
             pin_hash = COALESCE(?, pin_hash) \
             WHERE user_id = ? AND kind = 'registered' AND (? OR (pin_hash <> '' AND expires > ?))",
        )
        .bind(link.token_hash.as_slice())
        .bind(link.expires.as_millisecond())
        .bind(link.issued.as_millisecond())
        .bind(sealed)
        .bind(sealed)
        .bind(sealed)
        .bind(sealed)
        .bind(sealed)
        .bind(sealed)
        .bind(name)
        .bind(link.pin_hash)
        .bind(link.user_id)
        .bind(is_whole)
        .bind(link.issued.as_millisecond())
        .execute(&mut **tx)
        .await?;
        if updated.rows_affected() == 0 {
            let (Some(password), Some(pin_hash)) = (link.password, link.pin_hash) else { return Ok(false) };
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
        }
        let (user_id, token_hash) = (link.user_id, Some(link.token_hash));
        let (at, kind) = (link.issued, SetpassEventKind::Issued);
        let event = SetpassEvent { at, kind, user_id, link: token_hash, client: None, detail: "" };
        record_setpass_event(tx, &event).await?;
        Ok(true)
    }
}

/// The moment after which attempts count, in milliseconds.
fn window_start(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(ATTEMPT_WINDOW.as_secs().saturating_mul(1000))
}

/// Gives an attempt back, which then does not count: where it was one of those that locked the link, that is undone.
async fn take_back(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE setpass_link SET attempts = attempts - 1 WHERE token_hash = ? AND attempts > 0")
        .bind(attempt.token_hash.as_slice())
        .execute(&mut *connection)
        .await?;
    unlock(connection, attempt, now).await?;
    erase_attempt(connection, attempt.id).await
}

/// Puts the secrets back that a later attempt destroyed by locking the link. One that has ended stays without.
async fn unlock(
    connection: &mut SqliteConnection,
    attempt: &CountedAttempt,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    // A password that the link got and lost again since is Keystone's and nobody knows it any more: another is set.
    sqlx::query(
        "UPDATE setpass_link SET password = ?1, pin_hash = ?2, \
         is_password_set = CASE WHEN ?1 IS NULL THEN 0 ELSE is_password_set END \
         WHERE token_hash = ?3 AND password_name = ?4 AND pin_hash = '' AND expires > ?5",
    )
    .bind(attempt.password.as_deref())
    .bind(&attempt.pin_hash)
    .bind(attempt.token_hash.as_slice())
    .bind(&attempt.password_name)
    .bind(now.as_millisecond())
    .execute(connection)
    .await?;
    Ok(())
}

async fn erase_attempt(connection: &mut SqliteConnection, id: i64) -> Result<(), DatabaseError> {
    sqlx::query("DELETE FROM setpass_attempt WHERE id = ?").bind(id).execute(connection).await?;
    Ok(())
}

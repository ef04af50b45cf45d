//! The PINs that are tried with a link.
//!
//! A link that nobody knows, one that has ended or is locked, a user for whom too many PINs were tried that day, and an
//! attempt that counts: each runs the same statements in the same order, and then commits. What differs is bound to
//! them, so neither their number nor their kind tells which of these it was.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::super::setpass_events::{SetpassEventKind, link_name};
use super::super::{Database, DatabaseError};
use super::{Attempt, AttemptStart, CountedAttempt, window_start};

#[derive(FromRow)]
struct LinkRow {
    user_id: String,
    expires: i64,
    password: Option<Vec<u8>>,
    password_name: String,
    pin_hash: String,
    attempts: i64,
    marker: Option<String>,
}

/// Why an attempt is turned away.
enum TurnedAway {
    Unknown,
    Expired,
    LinkExhausted,
    UserExhausted,
}

impl TurnedAway {
    /// The name, as in the database.
    fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::LinkExhausted => "locked",
            Self::UserExhausted => "locked-for-today",
        }
    }
}

impl Database {
    /// Counts an attempt with the link before the PIN is looked at, if the limits leave one.
    ///
    /// However many ask at once, through however many processes, no more are counted than the limits allow: from its
    /// beginning, the transaction is the only one that writes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_attempt(&self, attempt: &Attempt<'_>) -> Result<AttemptStart, DatabaseError> {
        let mut tx = self.begin().await?;
        let link = find_link(&mut tx, attempt).await?;
        let user_id = link.as_ref().map_or("", |link| link.user_id.as_str());
        let before = attempts_within(&mut tx, user_id, attempt.now).await?;
        let decided = decide(attempt, link, before);
        let is_counted = decided.is_ok();
        let (user_id, reason) = match &decided {
            Ok(link) => (link.user_id.as_str(), ""),
            Err(turned_away) => ("", turned_away.name()),
        };
        add_to_link(&mut tx, attempt, is_counted).await?;
        let id = add_attempt(&mut tx, attempt, user_id, is_counted).await?;
        record_tried(&mut tx, attempt, user_id, is_counted).await?;
        turn_away(&mut tx, reason, attempt.now, !is_counted).await?;
        tx.commit().await?;
        Ok(match (decided, id) {
            (Ok(link), Some(id)) => AttemptStart::Counted(counted(attempt, id, link, before)),
            (Ok(_), None) => return Err(DatabaseError::Damaged("an attempt without a number".to_owned())),
            (Err(TurnedAway::Unknown), _) => AttemptStart::Unknown,
            (Err(TurnedAway::Expired), _) => AttemptStart::Expired,
            (Err(TurnedAway::LinkExhausted), _) => AttemptStart::LinkExhausted,
            (Err(TurnedAway::UserExhausted), _) => AttemptStart::UserExhausted,
        })
    }
}

/// The link, where the attempt may count; `before` did for its user within the window.
fn decide(attempt: &Attempt<'_>, link: Option<LinkRow>, before: i64) -> Result<LinkRow, TurnedAway> {
    let link = link.ok_or(TurnedAway::Unknown)?;
    if link.expires <= attempt.now.as_millisecond() {
        Err(TurnedAway::Expired)
    } else if link.pin_hash.is_empty() || link.attempts >= i64::from(attempt.limits.per_link) {
        Err(TurnedAway::LinkExhausted)
    } else if before >= i64::from(attempt.limits.per_window) {
        Err(TurnedAway::UserExhausted)
    } else {
        Ok(link)
    }
}

fn counted(attempt: &Attempt<'_>, id: i64, link: LinkRow, before: i64) -> CountedAttempt {
    let with_link = i64::from(attempt.limits.per_link) - link.attempts - 1;
    let within_window = i64::from(attempt.limits.per_window) - before - 1;
    CountedAttempt {
        id,
        token_hash: *attempt.token_hash,
        client: attempt.client.map(str::to_owned),
        user_id: link.user_id,
        password_name: link.password_name,
        password: link.password,
        pin_hash: link.pin_hash,
        left: u32::try_from(with_link.min(within_window)).unwrap_or(0),
        marker: link.marker,
    }
}

async fn find_link(
    connection: &mut SqliteConnection,
    attempt: &Attempt<'_>,
) -> Result<Option<LinkRow>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT user_id, expires, password, password_name, pin_hash, attempts, marker FROM setpass_link \
         WHERE token_hash = ?",
    )
    .bind(attempt.token_hash.as_slice())
    .fetch_optional(connection)
    .await?)
}

/// How many attempts of a user count.
async fn attempts_within(
    connection: &mut SqliteConnection,
    user_id: &str,
    now: Timestamp,
) -> Result<i64, DatabaseError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM setpass_attempt WHERE user_id = ? AND at > ?")
        .bind(user_id)
        .bind(window_start(now))
        .fetch_one(connection)
        .await?)
}

async fn add_to_link(
    connection: &mut SqliteConnection,
    attempt: &Attempt<'_>,
    is_counted: bool,
) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE setpass_link SET attempts = attempts + 1 WHERE token_hash = ? AND ?")
        .bind(attempt.token_hash.as_slice())
        .bind(is_counted)
        .execute(connection)
        .await?;
    Ok(())
}

async fn add_attempt(
    connection: &mut SqliteConnection,
    attempt: &Attempt<'_>,
    user_id: &str,
    is_counted: bool,
) -> Result<Option<i64>, DatabaseError> {
    Ok(sqlx::query_scalar("INSERT INTO setpass_attempt (user_id, at) SELECT ?, ? WHERE ? RETURNING id")
        .bind(user_id)
        .bind(attempt.now.as_millisecond())
        .bind(is_counted)
        .fetch_optional(connection)
        .await?)
}

/// Records in the audit trail that a PIN was counted.
async fn record_tried(
    connection: &mut SqliteConnection,
    attempt: &Attempt<'_>,
    user_id: &str,
    is_counted: bool,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO setpass_event (at, event, user_id, link, client, detail) SELECT ?, ?, ?, ?, ?, '' WHERE ?",
    )
    .bind(attempt.now.as_millisecond())
    .bind(SetpassEventKind::Tried.name())
    .bind(user_id)
    .bind(link_name(attempt.token_hash))
    .bind(attempt.client.unwrap_or_default())
    .bind(is_counted)
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts a PIN that is not compared. No more than a number a day and reason: a stranger can send as many as there
/// is room for.
async fn turn_away(
    connection: &mut SqliteConnection,
    reason: &str,
    now: Timestamp,
    is_turned_away: bool,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO setpass_turned_away (day, reason, tries) SELECT ?, ?, 1 WHERE ? \
         ON CONFLICT (day, reason) DO UPDATE SET tries = tries + 1",
    )
    .bind(now.as_millisecond().div_euclid(86_400_000))
    .bind(reason)
    .bind(is_turned_away)
    .execute(connection)
    .await?;
    Ok(())
}

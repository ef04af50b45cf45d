//! Changes of passwords that their users are still to be told of. Each is recorded in the transaction that records
//! the change, and goes in the transaction that records the mail.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::{Database, DatabaseError, Transaction, timestamp};

/// A change that its user is still to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedNotice {
    /// Names it; no other ever has the same.
    pub id: i64,
    /// Keystone's id of the user.
    pub user_id: String,
    /// When the password was changed, or perhaps was: the answer about that may have been lost. Or when it was taken.
    pub changed: Timestamp,
    /// Since when the user is to be told.
    pub owed: Timestamp,
    /// How often the mail could not be made.
    pub tries: u32,
}

#[derive(FromRow)]
struct NoticeRow {
    id: i64,
    user_id: String,
    changed: i64,
    owed: i64,
    tries: u32,
}

/// Records now that a user is to be told of a change.
pub(super) async fn owe_notice(
    connection: &mut SqliteConnection,
    user_id: &str,
    changed: Timestamp,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT INTO setpass_notice (user_id, changed, owed, next_try) VALUES (?, ?, ?, ?)")
        .bind(user_id)
        .bind(changed.as_millisecond())
        .bind(now.as_millisecond())
        .bind(now.as_millisecond())
        .execute(connection)
        .await?;
    Ok(())
}

/// Records that a user is to be told of a change that is under way, whose link is gone, unless its outcome comes in time
/// (see [`settle_awaited`]). The change starts from the password of this name.
pub(super) async fn owe_notice_unless_settled(
    connection: &mut SqliteConnection,
    user_id: &str,
    password_name: &str,
    changed: Timestamp,
    in_time: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO setpass_notice (user_id, changed, owed, next_try, awaited) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(user_id)
    .bind(changed.as_millisecond())
    .bind(in_time.as_millisecond())
    .bind(in_time.as_millisecond())
    .bind(password_name)
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the outcome of a change whose link is gone. Where that was found out, there is nothing to tell besides;
/// where not, nothing better is to be expected, and its user is to be told now.
pub(super) async fn settle_awaited(
    connection: &mut SqliteConnection,
    user_id: &str,
    password_name: &str,
    is_found_out: bool,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let query = match is_found_out {
        true => sqlx::query("DELETE FROM setpass_notice WHERE user_id = ? AND awaited = ?"),
        false => sqlx::query(
            "UPDATE setpass_notice SET next_try = MIN(next_try, ?), owed = MIN(owed, ?), awaited = NULL \
             WHERE user_id = ? AND awaited = ?",
        )
        .bind(now.as_millisecond())
        .bind(now.as_millisecond()),
    };
    query.bind(user_id).bind(password_name).execute(connection).await?;
    Ok(())
}

/// Takes a notice from those that are owed, in the caller's transaction. False where somebody else has.
///
/// # Errors
/// Where the database fails.
pub async fn settle_notice(tx: &mut Transaction, id: i64) -> Result<bool, DatabaseError> {
    let gone = sqlx::query("DELETE FROM setpass_notice WHERE id = ?").bind(id).execute(&mut **tx).await?;
    Ok(gone.rows_affected() == 1)
}

impl Database {
    /// The notices that may be tried now, the oldest first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn owed_notices(&self, now: Timestamp) -> Result<Vec<OwedNotice>, DatabaseError> {
        let rows: Vec<NoticeRow> = sqlx::query_as(
            "SELECT id, user_id, changed, owed, tries FROM setpass_notice WHERE next_try <= ? ORDER BY id LIMIT 50",
        )
        .bind(now.as_millisecond())
        .fetch_all(&self.pool)
        .await?;
        let notices = rows.into_iter().map(|row| {
            let NoticeRow { id, user_id, changed, owed, tries } = row;
            Ok(OwedNotice { id, user_id, changed: timestamp(changed)?, owed: timestamp(owed)?, tries })
        });
        notices.collect()
    }

    /// Records that a notice's mail could not be made, and when to try again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn postpone_notice(&self, id: i64, next_try: Timestamp) -> Result<(), DatabaseError> {
        sqlx::query("UPDATE setpass_notice SET tries = tries + 1, next_try = ? WHERE id = ?")
            .bind(next_try.as_millisecond())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

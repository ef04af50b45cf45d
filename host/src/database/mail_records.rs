//! The records of mail as an operator sees them: listed, tried again, dropped.

use std::path::PathBuf;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Database, DatabaseError, MailClaim, Transaction, mail_claim_in, timestamp};

/// What has become of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// It waits.
    Queued,
    /// The mail server has it.
    Sent,
    /// It was given up.
    Refused,
    /// An operator decided that it is not sent.
    Dropped,
}

impl MailState {
    const ALL: [Self; 4] = [Self::Queued, Self::Sent, Self::Refused, Self::Dropped];

    /// The name, as in the database and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

/// A mail of the outbox.
#[derive(Clone)]
pub struct MailRecord {
    /// Its number to operators.
    pub number: i64,
    /// Names the mail.
    pub origin: String,
    /// What it is.
    pub kind: String,
    /// What has become of it.
    pub state: MailState,
    /// The mail, sealed; none where it is wiped.
    pub payload: Option<Vec<u8>>,
    /// When it was recorded.
    pub created: Timestamp,
    /// How often sending was tried.
    pub attempts: u32,
    /// When it may be tried next, while it waits.
    pub next_attempt: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// The file that a refused mail is kept in.
    pub kept_in: Option<PathBuf>,
    /// When it was sent or given up.
    pub finished: Option<Timestamp>,
    /// When it is worth nothing any more.
    pub worthless_from: Option<Timestamp>,
}

/// How the sending of mail is going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTraffic {
    /// How many mails wait.
    pub waiting: u32,
    /// Since when the first of them does.
    pub since: Option<Timestamp>,
    /// Why the first of them that was tried could not be sent.
    pub error: Option<String>,
    /// When a mail was sent last.
    pub last_sent: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT position, origin, kind, state, payload, created, attempts, next_attempt, last_error, \
                       kept_in, finished, worthless_from FROM outbox";

impl Database {
    /// The mails in these states, in the order in which they were recorded.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn mails_in(&self, states: &[MailState]) -> Result<Vec<MailRecord>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(" WHERE state IN (");
        let mut names = query.separated(", ");
        for state in states {
            names.push_bind(state.name());
        }
        query.push(") ORDER BY position");
        query.build().fetch_all(&self.pool).await?.iter().map(record).collect()
    }

    /// How the sending of mail is going.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn mail_traffic(&self) -> Result<MailTraffic, DatabaseError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FILTER (WHERE state = 'queued') AS waiting, \
             MIN(created) FILTER (WHERE state = 'queued') AS since, \
             MAX(finished) FILTER (WHERE state = 'sent') AS last_sent, \
             (SELECT last_error FROM outbox WHERE state = 'queued' AND last_error IS NOT NULL \
              ORDER BY position LIMIT 1) AS error FROM outbox",
        )
        .fetch_one(&self.pool)
        .await?;
        let moment = |column: &str| -> Result<Option<Timestamp>, DatabaseError> {
            row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose()
        };
        Ok(MailTraffic {
            waiting: row.try_get("waiting")?,
            since: moment("since")?,
            error: row.try_get("error")?,
            last_sent: moment("last_sent")?,
        })
    }

    /// The mail of that number.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn mail(&self, number: i64) -> Result<Option<MailRecord>, DatabaseError> {
        let mut query = sqlx::QueryBuilder::new(COLUMNS);
        query.push(" WHERE position = ").push_bind(number);
        query.build().fetch_optional(&self.pool).await?.as_ref().map(record).transpose()
    }

    /// Makes a mail due now as if it had never been tried. False where it is not one that waits or was refused
    /// any more, or its content is gone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn retry_mail(&self, number: i64, now: Timestamp) -> Result<bool, DatabaseError> {
        let changed = sqlx::query(
            "UPDATE outbox SET state = 'queued', attempts = 0, first_attempt = NULL, next_attempt = $2, \
             kept_in = NULL, finished = NULL, last_error = NULL \
             WHERE position = $1 AND state IN ('queued', 'refused') AND payload IS NOT NULL",
        )
        .bind(number)
        .bind(now.as_millisecond())
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Wipes a mail, which is not sent any more. False where it is not one that waits or was refused any more, or
    /// where somebody has a claim on it that is not `left` by a dead process.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn drop_mail(
        &self,
        number: i64,
        now: Timestamp,
        left: impl FnOnce(&MailClaim) -> bool,
    ) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        let claim = mail_claim_in(&mut transaction, number).await?;
        if claim.is_some_and(|claim| !left(&claim)) {
            return Ok(false);
        }
        let changed = sqlx::query(
            "UPDATE outbox SET state = 'dropped', payload = NULL, claimed_by = NULL, claimed_until = NULL, \
             kept_in = NULL, finished = $2 WHERE position = $1 AND state IN ('queued', 'refused')",
        )
        .bind(number)
        .bind(now.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() == 1)
    }
}

/// The mails of a kind that were given up: the origin and the file of each.
///
/// # Errors
/// Where the database fails.
pub async fn refused_of_kind_in(
    transaction: &mut Transaction,
    kind: &str,
) -> Result<Vec<(String, Option<PathBuf>)>, DatabaseError> {
    let rows = sqlx::query("SELECT origin, kept_in FROM outbox WHERE state = 'refused' AND kind = $1")
        .bind(kind)
        .fetch_all(&mut **transaction)
        .await?;
    rows.iter()
        .map(|row| {
            let kept_in: Option<String> = row.try_get("kept_in")?;
            Ok((row.try_get("origin")?, kept_in.map(PathBuf::from)))
        })
        .collect()
}

/// Wipes a mail that was given up.
///
/// # Errors
/// Where the database fails.
pub async fn drop_refused_in(
    transaction: &mut Transaction,
    origin: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE outbox SET state = 'dropped', payload = NULL, kept_in = NULL, finished = $2 \
         WHERE origin = $1 AND state = 'refused'",
    )
    .bind(origin)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Wipes the mails that wait, or were refused, with an earlier link of a user, who is being given another one. One
/// that is on its way at this moment cannot be held up.
///
/// # Errors
/// Where the database fails.
pub async fn drop_mails_with_link_of(
    transaction: &mut Transaction,
    user_id: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE outbox SET state = 'dropped', payload = NULL, claimed_by = NULL, claimed_until = NULL, finished = $2 \
         WHERE link_user = $1 AND state IN ('queued', 'refused')",
    )
    .bind(user_id)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn record(row: &SqliteRow) -> Result<MailRecord, DatabaseError> {
    let moment = |column: &str| -> Result<Option<Timestamp>, DatabaseError> {
        row.try_get::<Option<i64>, _>(column)?.map(timestamp).transpose()
    };
    let state: String = row.try_get("state")?;
    Ok(MailRecord {
        number: row.try_get("position")?,
        origin: row.try_get("origin")?,
        kind: row.try_get("kind")?,
        state: MailState::ALL
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or_else(|| DatabaseError::Damaged(format!("a mail that is {state}")))?,
        payload: row.try_get("payload")?,
        created: timestamp(row.try_get("created")?)?,
        attempts: row.try_get("attempts")?,
        next_attempt: timestamp(row.try_get("next_attempt")?)?,
        last_error: row.try_get("last_error")?,
        kept_in: row.try_get::<Option<String>, _>("kept_in")?.map(PathBuf::from),
        finished: moment("finished")?,
        worthless_from: moment("worthless_from")?,
    })
}

//! The records of mail that waits to be sent. Payloads are opaque here: the outbox seals them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Database, DatabaseError, Transaction, timestamp};

/// A mail that the caller alone may send until its claim ends.
pub struct ClaimedMail {
    /// Names the mail.
    pub origin: String,
    /// What it is.
    pub kind: String,
    /// The mail, sealed.
    pub payload: Vec<u8>,
    /// How often sending was tried before.
    pub attempts: u32,
    /// When it was tried first; none if never.
    pub first_attempt: Option<Timestamp>,
    /// When it is worth nothing any more.
    pub worthless_from: Option<Timestamp>,
}

/// Who is sending a mail, or was when it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailClaim {
    /// Names the mail.
    pub origin: String,
    /// Who it is, as it named itself.
    pub claimant: String,
    /// How often the mail was claimed, and claims on it renewed.
    pub renewals: i64,
    /// When the claim ends unless it is renewed, by the clock of whoever has it.
    pub until: Timestamp,
}

/// Which mails that wait are due.
#[derive(Clone, Copy, Debug)]
pub struct DueMail {
    /// Those whose time has come by this moment, and those that were never tried.
    pub by: Timestamp,
    /// Those that wait for a moment later than this: a clock that ran ahead has set that.
    pub or_beyond: Timestamp,
}

/// A mail that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMail {
    /// Names the mail.
    pub origin: String,
    /// What it is.
    pub kind: String,
    /// Why.
    pub error: String,
    /// The file that it is kept in.
    pub kept_in: PathBuf,
    /// When.
    pub at: Timestamp,
}

const CLAIMS: &str = "SELECT origin, claimed_by, renewals, claimed_until FROM outbox \
                      WHERE state = 'queued' AND claimed_by IS NOT NULL";

impl Database {
    /// Records a mail at the end of the queue, due at once whatever clocks show. Answers whether it is a new one: where there is
    /// one of that origin already, in whatever state, nothing changes. `link` is whose link it carries, and when that
    /// ends.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_mail(
        transaction: &mut Transaction,
        origin: &str,
        kind: &str,
        payload: &[u8],
        now: Timestamp,
        link: Option<(&str, Timestamp)>,
    ) -> Result<bool, DatabaseError> {
        let added = sqlx::query(
            "INSERT INTO outbox \
             (origin, position, kind, state, payload, created, next_attempt, worthless_from, link_user) \
             VALUES ($1, (SELECT COALESCE(MAX(position), 0) + 1 FROM outbox), $2, 'queued', $3, $4, $4, $5, $6) \
             ON CONFLICT (origin) DO NOTHING",
        )
        .bind(origin)
        .bind(kind)
        .bind(payload)
        .bind(now.as_millisecond())
        .bind(link.map(|(_, ends)| ends.as_millisecond()))
        .bind(link.map(|(user_id, _)| user_id))
        .execute(&mut **transaction)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    /// Whether there is a mail of that origin, in whatever state: another one would not be recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn knows_mail(&self, origin: &str) -> Result<bool, DatabaseError> {
        let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM outbox WHERE origin = $1)")
            .bind(origin)
            .fetch_one(&self.pool)
            .await?;
        Ok(known)
    }

    /// Claims the mail that has waited longest among those that are due and nobody else's. `left` is asked which of the
    /// claimed mails are nobody's any more.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn claim_due_mail(
        &self,
        claimant: &str,
        due: DueMail,
        until: Timestamp,
        left: impl FnOnce(&[MailClaim]) -> Vec<String>,
    ) -> Result<Option<ClaimedMail>, DatabaseError> {
        let mut transaction = self.begin().await?;
        let rows = sqlx::query(CLAIMS).fetch_all(&mut *transaction).await?;
        let claims = rows.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        for origin in left(&claims) {
            sqlx::query("UPDATE outbox SET claimed_by = NULL, claimed_until = NULL WHERE origin = $1")
                .bind(origin)
                .execute(&mut *transaction)
                .await?;
        }
        let row = sqlx::query(
            "UPDATE outbox SET claimed_by = $1, claimed_until = $2, renewals = renewals + 1 WHERE origin = ( \
                 SELECT origin FROM outbox WHERE state = 'queued' AND claimed_by IS NULL \
                 AND (attempts = 0 OR next_attempt <= $3 OR next_attempt > $4) ORDER BY position LIMIT 1) \
             RETURNING origin, kind, payload, attempts, first_attempt, worthless_from",
        )
        .bind(claimant)
        .bind(until.as_millisecond())
        .bind(due.by.as_millisecond())
        .bind(due.or_beyond.as_millisecond())
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let first_attempt: Option<i64> = row.try_get("first_attempt")?;
        let worthless_from: Option<i64> = row.try_get("worthless_from")?;
        Ok(Some(ClaimedMail {
            origin: row.try_get("origin")?,
            kind: row.try_get("kind")?,
            payload: row.try_get("payload")?,
            attempts: row.try_get("attempts")?,
            first_attempt: first_attempt.map(timestamp).transpose()?,
            worthless_from: worthless_from.map(timestamp).transpose()?,
        }))
    }

    /// The claims on mails that wait.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn mail_claims(&self) -> Result<Vec<MailClaim>, DatabaseError> {
        sqlx::query(CLAIMS).fetch_all(&self.pool).await?.iter().map(claim).collect()
    }

    /// Renews a claim. Answers whether it was still the claimant's.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew_mail_claim(
        &self,
        origin: &str,
        claimant: &str,
        until: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let renewed = sqlx::query(
            "UPDATE outbox SET claimed_until = $1, renewals = renewals + 1 \
             WHERE origin = $2 AND claimed_by = $3 AND state = 'queued'",
        )
        .bind(until.as_millisecond())
        .bind(origin)
        .bind(claimant)
        .execute(&self.pool)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Records that the server took a mail, and wipes it. This holds whoever has the claim by now: it has
    /// been sent.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_mail_sent(&self, origin: &str, now: Timestamp) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE outbox SET state = 'sent', payload = NULL, claimed_by = NULL, claimed_until = NULL, \
             attempts = attempts + 1, first_attempt = COALESCE(first_attempt, $1), last_error = NULL, \
             finished = $1 WHERE origin = $2 AND state = 'queued'",
        )
        .bind(now.as_millisecond())
        .bind(origin)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records that an attempt failed and when to try next, and ends the claim. Where a clock that ran ahead has recorded a
    /// first attempt that is still to come, this one counts as the first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_mail_delayed(
        &self,
        origin: &str,
        claimant: &str,
        now: Timestamp,
        next_attempt: Timestamp,
        error: &str,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE outbox SET claimed_by = NULL, claimed_until = NULL, attempts = attempts + 1, \
             first_attempt = CASE WHEN first_attempt < $1 THEN first_attempt ELSE $1 END, \
             next_attempt = $2, last_error = $3 \
             WHERE origin = $4 AND claimed_by = $5 AND state = 'queued'",
        )
        .bind(now.as_millisecond())
        .bind(next_attempt.as_millisecond())
        .bind(error)
        .bind(origin)
        .bind(claimant)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records that a mail was given up and is kept in a file.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_mail_refused(
        &self,
        origin: &str,
        claimant: &str,
        now: Timestamp,
        error: &str,
        kept_in: &Path,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE outbox SET state = 'refused', claimed_by = NULL, claimed_until = NULL, \
             attempts = attempts + 1, first_attempt = COALESCE(first_attempt, $1), last_error = $2, \
             kept_in = $3, finished = $1 WHERE origin = $4 AND claimed_by = $5 AND state = 'queued'",
        )
        .bind(now.as_millisecond())
        .bind(error)
        .bind(kept_in.to_string_lossy().into_owned())
        .bind(origin)
        .bind(claimant)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The mails that were given up since a moment, in the order in which they were recorded.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn refused_mails(&self, since: Timestamp) -> Result<Vec<RefusedMail>, DatabaseError> {
        let rows = sqlx::query(
            "SELECT origin, kind, last_error, kept_in, finished FROM outbox \
             WHERE state = 'refused' AND finished >= $1 ORDER BY position",
        )
        .bind(since.as_millisecond())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(refused).collect()
    }
}

/// The claim on the mail of that number, if it waits.
///
/// # Errors
/// Where the database fails or holds damage.
pub async fn mail_claim_in(
    transaction: &mut Transaction,
    number: i64,
) -> Result<Option<MailClaim>, DatabaseError> {
    let mut query = sqlx::QueryBuilder::new(CLAIMS);
    query.push(" AND position = ").push_bind(number);
    query.build().fetch_optional(&mut **transaction).await?.as_ref().map(claim).transpose()
}

fn claim(row: &SqliteRow) -> Result<MailClaim, DatabaseError> {
    Ok(MailClaim {
        origin: row.try_get("origin")?,
        claimant: row.try_get("claimed_by")?,
        renewals: row.try_get("renewals")?,
        until: timestamp(row.try_get("claimed_until")?)?,
    })
}

fn refused(row: &SqliteRow) -> Result<RefusedMail, DatabaseError> {
    let kept_in: String = row.try_get("kept_in")?;
    Ok(RefusedMail {
        origin: row.try_get("origin")?,
        kind: row.try_get("kind")?,
        error: row.try_get("last_error")?,
        kept_in: PathBuf::from(kept_in),
        at: timestamp(row.try_get("finished")?)?,
    })
}

//! The cases of those who ask the helpdesk for another link.

use jiff::Timestamp;
use sqlx::FromRow;

use super::super::setpass_events::{SetpassEvent, SetpassEventKind, record_setpass_event};
use super::super::{Counted, Database, DatabaseError, Limit, Transaction, count_event_in, timestamp};

/// A case that is still to be decided.
#[derive(Debug)]
pub struct ResetCase {
    /// Its number.
    pub number: i64,
    /// The e-mail address that was given, in the form that compares equal for all spellings.
    pub email: String,
    /// The hashed PIN.
    pub pin_hash: String,
    /// When it was opened.
    pub created: Timestamp,
}

/// How a case was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseOutcome {
    /// A link was mailed.
    Approved,
    /// The helpdesk refused.
    Denied,
    /// Nobody decided in time.
    Ended,
}

impl CaseOutcome {
    /// The word, as in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Ended => "ended",
        }
    }

    fn event(self) -> SetpassEventKind {
        match self {
            Self::Approved => SetpassEventKind::ResetApproved,
            Self::Denied => SetpassEventKind::ResetDenied,
            Self::Ended => SetpassEventKind::ResetCaseEnded,
        }
    }

    fn named(name: Option<&str>) -> Self {
        match name {
            Some("denied") => Self::Denied,
            Some("ended") => Self::Ended,
            // Cases that were closed before this was recorded were closed by a reset.
            _ => Self::Approved,
        }
    }
}

#[derive(FromRow)]
struct CaseRow {
    number: i64,
    email: String,
    pin_hash: String,
    created: i64,
}

impl TryFrom<CaseRow> for ResetCase {
    type Error = DatabaseError;

    fn try_from(row: CaseRow) -> Result<Self, DatabaseError> {
        let CaseRow { number, email, pin_hash, created } = row;
        Ok(Self { number, email, pin_hash, created: timestamp(created)? })
    }
}

impl Database {
    /// Numbers the case of a request, which is not open yet; none, and nothing recorded, where the limit leaves none.
    /// A request that was numbered before keeps its number.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn number_reset_case(
        &self,
        request: i64,
        email: &str,
        now: Timestamp,
        limit: &Limit<'_>,
    ) -> Result<Option<i64>, DatabaseError> {
        let mut tx = self.begin().await?;
        let numbered: Option<i64> = sqlx::query_scalar("SELECT number FROM reset_case WHERE request = ?")
            .bind(request)
            .fetch_optional(&mut *tx)
            .await?;
        if numbered.is_some() {
            return Ok(numbered);
        }
        if let Counted::Over { .. } = count_event_in(&mut tx, limit, now).await? {
            return Ok(None);
        }
        let number = sqlx::query_scalar(
            "INSERT INTO reset_case (email, created, request) VALUES (?, ?, ?) RETURNING number",
        )
        .bind(email)
        .bind(now.as_millisecond())
        .bind(request)
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
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let request: Option<Option<i64>> = sqlx::query_scalar(
            "UPDATE reset_case SET pin_hash = ? WHERE number = ? AND closed IS NULL RETURNING request",
        )
        .bind(pin_hash)
        .bind(number)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(request) = request else { return Ok(()) };
        let detail = match request {
            Some(request) => format!("request {request}, case {number}"),
            None => format!("case {number}"),
        };
        record(tx, now, SetpassEventKind::ResetCaseOpened, "", &detail).await
    }

    /// The case with this number, unless it is closed or was opened before `opened_after`.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn open_case(
        &self,
        number: i64,
        opened_after: Timestamp,
    ) -> Result<Option<ResetCase>, DatabaseError> {
        let row: Option<CaseRow> = sqlx::query_as(
            "SELECT number, email, pin_hash, created FROM reset_case \
             WHERE number = ? AND closed IS NULL AND pin_hash IS NOT NULL AND created > ?",
        )
        .bind(number)
        .bind(opened_after.as_millisecond())
        .fetch_optional(&self.pool)
        .await?;
        row.map(ResetCase::try_from).transpose()
    }

    /// The cases that are open and were not opened before `opened_after`, the oldest first.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn open_cases(&self, opened_after: Timestamp) -> Result<Vec<ResetCase>, DatabaseError> {
        let rows: Vec<CaseRow> = sqlx::query_as(
            "SELECT number, email, pin_hash, created FROM reset_case \
             WHERE closed IS NULL AND pin_hash IS NOT NULL AND created > ? ORDER BY number",
        )
        .bind(opened_after.as_millisecond())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ResetCase::try_from).collect()
    }

    /// How a case was closed; none where it is open, or there is none of this number.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn outcome_of_case(&self, number: i64) -> Result<Option<CaseOutcome>, DatabaseError> {
        let outcome: Option<Option<String>> =
            sqlx::query_scalar("SELECT outcome FROM reset_case WHERE number = ? AND closed IS NOT NULL")
                .bind(number)
                .fetch_optional(&self.pool)
                .await?;
        Ok(outcome.map(|outcome| CaseOutcome::named(outcome.as_deref())))
    }

    /// Whether there is a case of this number that was opened and not closed, however long ago.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn has_undecided_case(&self, number: i64) -> Result<bool, DatabaseError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM reset_case WHERE number = ? AND closed IS NULL AND pin_hash IS NOT NULL",
        )
        .bind(number)
        .fetch_one(&self.pool)
        .await?;
        Ok(found > 0)
    }

    /// Closes a case and erases its PIN hash. False where it was closed already. `user_id` says whose it is, where
    /// that is known.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn close_case(
        &self,
        tx: &mut Transaction,
        number: i64,
        now: Timestamp,
        user_id: Option<&str>,
        outcome: CaseOutcome,
        reason: Option<&str>,
    ) -> Result<bool, DatabaseError> {
        let closed = sqlx::query(
            "UPDATE reset_case SET closed = ?, pin_hash = NULL, outcome = ?, reason = ? \
             WHERE number = ? AND closed IS NULL",
        )
        .bind(now.as_millisecond())
        .bind(outcome.name())
        .bind(reason)
        .bind(number)
        .execute(&mut **tx)
        .await?;
        if closed.rows_affected() == 0 {
            return Ok(false);
        }
        record(tx, now, outcome.event(), user_id.unwrap_or_default(), &format!("case {number}")).await?;
        Ok(true)
    }

    /// Closes the cases that nobody has decided and that were not opened after a moment. Says how many.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_cases(&self, opened_before: Timestamp, now: Timestamp) -> Result<u64, DatabaseError> {
        let mut tx = self.begin().await?;
        let ended: Vec<i64> = sqlx::query_scalar(
            "UPDATE reset_case SET closed = ?, pin_hash = NULL, outcome = ? WHERE closed IS NULL AND created <= ? \
             RETURNING number",
        )
        .bind(now.as_millisecond())
        .bind(CaseOutcome::Ended.name())
        .bind(opened_before.as_millisecond())
        .fetch_all(&mut *tx)
        .await?;
        for number in &ended {
            record(&mut tx, now, CaseOutcome::Ended.event(), "", &format!("case {number}")).await?;
        }
        tx.commit().await?;
        Ok(ended.len() as u64)
    }
}

/// Adds an event of a case to the audit trail.
async fn record(
    tx: &mut Transaction,
    at: Timestamp,
    kind: SetpassEventKind,
    user_id: &str,
    detail: &str,
) -> Result<(), DatabaseError> {
    record_setpass_event(tx, &SetpassEvent { at, kind, user_id, link: None, client: None, detail }).await
}

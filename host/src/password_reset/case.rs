//! What the helpdesk decides about a case.

use super::{Account, PasswordResets, ResetError, Skipped, find_account};
use crate::database::{CaseOutcome, DatabaseError, ResetCase};
use crate::fail_point;
use crate::keystone::User;

/// Why a case was not decided so.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// There is no such case.
    #[error("there is no reset case {0}; `usher password cases` lists those that wait")]
    Unknown(i64),
    /// It was decided otherwise, or has ended.
    #[error("reset case {number} is closed: it {how}")]
    Closed {
        /// The case.
        number: i64,
        /// How it was closed.
        how: &'static str,
    },
    /// Its account gets no link.
    #[error("no link can be mailed for reset case {number} ({email}): {reason}")]
    Skipped {
        /// The case.
        number: i64,
        /// The address that was typed.
        email: String,
        /// Why.
        reason: Skipped,
    },
    /// A service failed. The case is as it was.
    #[error(transparent)]
    Reset(#[from] ResetError),
}

impl From<DatabaseError> for CaseError {
    fn from(error: DatabaseError) -> Self {
        Self::Reset(error.into())
    }
}

/// What a decision came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is carried out.
    Now,
    /// It had been decided so before, and nothing was done.
    Before,
}

impl PasswordResets {
    /// The account that a case is about.
    ///
    /// # Errors
    /// Where Keystone cannot be asked.
    pub async fn account_of(&self, case: &ResetCase) -> Result<Account, ResetError> {
        Ok(find_account(&self.keystone, &case.email, &self.protected_roles).await?)
    }

    /// A case that waits for a decision; or how it was closed.
    ///
    /// # Errors
    /// Where there is no such case, or the database fails.
    pub async fn case(&self, number: i64) -> Result<Result<ResetCase, CaseOutcome>, CaseError> {
        if let Some(case) = self.setpass.open_case(number).await.map_err(ResetError::from)? {
            return Ok(Ok(case));
        }
        match self.database.outcome_of_case(number).await? {
            Some(outcome) => Ok(Err(outcome)),
            None if self.database.has_undecided_case(number).await? => Ok(Err(CaseOutcome::Ended)),
            None => Err(CaseError::Unknown(number)),
        }
    }

    /// The user whom approving a case mails a link to, and at which address.
    ///
    /// # Errors
    /// Where no link can be mailed.
    pub async fn recipient(&self, case: &ResetCase) -> Result<(User, String), CaseError> {
        match self.account_of(case).await? {
            Account::Found { user, email } => Ok((*user, email)),
            Account::Skipped { reason, .. } => {
                Err(CaseError::Skipped { number: case.number, email: case.email.clone(), reason })
            }
        }
    }

    /// Closes a case, and mails its user a link with the case's PIN. The case, the link and the mail are recorded
    /// together: killed at any moment, this is done or not done, and doing it again mails nothing twice.
    ///
    /// # Errors
    /// Where somebody decided otherwise meanwhile, or a service fails.
    pub async fn approve(&self, case: &ResetCase, user: &User, email: &str) -> Result<Decided, CaseError> {
        let link = self.setpass.prepare_reset_link(user, &case.pin_hash);
        let (kind, mail) = self.word_link(user, email, &link).await?;
        fail_point::reached(|| "case worded".to_owned());
        let mut tx = self.database.begin().await?;
        let (now, outcome) = (self.clock.now(), CaseOutcome::Approved);
        if !self.database.close_case(&mut tx, case.number, now, Some(&user.id), outcome, None).await? {
            drop(tx);
            return self.decided_before(case.number, outcome).await;
        }
        let answers = format!("case {}", case.number);
        self.setpass.record_reset_link(&mut tx, &link, &answers).await.map_err(ResetError::from)?;
        self.outbox.enqueue(&mut tx, &mail_of(case.number), kind, &mail).await.map_err(ResetError::from)?;
        tx.commit().await.map_err(DatabaseError::from)?;
        fail_point::reached(|| "case approved".to_owned());
        tracing::info!(case = case.number, user_id = user.id, "reset case approved");
        Ok(Decided::Now)
    }

    /// Closes a case and erases its PIN.
    ///
    /// # Errors
    /// Where somebody decided otherwise meanwhile, or the database fails.
    pub async fn deny(&self, number: i64, reason: Option<&str>) -> Result<Decided, CaseError> {
        let mut tx = self.database.begin().await?;
        let (now, outcome) = (self.clock.now(), CaseOutcome::Denied);
        if !self.database.close_case(&mut tx, number, now, None, outcome, reason).await? {
            drop(tx);
            return self.decided_before(number, outcome).await;
        }
        tx.commit().await.map_err(DatabaseError::from)?;
        tracing::info!(case = number, "reset case denied");
        Ok(Decided::Now)
    }

    /// What to say of a case that is closed already.
    ///
    /// # Errors
    /// Where it was closed otherwise, or there is no such case.
    pub async fn decided_before(&self, number: i64, wanted: CaseOutcome) -> Result<Decided, CaseError> {
        match self.database.outcome_of_case(number).await? {
            None => Err(CaseError::Unknown(number)),
            Some(outcome) if outcome == wanted => Ok(Decided::Before),
            Some(outcome) => Err(CaseError::Closed { number, how: in_words(outcome) }),
        }
    }
}

/// The origin of the mail with the link of a case.
#[must_use]
pub fn mail_of(case: i64) -> String {
    format!("reset-case:{case}:link")
}

/// How a case was closed.
fn in_words(outcome: CaseOutcome) -> &'static str {
    match outcome {
        CaseOutcome::Approved => "was approved, and a link was mailed",
        CaseOutcome::Denied => "was denied",
        CaseOutcome::Ended => "ended, as nobody decided it in time; the user has to ask again",
    }
}

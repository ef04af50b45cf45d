//! What an operator does with mail by hand: looks at it, has it tried again, drops it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::{Outbox, OutboxError};
use crate::database::{
    DatabaseError, MailRecord, MailState, Transaction, drop_refused_in, refused_of_kind_in,
};

/// A mail as an operator sees it, without what it says.
#[derive(Debug, Serialize)]
pub struct OutboxMail {
    /// Its number.
    pub number: i64,
    /// What it is.
    pub kind: String,
    /// Names the mail for ever.
    pub origin: String,
    /// What has become of it.
    pub state: &'static str,
    /// Recipients; none where the content is wiped or cannot be opened.
    pub to: Vec<String>,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// How often sending was tried.
    pub attempts: u32,
    /// When it is tried next; none where it does not wait.
    pub next_attempt: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// The `.eml` file that a refused mail is kept in.
    pub kept_in: Option<PathBuf>,
    /// When it was sent, given up or dropped.
    pub finished: Option<Timestamp>,
    /// When the link in it ends.
    pub link_ends: Option<Timestamp>,
}

/// Why an operator's wish about a mail cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum MailActionError {
    /// There is no such mail.
    #[error("there is no mail {0}; `usher mail list --all` shows all")]
    Unknown(i64),
    /// It is too late.
    #[error("mail {number} was {} already; nothing is left to be done with it", state.name())]
    Settled {
        /// The mail.
        number: i64,
        /// What has become of it.
        state: MailState,
    },
    /// A version of Usher that kept nothing but the file gave it up.
    #[error("mail {number} is kept in {file} only, and not in the outbox any more; send that file by hand", file = kept_in.display())]
    Wiped {
        /// The mail.
        number: i64,
        /// The file.
        kept_in: PathBuf,
    },
    /// The mail would come too late.
    #[error("the link in mail {0} has ended; `usher password reset` mails the user another")]
    LinkEnded(i64),
    /// It is under way.
    #[error("mail {0} is being sent at this moment; look again in a minute")]
    UnderWay(i64),
    /// The content cannot be read.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl From<DatabaseError> for MailActionError {
    fn from(error: DatabaseError) -> Self {
        Self::Outbox(error.into())
    }
}

impl Outbox {
    /// The mails that wait or were given up; `all` of them, also those that were sent or dropped.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mails(&self, all: bool) -> Result<Vec<OutboxMail>, OutboxError> {
        let unsettled = [MailState::Queued, MailState::Refused];
        let every = [MailState::Queued, MailState::Refused, MailState::Sent, MailState::Dropped];
        let states = if all { every.as_slice() } else { unsettled.as_slice() };
        let records = self.database.mails_in(states).await?;
        Ok(records.iter().map(|record| self.seen(record)).collect())
    }

    /// One mail.
    ///
    /// # Errors
    /// Where there is none of that number, or the database fails.
    pub async fn mail(&self, number: i64) -> Result<OutboxMail, MailActionError> {
        Ok(self.seen(&self.record(number).await?))
    }

    /// What a mail says, as it is sent (RFC 5322). Links in it are secret.
    ///
    /// # Errors
    /// Where there is no such mail, or its content is wiped or cannot be opened.
    pub async fn content(&self, number: i64) -> Result<Vec<u8>, MailActionError> {
        let record = self.record(number).await?;
        let payload = payload(&record)?;
        Ok(self.open(payload)?.bytes().map_err(OutboxError::from)?)
    }

    /// Makes a mail due at once, as if it had never been tried. The file of a refused one goes.
    ///
    /// # Errors
    /// Where it cannot be sent any more, or the database fails.
    pub async fn retry(&self, number: i64) -> Result<(), MailActionError> {
        let record = self.record(number).await?;
        payload(&record)?;
        let now = self.clock.now();
        if record.worthless_from.is_some_and(|end| end <= now) {
            return Err(MailActionError::LinkEnded(number));
        }
        // First the file: once the mail is due, whoever sends it may be refused again and write the same one.
        if let Some(file) = &record.kept_in {
            remove(file).await;
        }
        if !self.database.retry_mail(number, now).await? {
            return Err(MailActionError::UnderWay(number));
        }
        Ok(())
    }

    /// Wipes a mail that waits or was given up, with its file. It is never sent.
    ///
    /// # Errors
    /// Where it was sent or dropped already, is being sent, or the database fails.
    pub async fn discard(&self, number: i64) -> Result<(), MailActionError> {
        let record = self.record(number).await?;
        if let settled @ (MailState::Sent | MailState::Dropped) = record.state {
            return Err(MailActionError::Settled { number, state: settled });
        }
        if !self.database.drop_mail(number, self.clock.now(), |claim| self.claims.seems_dead(claim)).await? {
            return Err(MailActionError::UnderWay(number));
        }
        if let Some(file) = &record.kept_in {
            remove(file).await;
        }
        Ok(())
    }

    /// The mails that were given up before a moment, by their numbers.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn refused_before(&self, before: Timestamp) -> Result<Vec<(i64, String)>, OutboxError> {
        let refused = self.database.mails_in(&[MailState::Refused]).await?;
        let is_old = |mail: &MailRecord| mail.finished.is_some_and(|finished| finished < before);
        Ok(refused.into_iter().filter(is_old).map(|mail| (mail.number, mail.origin)).collect())
    }

    /// Wipes the mails of a kind that were given up, with their files, because what they say is written anew.
    /// Answers their origins.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn discard_refused_in(
        &self,
        transaction: &mut Transaction,
        kind: &str,
    ) -> Result<Vec<String>, OutboxError> {
        let mut origins = Vec::new();
        for (origin, kept_in) in refused_of_kind_in(transaction, kind).await? {
            // The file first: dying before the commit leaves a mail that the next try finds again.
            if let Some(file) = &kept_in {
                remove(file).await;
            }
            drop_refused_in(transaction, &origin, self.clock.now()).await?;
            origins.push(origin);
        }
        Ok(origins)
    }

    async fn record(&self, number: i64) -> Result<MailRecord, MailActionError> {
        self.database.mail(number).await?.ok_or(MailActionError::Unknown(number))
    }

    fn seen(&self, record: &MailRecord) -> OutboxMail {
        OutboxMail {
            number: record.number,
            kind: record.kind.clone(),
            origin: record.origin.clone(),
            state: record.state.name(),
            to: self.recipients(record),
            recorded: record.created,
            attempts: record.attempts,
            next_attempt: (record.state == MailState::Queued).then_some(record.next_attempt),
            error: record.last_error.clone(),
            kept_in: record.kept_in.clone(),
            finished: record.finished,
            link_ends: record.worthless_from,
        }
    }
}

/// The content of a mail that can still be sent.
fn payload(record: &MailRecord) -> Result<&[u8], MailActionError> {
    let number = record.number;
    match (&record.payload, &record.kept_in) {
        (Some(payload), _) => Ok(payload),
        (None, Some(kept_in)) if record.state == MailState::Refused => {
            Err(MailActionError::Wiped { number, kept_in: kept_in.clone() })
        }
        (None, _) => Err(MailActionError::Settled { number, state: record.state }),
    }
}

/// The outbox holds the mail, or nobody wants it: the file only keeps a link in clear.
async fn remove(file: &Path) {
    if let Err(error) = tokio::fs::remove_file(file).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, file = %file.display(), "the file of a mail could not be removed; remove it by hand");
    }
}

//! Mail that is recorded in the transaction of the step that causes it, and sent afterwards.
//!
//! Each mail has an origin, a name that it keeps for ever: recorded twice, it is one mail. It lies sealed
//! in the database until the server has taken it, and is wiped then. What fails in passing is tried
//! again, later and later; what the server refuses for good is kept as an `.eml` file and reported, until an
//! operator has it tried again or dropped. Nothing else is undone because of mail.
//!
//! A mail is claimed before it is sent, and the claim renewed while it is being sent, so that no two who send
//! mail, in however many processes, ever send the same one at the same time, whatever their clocks show. If a process
//! dies, its claim is worth nothing on this host, and for others once they have not seen it renewed for two minutes. That
//! the server took a mail is recorded as soon as the database lets that happen. One case cannot be told apart: the process died after the server took the mail and before that was recorded. The mail is sent again then,
//! with the same Message-ID, by which mail systems recognise it. SMTP has nothing better to offer.
//!
//! Knows nothing of what mails say and why they are sent.

mod claims;
mod delivery;
mod error;
mod operator;
mod sending;
#[cfg(test)]
pub(crate) mod tests;
mod undeliverable;

use std::path::PathBuf;

use jiff::Timestamp;
use zeroize::Zeroizing;

pub use delivery::{Delivery, DeliveryOutcome};
pub use error::OutboxError;
pub use operator::{MailActionError, OutboxMail};

use self::claims::Claims;
use crate::clock::Clock;
use crate::database::{Database, MailRecord, MailState, RefusedMail, Transaction};
use crate::keys::Keys;
use crate::mailer::{self, Mail, Mailer, MailerError, Message};
use crate::{random, settings};

/// What payloads are sealed for.
pub(crate) const PURPOSE: &str = "outbox";

/// The outbox.
#[derive(Clone, Debug)]
pub struct Outbox {
    database: Database,
    keys: Keys,
    clock: Clock,
    claims: Claims,
    mailer: Mailer,
    /// Sender of every mail that does not name another.
    sender: String,
    /// Folder of the mails that were given up.
    undeliverable: PathBuf,
}

/// A mail to be recorded.
#[derive(Clone, Debug)]
pub struct Compose {
    /// Recipients, one mailbox each.
    pub to: Vec<String>,
    /// What it says.
    pub message: Message,
    /// The setpass link in it.
    pub link: Option<MailedLink>,
}

/// A link that a mail carries. Once it has ended, the mail is worth nothing and is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailedLink {
    /// Keystone's id of its user. Another link for that user ends this one.
    pub user_id: String,
    /// When it ends by itself.
    pub ends: Timestamp,
}

/// What became of recording a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits to be sent.
    Queued,
    /// One of that origin was recorded before; it is that one which is or was sent.
    Already,
}

/// A mail that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMail {
    /// Names the mail.
    pub origin: String,
    /// What it is.
    pub kind: String,
    /// Recipients; none where the record cannot be opened.
    pub to: Vec<String>,
    /// How often sending was tried.
    pub attempts: u32,
    /// When it may be tried next.
    pub next_attempt: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

impl Outbox {
    /// An outbox on these records and this way to the server.
    #[must_use]
    pub fn new(
        database: Database,
        keys: Keys,
        clock: Clock,
        mailer: Mailer,
        settings: &settings::mail::Mail,
    ) -> Self {
        Self {
            database,
            keys,
            claims: Claims::new(clock.clone()),
            clock,
            mailer,
            sender: settings.sender.clone(),
            undeliverable: settings.undeliverable.clone(),
        }
    }

    /// Finds out whether a mail could be recorded, without doing so.
    ///
    /// # Errors
    /// Where it could not be sent as it is worded, or to whom.
    pub fn check(&self, compose: &Compose) -> Result<(), OutboxError> {
        write(&self.sender, compose, self.clock.now())?;
        Ok(())
    }

    /// Records a mail in the caller's transaction: it exists if, and only if, that is committed. `kind` says
    /// what it is, for reports.
    ///
    /// # Errors
    /// Where no mail can be made of this, or the database fails.
    pub async fn enqueue(
        &self,
        transaction: &mut Transaction,
        origin: &str,
        kind: &str,
        compose: &Compose,
    ) -> Result<Enqueued, OutboxError> {
        let now = self.clock.now();
        let mail = write(&self.sender, compose, now)?;
        let plain = Zeroizing::new(serde_json::to_vec(&mail).map_err(|_| OutboxError::Damaged)?);
        let sealed = self.keys.seal(PURPOSE, &plain);
        let link = compose.link.as_ref().map(|link| (link.user_id.as_str(), link.ends));
        let added = Database::add_mail(transaction, origin, kind, &sealed, now, link).await?;
        Ok(if added { Enqueued::Queued } else { Enqueued::Already })
    }

    /// The mails that wait, in the order in which they were recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn pending(&self) -> Result<Vec<PendingMail>, OutboxError> {
        let queued = self.database.mails_in(&[MailState::Queued]).await?;
        let pending = queued.into_iter().map(|mail| PendingMail {
            to: self.recipients(&mail),
            origin: mail.origin,
            kind: mail.kind,
            attempts: mail.attempts,
            next_attempt: mail.next_attempt,
            last_error: mail.last_error,
        });
        Ok(pending.collect())
    }

    /// The mails that were given up since a moment, in the order in which they were recorded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn refused(&self, since: Timestamp) -> Result<Vec<RefusedMail>, OutboxError> {
        Ok(self.database.refused_mails(since).await?)
    }

    /// The recipients of a mail; none where its content is gone or cannot be opened.
    fn recipients(&self, mail: &MailRecord) -> Vec<String> {
        let opened = mail.payload.as_deref().and_then(|payload| self.open(payload).ok());
        opened.map(|opened| opened.to).unwrap_or_default()
    }

    fn open(&self, payload: &[u8]) -> Result<Mail, OutboxError> {
        let plain = self.keys.open(PURPOSE, payload)?;
        // The JSON error is left out: it may quote the mail.
        serde_json::from_slice(&plain).map_err(|_| OutboxError::Damaged)
    }
}

/// Writes a mail from the site's sender where it names no other.
fn write(site_sender: &str, compose: &Compose, now: Timestamp) -> Result<Mail, MailerError> {
    let message = &compose.message;
    let sender = message.sender.as_deref().unwrap_or(site_sender);
    let mail = Mail {
        message_id: mailer::message_id(&random::identifier(), sender)?,
        date: now,
        sender: sender.to_owned(),
        to: compose.to.clone(),
        cc: message.cc.clone(),
        subject: message.subject.clone(),
        text: message.text.clone(),
        html: message.html.clone(),
    };
    // What cannot be written must come to light now, not when nobody waits for it any more.
    mail.bytes()?;
    Ok(mail)
}

/// Whether a mail could be recorded.
///
/// # Errors
/// Where no mail can be made of it.
pub fn check(site_sender: &str, compose: &Compose) -> Result<(), OutboxError> {
    write(site_sender, compose, Timestamp::UNIX_EPOCH)?;
    Ok(())
}

/// Whether a mail of this wording could be recorded.
///
/// # Errors
/// Where no mail can be made of it.
pub fn check_wording(site_sender: &str, message: Message) -> Result<(), OutboxError> {
    let compose = Compose { to: vec!["user@example.org".to_owned()], message, link: None };
    write(site_sender, &compose, Timestamp::UNIX_EPOCH)?;
    Ok(())
}

//! Mail that is recorded in the transaction of the step that causes it, and sent afterwards.
//!
//! Each mail has an origin, a name that it keeps for ever: recorded twice, it is one mail. It lies sealed
//! in the database until the server has taken it, and is wiped then. What fails in passing is tried
//! again, later and later; what the server refuses for good is kept as an `.eml` file and reported, until an
//! operator has it tried again or dropped. Nothing else is undone because of mail.
//!
//! A mail is claimed before it is sent, and the claim renewed while it is being sent, so that two
//! processes never send the same one at the same time. If a process dies, its claim is worth nothing on this
//! host, and runs out within [`CLAIM`] for others. One case cannot be told apart: the process died after the server took the mail and before
//! that was recorded. The mail is sent again then, with the same Message-ID, by which mail systems
//! recognise it. SMTP has nothing better to offer.
//!
//! Knows nothing of what mails say and why they are sent.

mod delivery;
mod error;
mod operator;
#[cfg(test)]
pub(crate) mod tests;
mod undeliverable;

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

pub use delivery::{Delivery, DeliveryOutcome};
pub use error::OutboxError;
pub use operator::{MailActionError, OutboxMail};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::database::{ClaimedMail, Database, MailRecord, MailState, RefusedMail, Transaction};
use crate::fail_point;
use crate::keys::Keys;
use crate::mailer::{self, Mail, Mailer, MailerError, Message, RefusedRecipient};
use crate::process::Process;
use crate::{random, settings};

/// How long a claim lasts unless it is renewed.
pub const CLAIM: SignedDuration = SignedDuration::from_secs(30);

/// How often a claim is renewed while its mail is being sent.
const RENEWAL: Duration = Duration::from_secs(10);

/// How long to wait after failures.
const BACKOFF: Backoff =
    Backoff { first: SignedDuration::from_secs(30), longest: SignedDuration::from_hours(1) };

/// How long after the first attempt a mail is given up, as mail servers do (RFC 5321, section 4.5.4.1).
const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What payloads are sealed for.
pub(crate) const PURPOSE: &str = "outbox";

/// The outbox.
#[derive(Clone, Debug)]
pub struct Outbox {
    database: Database,
    keys: Keys,
    clock: Clock,
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

    /// Sends what is due, in the order in which it was recorded. Where the server cannot be used, it stops
    /// after the first mail and leaves the others due.
    ///
    /// # Errors
    /// Where the database fails. What happens to single mails is in the answer.
    pub async fn deliver_due(&self) -> Result<Vec<Delivery>, OutboxError> {
        let mut deliveries = Vec::new();
        self.deliver_while(&mut deliveries, || true).await?;
        Ok(deliveries)
    }

    /// The same, for as long as the caller wants it to `go_on` before each mail. What was done is in `deliveries`,
    /// also where it ends with an error.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn deliver_while(
        &self,
        deliveries: &mut Vec<Delivery>,
        go_on: impl Fn() -> bool,
    ) -> Result<(), OutboxError> {
        let claimant = Process::this().to_string();
        while go_on() {
            let now = self.clock.now();
            let until = after(now, CLAIM);
            let claimed = self.database.claim_due_mail(&claimant, now, until, Process::is_gone).await?;
            let Some(claimed) = claimed else { break };
            fail_point::reached(|| format!("mail {} claimed", claimed.kind));
            let Some(delivery) = self.deliver(&claimant, &claimed).await? else {
                continue;
            };
            let stop = matches!(&delivery.outcome, DeliveryOutcome::Later { error, .. }
                | DeliveryOutcome::Refused { error, .. } if error.concerns_server());
            deliveries.push(delivery);
            if stop {
                break;
            }
        }
        Ok(())
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

    /// Tries one mail. None where another process has taken it over meanwhile.
    async fn deliver(&self, claimant: &str, claimed: &ClaimedMail) -> Result<Option<Delivery>, OutboxError> {
        let worthless = claimed.worthless_from.is_some_and(|end| end <= self.clock.now());
        let (to, outcome) = match self.open(&claimed.payload) {
            // The key may come back: the mail is neither refused nor wiped.
            Err(error) => (Vec::new(), self.postpone(claimant, claimed, error, BACKOFF.longest).await?),
            Ok(mail) if worthless => {
                let outcome = self.give_up(claimant, claimed, &mail, OutboxError::Worthless).await?;
                (mail.to, outcome)
            }
            Ok(mail) => match self.send(claimant, &claimed.origin, &mail).await? {
                None => return Ok(None),
                Some(sent) => {
                    let outcome = self.settle(claimant, claimed, &mail, sent).await?;
                    (mail.to, outcome)
                }
            },
        };
        Ok(Some(Delivery { origin: claimed.origin.clone(), kind: claimed.kind.clone(), to, outcome }))
    }

    /// Sends a mail while keeping the claim alive. None where the claim was lost.
    async fn send(
        &self,
        claimant: &str,
        origin: &str,
        mail: &Mail,
    ) -> Result<Option<Result<Vec<RefusedRecipient>, MailerError>>, OutboxError> {
        let mut sending = std::pin::pin!(self.mailer.send(mail));
        loop {
            tokio::select! {
                sent = &mut sending => return Ok(Some(sent)),
                () = tokio::time::sleep(RENEWAL) => {
                    let until = after(self.clock.now(), CLAIM);
                    if !self.database.renew_mail_claim(origin, claimant, until).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Records what became of an attempt.
    async fn settle(
        &self,
        claimant: &str,
        claimed: &ClaimedMail,
        mail: &Mail,
        sent: Result<Vec<RefusedRecipient>, MailerError>,
    ) -> Result<DeliveryOutcome, OutboxError> {
        let now = self.clock.now();
        let error = match sent {
            Ok(refused) => {
                fail_point::reached(|| format!("mail {} taken", claimed.kind));
                self.database.record_mail_sent(&claimed.origin, now).await?;
                return Ok(DeliveryOutcome::Sent { refused });
            }
            Err(error) => error,
        };
        let tried_for = now.duration_since(claimed.first_attempt.unwrap_or(now));
        if error.condemns_mail() {
            self.give_up(claimant, claimed, mail, error.into()).await
        } else if tried_for >= PATIENCE {
            self.give_up(claimant, claimed, mail, OutboxError::GivenUp { last: error }).await
        } else {
            self.postpone(claimant, claimed, error.into(), delay(claimed.attempts)).await
        }
    }

    /// Keeps a mail as a file and sends it no more.
    async fn give_up(
        &self,
        claimant: &str,
        claimed: &ClaimedMail,
        mail: &Mail,
        error: OutboxError,
    ) -> Result<DeliveryOutcome, OutboxError> {
        let now = self.clock.now();
        // The file first, the record after it: dying in between writes the same file again.
        match self.keep(&claimed.origin, mail).await {
            Ok(kept_in) => {
                let words = error.to_string();
                self.database.record_mail_refused(&claimed.origin, claimant, now, &words, &kept_in).await?;
                Ok(DeliveryOutcome::Refused { error, kept_in })
            }
            Err(error) => self.postpone(claimant, claimed, error, BACKOFF.longest).await,
        }
    }

    async fn postpone(
        &self,
        claimant: &str,
        claimed: &ClaimedMail,
        error: OutboxError,
        by: SignedDuration,
    ) -> Result<DeliveryOutcome, OutboxError> {
        let now = self.clock.now();
        let at = after(now, by);
        let words = error.to_string();
        self.database.record_mail_delayed(&claimed.origin, claimant, now, at, &words).await?;
        Ok(DeliveryOutcome::Later { error, at })
    }

    async fn keep(&self, origin: &str, mail: &Mail) -> Result<PathBuf, OutboxError> {
        let bytes = mail.bytes()?;
        let file = self.undeliverable.join(undeliverable::file_name(origin, &mail.message_id));
        let target = file.clone();
        let written = tokio::task::spawn_blocking(move || undeliverable::keep(&target, &bytes)).await;
        match written {
            Ok(Ok(())) => Ok(file),
            Ok(Err(source)) => Err(OutboxError::Keep { file, source }),
            Err(stopped) => Err(OutboxError::Keep { file, source: std::io::Error::other(stopped) }),
        }
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

/// How long to wait after a failure, when there were `attempts` before it. Up to a quarter more than
/// planned, so that mails that failed together do not come back together.
fn delay(attempts: u32) -> SignedDuration {
    let planned = BACKOFF.pause(attempts);
    let [chance] = random::bytes::<1>();
    planned + planned / 4 * i32::from(chance) / 255
}

fn after(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

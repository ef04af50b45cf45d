//! The sending of mail that waits, and what becomes of each attempt.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::claims::{self, CLAIM, LASTS, RENEWAL};
use super::{Delivery, DeliveryOutcome, Outbox, OutboxError, PendingMail, undeliverable};
use crate::backoff::Backoff;
use crate::database::{ClaimedMail, DueMail};
use crate::mailer::{Mail, MailerError, RefusedRecipient};
use crate::stop::Stop;
use crate::{fail_point, random};

/// How long to wait after failures.
const BACKOFF: Backoff =
    Backoff { first: SignedDuration::from_secs(30), longest: SignedDuration::from_hours(1) };

/// How long after the first attempt a mail is given up, as mail servers do (RFC 5321, section 4.5.4.1).
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// How often a mail is tried at least before it is given up: most of a day's attempts. So a clock that is set forward does
/// not make an end of mail that has just been tried for the first time.
pub(super) const FEWEST_ATTEMPTS: u32 = 24;

/// How long to wait before what could not be recorded is tried again.
const RECORDING_DELAY: Duration = Duration::from_secs(5);

/// How often claims are looked at by a command that waits for those of dead processes.
const LOOK: Duration = Duration::from_secs(5);

impl Outbox {
    /// Sends what is due, in the order in which it was recorded. Where the server cannot be used, it stops
    /// after the first mail and leaves the others due. So it leaves what another process may still be sending: whoever
    /// does this again and again knows in the end of which that is not so.
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
        let claimant = claims::claimant();
        while go_on() {
            let Some(claimed) = self.claim(&claimant).await? else { break };
            fail_point::reached(|| format!("mail {} claimed", claimed.kind));
            let Some(delivery) = self.deliver(&claimant, &claimed).await? else {
                continue;
            };
            let stop = delivery.leaves_others();
            deliveries.push(delivery);
            if stop {
                break;
            }
        }
        Ok(())
    }

    /// The same until it is asked to stop, for who sends all that is due and does not come back soon: what another process
    /// claims that may well be dead is watched for as long as it takes to be sure.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn deliver_and_watch(
        &self,
        deliveries: &mut Vec<Delivery>,
        stop: &Stop,
    ) -> Result<(), OutboxError> {
        let mut watched_since = None;
        loop {
            self.deliver_while(deliveries, || !stop.is_asked()).await?;
            let left = self.database.mail_claims().await?;
            let may_be_dead = left.iter().any(|claim| self.claims.seems_dead(claim));
            let leaves_others = deliveries.last().is_some_and(Delivery::leaves_others);
            if !may_be_dead || leaves_others || stop.is_asked() {
                return Ok(());
            }
            // Not from before the mail that was sent first: that may have taken longer than all of this.
            let ran = self.clock.ran();
            let since = *watched_since.get_or_insert_with(|| {
                tracing::warn!(
                    "a process that was sending mail seems to be dead; looking for two minutes whether it is"
                );
                ran
            });
            if ran.saturating_sub(since) > LASTS {
                return Ok(());
            }
            tokio::select! {
                () = self.clock.sleep(LOOK) => {}
                () = stop.asked() => {}
            }
        }
    }

    /// Whether a mail that waits is due now.
    #[must_use]
    pub fn is_due(&self, mail: &PendingMail) -> bool {
        let due = self.due();
        mail.attempts == 0 || mail.next_attempt <= due.by || mail.next_attempt > due.or_beyond
    }

    fn due(&self) -> DueMail {
        let now = self.clock.now();
        DueMail { by: now, or_beyond: after(now, longest_delay()) }
    }

    pub(super) async fn claim(&self, claimant: &str) -> Result<Option<ClaimedMail>, OutboxError> {
        let (due, had_run) = (self.due(), self.clock.ran());
        let left = |claims: &[_]| self.claims.left_by_the_dead(claims, had_run);
        let claimed = self.database.claim_due_mail(claimant, due, after(due.by, CLAIM), left).await;
        if claimed.is_err() {
            self.claims.start_over();
        }
        Ok(claimed?)
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
            Ok(mail) => match self.send(claimant, &claimed.origin, &mail).await {
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
    ) -> Option<Result<Vec<RefusedRecipient>, MailerError>> {
        tokio::select! {
            biased;
            sent = self.mailer.send(mail) => Some(sent),
            () = self.renew(claimant, origin) => {
                tracing::warn!(origin, "a mail was dropped or taken over by another process while it was being sent");
                None
            }
        }
    }

    /// Keeps a claim. Returns once it is lost.
    async fn renew(&self, claimant: &str, origin: &str) {
        loop {
            self.clock.sleep(RENEWAL).await;
            let until = after(self.clock.now(), CLAIM);
            match self.database.renew_mail_claim(origin, claimant, until).await {
                Ok(true) => {}
                Ok(false) => return,
                // It may be there again before anybody can take that for a sign of death.
                Err(error) => tracing::warn!(%error, origin, "the claim on a mail could not be renewed"),
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
                self.record_sent(&claimed.origin, now).await;
                return Ok(DeliveryOutcome::Sent { refused });
            }
            Err(error) => error,
        };
        let tried_for = now.duration_since(claimed.first_attempt.unwrap_or(now));
        if error.condemns_mail() {
            self.give_up(claimant, claimed, mail, error.into()).await
        } else if tried_for >= PATIENCE && claimed.attempts + 1 >= FEWEST_ATTEMPTS {
            let (attempts, days) = (claimed.attempts + 1, tried_for.as_hours() / 24);
            let given_up = OutboxError::GivenUp { attempts, days, last: error };
            self.give_up(claimant, claimed, mail, given_up).await
        } else {
            self.postpone(claimant, claimed, error.into(), delay(claimed.attempts)).await
        }
    }

    /// Records that the server took a mail. Where the database fails it is tried again for as long as this process lives:
    /// the mail would be sent again.
    async fn record_sent(&self, origin: &str, at: Timestamp) {
        while let Err(error) = self.database.record_mail_sent(origin, at).await {
            tracing::error!(%error, origin, "that a mail was sent cannot be recorded; trying again");
            self.clock.sleep(RECORDING_DELAY).await;
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

    pub(super) async fn keep(&self, origin: &str, mail: &Mail) -> Result<PathBuf, OutboxError> {
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
}

/// How long to wait after a failure, when there were `attempts` before it. Up to a quarter more than
/// planned, so that mails that failed together do not come back together.
fn delay(attempts: u32) -> SignedDuration {
    let planned = BACKOFF.pause(attempts);
    let [chance] = random::bytes::<1>();
    planned + planned / 4 * i32::from(chance) / 255
}

fn longest_delay() -> SignedDuration {
    BACKOFF.longest + BACKOFF.longest / 4
}

pub(super) fn after(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

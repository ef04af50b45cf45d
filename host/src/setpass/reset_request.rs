//! Requests for a link, from the page to the one who works them through, and the helpdesk's cases.
//!
//! The page only records what was asked for, so that its answer and the time of it tell nothing about accounts.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::limits::CLIENT_WINDOW;
use super::{ClientCount, Setpass, SetpassError};
use crate::database::{DatabaseError, Limit, ResetCase, Transaction};
use crate::registration;
use crate::settings::setpass::reset::{Reset, ResetMode};

/// What is sealed of who asked.
pub(crate) const REQUEST_PURPOSE: &str = "setpass/reset-request";

/// How long a request is tried that cannot be worked through.
const REQUEST_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The span that all requests are counted over.
const TOTAL_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// Who asks for a link, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Name; may be blank.
    pub name: String,
    /// E-mail address or user name.
    pub email: String,
}

/// How often all together may ask.
pub(crate) fn limit_in_total(settings: &Reset) -> Limit<'static> {
    Limit { kind: "reset in total", subject: &[], most: settings.max_in_total, window: TOTAL_WINDOW }
}

impl Setpass {
    /// Who answers those who ask.
    #[must_use]
    pub fn reset_mode(&self) -> ResetMode {
        self.inner.reset.mode
    }

    /// How many digits a PIN that is chosen on the page has at least.
    #[must_use]
    pub fn digits_of_new_pin(&self) -> usize {
        usize::try_from(self.inner.reset.pin_digits).unwrap_or(super::LONGEST_PIN)
    }

    /// Counts that a client, named by its network, asks for a link, and records what it asks for where it may. Does the
    /// same for everybody: hashes the PIN, and looks nothing up. Who is turned away, because too many PINs are waiting,
    /// is so before the database is asked for anything.
    ///
    /// # Errors
    /// Where the PIN cannot be one, too many are waiting, or the database fails.
    pub async fn ask_from(
        &self,
        network: IpAddr,
        asker: &Asker,
        pin: &SecretString,
        client: Option<IpAddr>,
    ) -> Result<ClientCount, SetpassError> {
        super::check_pin(pin)?;
        let place = self.inner.hashing.queue()?;
        let counted = self.count_reset_for(network).await?;
        if counted == ClientCount::Within {
            let pin_hash = self.inner.hashing.hash(pin, Some(place)).await;
            self.ask_for_link(asker, &pin_hash, client).await?;
        }
        Ok(counted)
    }

    /// Counts that a client, named by its network, asks for a link: within an hour, and within the span that all requests
    /// are counted over, so that one client cannot use up what all have.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_reset_for(&self, client: IpAddr) -> Result<ClientCount, SetpassError> {
        let inner = &self.inner;
        let subject = &inner.keys.fingerprint("setpass/client", &client.to_string());
        let (hour, day) = (inner.reset.max_per_client, inner.reset.per_client_per_day());
        let limits = [
            Limit { kind: "reset of client", subject, most: hour, window: CLIENT_WINDOW },
            Limit { kind: "reset of client in a day", subject, most: day, window: TOTAL_WINDOW },
        ];
        Ok(match inner.database.count_event_of_all(&limits, inner.clock.now()).await? {
            None => ClientCount::Within,
            Some(until) => ClientCount::Over { until },
        })
    }

    /// Records that somebody asks for a link from this address. `pin_hash` comes from [`Setpass::hash_pin`]. Where all together
    /// have asked often enough of late, nothing is recorded, and nobody is told.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn ask_for_link(
        &self,
        asker: &Asker,
        pin_hash: &str,
        client: Option<IpAddr>,
    ) -> Result<(), SetpassError> {
        let inner = &self.inner;
        let plain = Zeroizing::new(serde_json::to_vec(asker).map_err(|_| damaged())?);
        let sealed = inner.keys.seal(REQUEST_PURPOSE, &plain);
        let total = limit_in_total(&inner.reset);
        let client = inner.client_to_record(client);
        let (database, now) = (&inner.database, inner.clock.now());
        if database.add_reset_request(&sealed, pin_hash, client.as_deref(), now, &total).await? {
            tracing::info!("a link was asked for");
        } else {
            tracing::warn!(
                most = total.most,
                "too many links were asked for within 24 hours (setpass.reset.max_in_total); a request is dropped"
            );
        }
        Ok(())
    }

    /// Until when no more requests are taken, where as many were made within 24 hours as all together may.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn requests_full_until(&self) -> Result<Option<Timestamp>, SetpassError> {
        let inner = &self.inner;
        Ok(inner.database.limit_full_until(&limit_in_total(&inner.reset), inner.clock.now()).await?)
    }

    /// Who asked, from the sealed record.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open_asker(&self, sealed: &[u8]) -> Result<Asker, SetpassError> {
        let plain = self.inner.keys.open(REQUEST_PURPOSE, sealed)?;
        // The JSON error is left out: it may quote the record.
        serde_json::from_slice(&plain).map_err(|_| damaged())
    }

    /// The number of the case of a request, which is about to be opened. None where too many were within 24 hours for
    /// this address.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn number_reset_case(&self, request: i64, email: &str) -> Result<Option<i64>, SetpassError> {
        let inner = &self.inner;
        let email = registration::fold(email);
        let subject = self.account_fingerprint(&email);
        let limit = self.account_limit(&subject);
        Ok(inner.database.number_reset_case(request, &email, inner.clock.now(), &limit).await?)
    }

    /// Opens a case in the caller's transaction, so that the case and the ticket which names it are
    /// recorded together.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_reset_case(
        &self,
        tx: &mut Transaction,
        case: i64,
        pin_hash: &str,
    ) -> Result<(), SetpassError> {
        self.inner.database.open_reset_case(tx, case, pin_hash, self.inner.clock.now()).await?;
        tracing::info!(case, "reset case opened");
        Ok(())
    }

    /// When a case that was opened at a moment ends by itself.
    #[must_use]
    pub fn end_of_case(&self, opened: Timestamp) -> Timestamp {
        opened.saturating_add(self.inner.reset.case_lifetime).unwrap_or(Timestamp::MAX)
    }

    /// The cases that wait for a decision, the oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_cases(&self) -> Result<Vec<ResetCase>, SetpassError> {
        Ok(self.inner.database.open_cases(self.oldest_open_case(self.inner.clock.now())).await?)
    }

    /// The case of this number, where it waits for a decision.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_case(&self, number: i64) -> Result<Option<ResetCase>, SetpassError> {
        Ok(self.inner.database.open_case(number, self.oldest_open_case(self.inner.clock.now())).await?)
    }

    /// Ends what has lived long enough: cases, requests that nobody could work through, and what counted toward limits.
    pub(super) async fn end_reset_requests(&self, now: Timestamp) -> Result<(), SetpassError> {
        let database = &self.inner.database;
        let cases = database.end_cases(self.oldest_open_case(now), now).await?;
        let before = now.saturating_sub(REQUEST_LIFETIME).unwrap_or(Timestamp::MIN);
        let requests = database.erase_reset_requests(before).await?;
        if requests > 0 {
            tracing::error!(
                requests,
                "requests for links could not be worked through within 24 hours and are erased"
            );
        }
        tracing::debug!(cases, "reset cases that nobody decided have ended");
        Ok(database.erase_ended_events(now).await?)
    }

    fn oldest_open_case(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.inner.reset.case_lifetime).unwrap_or(Timestamp::MIN)
    }
}

fn damaged() -> SetpassError {
    SetpassError::Database(DatabaseError::Damaged("a request for a link that cannot be read".to_owned()))
}

//! Setpass: a user who holds a mailed link and knows a PIN chooses a password.
//!
//! For each such user there is one record: the hash of the link's token, the hashed PIN, and,
//! encrypted, the random password that Keystone has at present, which is what Keystone wants to see
//! before it takes another. Issuing a link again replaces the token; the older links are unknown
//! from then on.
//!
//! Users who forgot their password ask for a link themselves (see `reset_link`). Such a link has no random password
//! before it is used: the present one stays until somebody has the link and its PIN, so that asking for somebody
//! else's link takes nothing away. With the right PIN, Usher sets a random password as the administrator, and then
//! changes it as the user would, so that Keystone's rules for new passwords and its history hold. These links live
//! beside each other and beside the one that the user was registered with, each with a PIN of its own; the first one
//! that is used ends them all, and a new registration ends those that were asked for.
//!
//! How long secrets are kept: a password that was changed erases the whole record at once, and so do an account that
//! is gone and a random password that Keystone has refused too often. A link that is locked loses the password and the
//! PIN with its last wrong PIN (they come back where a right one was counted before it and is compared after it), and
//! one that has ended within a minute ([`Setpass::sweep`]); what is left tells its user so for [`RETENTION`]. The
//! protocol's renewal, which leaves out both, works as long as there is something to renew: afterwards such a user is
//! as unknown as any other, and needs a password and a PIN, as `usher password reset` gives them.
//!
//! What happened is in an audit trail, each event in the transaction of what it tells of, and a change of password
//! leaves behind that its user is to be told by mail, see `password_notice`.
//!
//! What cannot be decided by Usher alone: whether Keystone made a change whose answer never came
//! (a crash, a timeout). That a change was begun is recorded before Keystone is asked. Where the
//! outcome stayed unknown and Keystone later says that the random password is wrong, the user is
//! told that the earlier try may have worked, see [`RedeemError::PerhapsChanged`], also by mail; and so by mail is one
//! who never tries again, when the link ends.
//!
//! Knows nothing of HTTP, pages and mail.

mod callers;
mod change;
mod client;
mod hashing;
mod limits;
mod password;
mod pin;
mod redeem;
mod reset_link;
mod reset_request;
mod token;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::RwLock;
use url::Url;

use crate::clock::Clock;
use crate::database::{
    AttemptLimits, Database, DatabaseError, LinkIssue, LinkPassword, Swept, Transaction,
    drop_mails_with_link_of,
};
use crate::keys::{Keys, KeysError};
use crate::single_flight::SingleFlight;
use crate::{random, settings};

use callers::{Caller, SharedAdmission};
use hashing::PinHashing;
use password::PasswordRules;

pub use callers::{Admission, AdmissionError};
pub use limits::ClientCount;
pub use password::{LONGEST as LONGEST_PASSWORD, SHORTEST as SHORTEST_PASSWORD, UnusablePassword};
pub use pin::{InvalidPin, LONGEST as LONGEST_PIN, SHORTEST as SHORTEST_PIN, check as check_pin, is_trivial};
pub use redeem::{RedeemError, Redemption};
pub use reset_link::PreparedResetLink;
pub use reset_request::Asker;

pub(crate) use reset_request::{REQUEST_PURPOSE, limit_in_total};
pub(crate) use token::url as link_with;

/// How long it is known of a link that was not used that it has ended or is locked, after it was last issued.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Issues links and takes them in payment for a password. Clones share everything.
#[derive(Clone)]
pub struct Setpass {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    keys: Keys,
    clock: Clock,
    public_url: Url,
    lifetime: Duration,
    limits: AttemptLimits,
    attempts_per_client: u32,
    reset: settings::setpass::reset::Reset,
    rules: PasswordRules,
    /// How the audit trail names those who send requests.
    recorded_client: settings::setpass::RecordedClient,
    /// How long the audit trail is kept.
    audit_retention: Duration,
    hashing: PinHashing,
    /// Whose tokens are being looked at.
    callers: SingleFlight<Caller, SharedAdmission>,
    /// Held for reading by every change that is under way.
    changes: Arc<RwLock<()>>,
}

/// What a link is issued for.
pub struct Registration<'a> {
    /// Keystone's id of the user.
    pub user_id: &'a str,
    /// The random password that Keystone has for the user. May be left out for a known user.
    pub password: Option<&'a SecretString>,
    /// The PIN. May be left out for a known user.
    pub pin: Option<Pin<'a>>,
}

/// A PIN.
pub enum Pin<'a> {
    /// As its user chose it.
    Clear(&'a SecretString),
    /// As [`Setpass::hash_pin`] hashed it.
    Hash(&'a str),
}

/// A link that was issued.
pub struct IssuedToken {
    /// The token alone.
    pub token: SecretString,
    /// The link with the token.
    pub url: SecretString,
    /// When the link ends.
    pub expires: Timestamp,
}

/// A link that is not recorded yet, and does not work before it is.
pub struct Prepared {
    user_id: String,
    /// Sealed.
    password: Option<Vec<u8>>,
    /// Tells the password from any other.
    password_name: String,
    pin_hash: Option<String>,
    issued_at: Timestamp,
    issued: IssuedToken,
}

impl Prepared {
    /// What the mail with the link says.
    #[must_use]
    pub fn issued(&self) -> &IssuedToken {
        &self.issued
    }
}

/// Why a link was not issued.
#[derive(Debug, thiserror::Error)]
pub enum SetpassError {
    /// The user has no link that works, so that password and PIN are both needed. Final.
    #[error(
        "user {0} has no link that could be renewed (none was issued, or it was used, has ended or is locked), \
             so both a password and a PIN are needed"
    )]
    UnknownUser(String),
    /// The PIN cannot be one. Final.
    #[error(transparent)]
    InvalidPin(#[from] InvalidPin),
    /// More PINs are waiting to be hashed than may wait. Passing.
    #[error("too many PINs are being checked at this moment; try again in some seconds")]
    Overloaded,
    /// The records cannot be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A stored secret cannot be read. Final.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl Setpass {
    /// Setpass over these records.
    #[must_use]
    pub fn new(
        database: Database,
        keys: Keys,
        clock: Clock,
        settings: &settings::setpass::Setpass,
        site_name: &str,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                hashing: PinHashing::new(keys.clone()),
                keys,
                clock,
                public_url: settings.public_url().clone(),
                lifetime: settings.token_lifetime,
                limits: AttemptLimits {
                    per_link: settings.max_attempts,
                    per_window: settings.max_attempts_per_day,
                },
                attempts_per_client: settings.max_attempts_per_client,
                reset: settings.reset.clone(),
                rules: PasswordRules::new(settings.min_password_length, site_name),
                recorded_client: settings.audit_client,
                audit_retention: settings.audit_retention,
                callers: SingleFlight::default(),
                changes: Arc::default(),
            }),
        }
    }

    /// Issues a link in the caller's transaction, so that the link and the mail which carries it
    /// are recorded together. Earlier links of the user stop working.
    ///
    /// Where a PIN has to be hashed this takes its time, during which the transaction makes other
    /// writers wait: then [`Setpass::prepare`] before it, and [`Setpass::record`] in it, serve better.
    ///
    /// # Errors
    /// Where the PIN cannot be one, something is missing for a user without a record, or the
    /// database fails.
    pub async fn register(
        &self,
        tx: &mut Transaction,
        registration: Registration<'_>,
    ) -> Result<IssuedToken, SetpassError> {
        let prepared = self.prepare(registration).await?;
        self.record(tx, &prepared).await?;
        Ok(prepared.issued)
    }

    /// Makes a link that works once it is recorded. Does all that takes time: draws the token,
    /// hashes the PIN and seals the password.
    ///
    /// # Errors
    /// Where the PIN cannot be one.
    pub async fn prepare(&self, registration: Registration<'_>) -> Result<Prepared, SetpassError> {
        let inner = &self.inner;
        let Registration { user_id, password, pin } = registration;
        let password = password
            .map(|plain| inner.keys.seal(&password_purpose(user_id), plain.expose_secret().as_bytes()));
        let pin_hash = match pin {
            Some(Pin::Clear(pin)) => Some(self.hash_pin(pin).await?),
            Some(Pin::Hash(hash)) => Some(hash.to_owned()),
            None => None,
        };
        let token = token::draw();
        let issued_at = inner.clock.now();
        let expires = issued_at.saturating_add(inner.lifetime).unwrap_or(Timestamp::MAX);
        let issued = IssuedToken { url: token::url(&inner.public_url, &token), token, expires };
        let password_name = random::identifier();
        Ok(Prepared { user_id: user_id.to_owned(), password, password_name, pin_hash, issued_at, issued })
    }

    /// Records a link in the caller's transaction. Earlier links of the user stop working, and mails that carry one
    /// are not sent any more.
    ///
    /// # Errors
    /// Where something is missing for a user without a record, or the database fails.
    pub async fn record(&self, tx: &mut Transaction, prepared: &Prepared) -> Result<(), SetpassError> {
        let link = LinkIssue {
            user_id: &prepared.user_id,
            token_hash: &token::hash(&prepared.issued.token),
            password: prepared
                .password
                .as_deref()
                .map(|sealed| LinkPassword { sealed, name: &prepared.password_name }),
            pin_hash: prepared.pin_hash.as_deref(),
            issued: prepared.issued_at,
            expires: prepared.issued.expires,
        };
        if !self.inner.database.issue_link(tx, &link).await? {
            return Err(SetpassError::UnknownUser(prepared.user_id.clone()));
        }
        // The earlier link has ended, so the mail with it is not to come, least of all after the one with this.
        drop_mails_with_link_of(tx, &prepared.user_id, prepared.issued_at).await?;
        tracing::info!(user_id = prepared.user_id, "setpass link recorded");
        Ok(())
    }

    /// Issues another link for a user who has a record, with the password and PIN of the record.
    ///
    /// # Errors
    /// Where the user has no record, or the database fails.
    pub async fn renew(&self, user_id: &str) -> Result<IssuedToken, SetpassError> {
        let mut tx = self.inner.database.begin().await?;
        let issued = self.register(&mut tx, Registration { user_id, password: None, pin: None }).await?;
        tx.commit().await.map_err(DatabaseError::from)?;
        Ok(issued)
    }

    /// Begins a transaction that [`Setpass::register`] can join.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn begin(&self) -> Result<Transaction, SetpassError> {
        Ok(self.inner.database.begin().await?)
    }

    /// Hashes a PIN for [`Pin::Hash`]. Waits while as many PINs as there are cores are being hashed.
    ///
    /// # Errors
    /// Where the PIN cannot be one.
    pub async fn hash_pin(&self, pin: &SecretString) -> Result<String, SetpassError> {
        pin::check(pin)?;
        Ok(self.inner.hashing.hash(pin, None).await)
    }

    /// Destroys the secrets of links that have ended, ends what was asked for long ago, and forgets records that have
    /// outlived [`RETENTION`] and events that have outlived `setpass.audit_retention`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sweep(&self) -> Result<Swept, SetpassError> {
        let Inner { database, clock, limits, audit_retention, .. } = &*self.inner;
        let now = clock.now();
        self.end_reset_requests(now).await?;
        let before = now.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
        let swept = database.sweep_links(now, before, limits.per_link).await?;
        if swept.destroyed > 0 {
            // Where somebody reads the database meanwhile, the retention job makes up for it.
            match database.overwrite_log().await {
                Err(DatabaseError::LogInUse) => {
                    tracing::debug!("destroyed secrets are still in the database's log");
                }
                overwritten => overwritten?,
            }
        }
        let kept_from = now.saturating_sub(*audit_retention).unwrap_or(Timestamp::MIN);
        database.erase_setpass_events(kept_from).await?;
        Ok(swept)
    }

    /// What [`Setpass::sweep`] would destroy and forget.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_sweepable(&self) -> Result<Swept, SetpassError> {
        let Inner { database, clock, limits, .. } = &*self.inner;
        let now = clock.now();
        let before = now.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
        Ok(database.count_sweepable_links(now, before, limits.per_link).await?)
    }

    /// Waits until no change is under way: what Keystone has been asked for is recorded then.
    pub async fn settle(&self) {
        drop(self.inner.changes.write().await);
    }
}

/// What a user's password is sealed for: a record copied to another user does not open.
pub(crate) fn password_purpose(user_id: &str) -> String {
    format!("setpass/password/{user_id}")
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

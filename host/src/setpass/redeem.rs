//! A link and a PIN for a password.
//!
//! The attempt is counted before the PIN is looked at, and given back when the PIN was right and
//! Keystone refused the new password or could not be reached (see `change`).

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::OwnedRwLockReadGuard;
use tracing::Instrument as _;

use super::change::change_password;
use super::hashing::Place;
use super::{Inner, InvalidPin, Setpass, SetpassError, UnusablePassword, pin, token};
use crate::database::{Attempt, AttemptStart, DatabaseError, Unset};
use crate::keystone::{Keystone, KeystoneError};

/// Why a password was not set.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// No link has this token: it never was one, was used, or was replaced by a newer one. Final.
    #[error("the link is not known")]
    Unknown,
    /// The link has ended. Final.
    #[error("the link has expired")]
    Expired,
    /// The PIN is not the one that was registered.
    #[error("the PIN is wrong; {left} tries are left")]
    WrongPin {
        /// How many more PINs may be tried at present.
        left: u32,
    },
    /// Too many wrong PINs were tried with this link. Final.
    #[error("the link is locked after too many wrong PINs")]
    Locked,
    /// Too many wrong PINs were tried for this user within a day. Passing.
    #[error("too many wrong PINs were tried for this user within 24 hours")]
    LockedForToday,
    /// Too many wrong PINs came from the client of late. Passing.
    #[error("too many wrong PINs came from one client within an hour")]
    TooManyFromClient {
        /// When it may try again.
        until: Timestamp,
    },
    /// The PIN does not have the form of one. Nothing was counted.
    #[error(transparent)]
    InvalidPin(#[from] InvalidPin),
    /// The new password cannot be one. The link stays usable.
    #[error(transparent)]
    UnusablePassword(#[from] UnusablePassword),
    /// Another request is setting the password with this link. Passing.
    #[error("the password is being set by another request at this moment")]
    Busy,
    /// Keystone does not take the new password, and says why. The link stays usable.
    #[error("Keystone refused the new password: {0}")]
    Refused(String),
    /// The user had the new password before, and Keystone says so. The link stays usable.
    #[error("Keystone refused a password that the user had before: {0}")]
    Reused(String),
    /// Another password was not set, and the one that the user had does not work any more: a random one has taken its
    /// place, as the link was asked for. The link stays usable.
    #[error("{0}; the previous password was replaced by a random one")]
    PreviousGone(Box<RedeemError>),
    /// Keystone does not accept the password that the link starts from: somebody else changed it since the link was
    /// issued, or the account is locked for a while after failed logins.
    #[error("Keystone does not accept the password that the link starts from")]
    ChangedElsewhere {
        /// Whether that was said so often that the link has ended.
        is_last: bool,
    },
    /// An earlier try with this link got no answer, and the password is not the old one any more:
    /// that try probably set it.
    #[error("an earlier try has probably set the password already")]
    PerhapsChanged,
    /// Keystone has no such user any more, and the link has ended. Final.
    #[error("the account does not exist any more")]
    AccountGone,
    /// Keystone does not let the user change the password now, whatever the new one is, and says why.
    #[error("Keystone does not let the user change the password: {0}")]
    LockedByKeystone(String),
    /// The user is disabled in Keystone. Final until an administrator acts.
    #[error("the account is disabled")]
    Disabled,
    /// Keystone could not be reached or did not answer as it should. The link stays usable.
    #[error("the identity service did not do it: {0}")]
    Keystone(KeystoneError),
    /// Usher's own records or keys failed, or it is overloaded.
    #[error(transparent)]
    Setpass(#[from] SetpassError),
}

impl RedeemError {
    /// The same of a link that has taken the user's password already. Where the link is of no more use, or the password
    /// in force is none of its, it stays what it is.
    pub(super) fn without_the_previous_password(self) -> Self {
        match self {
            Self::Refused(_) | Self::Reused(_) | Self::LockedByKeystone(_) | Self::Keystone(_) => {
                Self::PreviousGone(Box::new(self))
            }
            other => other,
        }
    }
}

impl From<DatabaseError> for RedeemError {
    fn from(error: DatabaseError) -> Self {
        Self::Setpass(error.into())
    }
}

/// What somebody brings to set a password.
#[derive(Clone, Debug)]
pub struct Redemption {
    /// The token of the link.
    pub token: SecretString,
    /// The PIN.
    pub pin: SecretString,
    /// The new password.
    pub password: SecretString,
    /// Where the request came from, as far as that is known.
    pub client: Option<IpAddr>,
}

impl Setpass {
    /// Sets the password of the user whom the link was issued to, if the PIN is right, and erases
    /// the link.
    ///
    /// Goes on to its end when the caller stops waiting (see [`Setpass::settle`]): a browser that
    /// hangs up leaves nothing half done.
    ///
    /// # Errors
    /// See [`RedeemError`].
    pub async fn redeem(&self, keystone: &Keystone, redemption: &Redemption) -> Result<(), RedeemError> {
        let Turn { place, under_way } = self.turn(redemption).await?;
        let (inner, keystone, redemption) = (Arc::clone(&self.inner), keystone.clone(), redemption.clone());
        to_its_end(async move {
            let outcome = redeem(&inner, place, &keystone, &redemption).await;
            drop(under_way);
            outcome
        })
        .await
    }

    /// A turn for what may be right at all. It is taken before the database is asked for anything, which would be kept
    /// busy otherwise by those who are turned away.
    pub(super) async fn turn(&self, redemption: &Redemption) -> Result<Turn, RedeemError> {
        pin::check(&redemption.pin)?;
        // The same for everybody, so it tells nothing of the link.
        self.inner.rules.check(&redemption.password)?;
        let place = self.inner.hashing.queue()?;
        Ok(Turn { place, under_way: Arc::clone(&self.inner.changes).read_owned().await })
    }
}

/// What a try holds.
pub(super) struct Turn {
    /// Among the PINs that wait to be compared.
    pub(super) place: Place,
    /// For as long as it may change something.
    pub(super) under_way: OwnedRwLockReadGuard<()>,
}

/// Does something that goes on to its end when the caller stops waiting.
pub(super) async fn to_its_end(
    work: impl Future<Output = Result<(), RedeemError>> + Send + 'static,
) -> Result<(), RedeemError> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The program is ending, which does not wait for ever for a change that is under way.
            Err(_) => Err(RedeemError::Busy),
        },
    }
}

pub(super) async fn redeem(
    inner: &Inner,
    place: Place,
    keystone: &Keystone,
    redemption: &Redemption,
) -> Result<(), RedeemError> {
    let Redemption { token, pin, password, client } = redemption;
    let (token_hash, client) = (token::hash(token), inner.client_to_record(*client));
    let attempt = Attempt {
        token_hash: &token_hash,
        now: inner.clock.now(),
        limits: inner.limits,
        client: client.as_deref(),
    };
    let start = inner.database.count_attempt(&attempt).await?;
    let hash = match &start {
        AttemptStart::Counted(attempt) => Some(attempt.pin_hash.as_str()),
        _ => None,
    };
    // Compared in every case, so that the time does not tell a link that is known from one that is not.
    let right = inner.hashing.verify(place, pin, hash).await;
    let attempt = match start {
        AttemptStart::Counted(attempt) => attempt,
        AttemptStart::Unknown => return Err(RedeemError::Unknown),
        AttemptStart::Expired => return Err(RedeemError::Expired),
        AttemptStart::LinkExhausted => return Err(RedeemError::Locked),
        AttemptStart::UserExhausted => return Err(RedeemError::LockedForToday),
    };
    let outcome = match right {
        Ok(true) => change_password(inner, keystone, &attempt, password).await,
        Ok(false) => {
            // Only where none are left: any other wrong PIN takes as long as a link that nobody knows.
            if attempt.left == 0 {
                inner.database.lock_link(&attempt, inner.clock.now(), inner.limits.per_link).await?;
            }
            Err(RedeemError::WrongPin { left: attempt.left })
        }
        // The user is not at fault where nobody can tell whether the PIN is right.
        Err(error) => {
            let (now, why) = (inner.clock.now(), "key missing");
            inner.database.give_attempt_back(&attempt, Unset::NotBegun, now, why).await?;
            Err(RedeemError::Setpass(error.into()))
        }
    };
    match &outcome {
        Ok(()) => tracing::info!(user_id = attempt.user_id, "password set"),
        Err(error) => tracing::info!(user_id = attempt.user_id, outcome = %error, "password not set"),
    }
    outcome
}

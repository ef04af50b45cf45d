//! A link and a PIN for a password.
//!
//! The attempt is counted before the PIN is looked at, and given back when the PIN was right and
//! Keystone refused the new password or could not be reached. It is not given back when Keystone
//! says that the random password is wrong: each such call counts toward Keystone's own lockout.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Inner, InvalidPin, Setpass, SetpassError, UnusablePassword, password_purpose, pin, reset_link, token,
};
use crate::database::{Attempt, AttemptStart, Claim, CountedAttempt, DatabaseError, GrantedClaim, TokenHash};
use crate::keystone::{ChangePasswordError, Keystone, KeystoneError, User};
use crate::{fail_point, random};

/// How long one request alone may work on a change: longer than any call to Keystone takes. It only
/// matters after a crash, and then only for how soon the user may try again.
const CLAIM_TIME: SignedDuration = SignedDuration::from_mins(5);

/// How long it may take to find out whose password it is.
const NAME_TIME: Duration = Duration::from_secs(5);

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
    /// The password that Keystone had was changed by somebody else since the link was issued. Final.
    #[error("the password was changed elsewhere since the link was issued")]
    ChangedElsewhere,
    /// An earlier try with this link got no answer, and the password is not the old one any more:
    /// that try probably set it. Final.
    #[error("an earlier try has probably set the password already")]
    PerhapsChanged,
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
        let Redemption { token, pin, password, client } = redemption;
        pin::check(pin)?;
        // The same for everybody, so it tells nothing of the link.
        self.inner.rules.check(password)?;
        let inner = Arc::clone(&self.inner);
        let (keystone, token_hash) = (keystone.clone(), token::hash(token));
        let (pin, password) = (pin.clone(), password.clone());
        let client = self.inner.client_to_record(*client);
        let under_way = Arc::clone(&inner.changes).read_owned().await;
        let change = tokio::spawn(async move {
            let outcome = redeem(&inner, &keystone, &token_hash, client.as_deref(), &pin, &password).await;
            drop(under_way);
            outcome
        });
        match change.await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The program is ending, which does not wait for ever for a change that is under way.
                Err(_) => Err(RedeemError::Busy),
            },
        }
    }
}

async fn redeem(
    inner: &Inner,
    keystone: &Keystone,
    token_hash: &TokenHash,
    client: Option<&str>,
    pin: &SecretString,
    password: &SecretString,
) -> Result<(), RedeemError> {
    let place = inner.hashing.queue()?;
    let attempt = Attempt { token_hash, now: inner.clock.now(), limits: inner.limits, client };
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
            inner.database.give_attempt_back(&attempt, inner.clock.now(), "key missing").await?;
            Err(RedeemError::Setpass(error.into()))
        }
    };
    match &outcome {
        Ok(()) => tracing::info!(user_id = attempt.user_id, "password set"),
        Err(error) => tracing::info!(user_id = attempt.user_id, outcome = %error, "password not set"),
    }
    outcome
}

/// Changes the password with a PIN that was right.
async fn change_password(
    inner: &Inner,
    keystone: &Keystone,
    attempt: &CountedAttempt,
    password: &SecretString,
) -> Result<(), RedeemError> {
    let (database, clock) = (&inner.database, &inner.clock);
    // Whose password it is, Keystone tells. Where it does not, its own rules have to do: the user is not held up.
    let user = tokio::time::timeout(NAME_TIME, keystone.user(&attempt.user_id)).await;
    match &user {
        Ok(Ok(Some(user))) => {
            if let Err(unusable) = inner.rules.check_for(password, user) {
                database.give_attempt_back(attempt, clock.now(), "password too easy").await?;
                return Err(unusable.into());
            }
        }
        Ok(Ok(None)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a new password is not compared with its user's name"),
        Err(_) => tracing::warn!("Keystone takes long: a new password is not compared with its user's name"),
    }
    let now = clock.now();
    let until = now.saturating_add(CLAIM_TIME).unwrap_or(Timestamp::MAX);
    let drawn =
        inner.keys.seal(&password_purpose(&attempt.user_id), random::password().expose_secret().as_bytes());
    let claim = match database.claim_change(attempt, &drawn, now, until).await? {
        Claim::Granted(claim) => claim,
        Claim::Taken => {
            database.give_attempt_back(attempt, clock.now(), "another request is at it").await?;
            return Err(RedeemError::Busy);
        }
        Claim::Gone => return Err(RedeemError::Unknown),
    };
    fail_point::reached(|| "change claimed".to_owned());
    // A link that was asked for cannot do without knowing the user, however long Keystone takes.
    let user = async {
        match user {
            Ok(found) => found,
            Err(_) => keystone.user(&attempt.user_id).await,
        }
    };
    let original = match random_password(inner, keystone, attempt, &claim, user).await {
        Ok(original) => original,
        // The change itself was not begun.
        Err(error) => {
            database.settle_unchanged(attempt, clock.now(), reason_before(&error)).await?;
            return Err(error);
        }
    };
    let refusal = match keystone.change_password(&attempt.user_id, &original, password).await {
        Ok(()) => {
            fail_point::reached(|| "password changed".to_owned());
            database.erase_used_link(attempt, claim.superseded.as_deref(), clock.now()).await?;
            return Ok(());
        }
        // Whether Keystone did it is not known: the answer may have been lost, not the question.
        Err(ChangePasswordError::Other(error)) => {
            database.leave_unsettled(attempt, clock.now(), "no answer from Keystone").await?;
            return Err(RedeemError::Keystone(error));
        }
        Err(refusal) => refusal,
    };
    let reason = reason(&refusal);
    if matches!(refusal, ChangePasswordError::WrongOriginal) {
        database.settle_counted(attempt, clock.now(), reason, inner.limits.per_link).await?;
    } else {
        database.settle_unchanged(attempt, clock.now(), reason).await?;
    }
    Err(match refusal {
        ChangePasswordError::WrongOriginal if claim.unsettled => RedeemError::PerhapsChanged,
        ChangePasswordError::WrongOriginal => RedeemError::ChangedElsewhere,
        ChangePasswordError::Refused(words) => RedeemError::Refused(words),
        ChangePasswordError::Reused(words) => RedeemError::Reused(words),
        ChangePasswordError::Locked(words) => RedeemError::LockedByKeystone(words),
        ChangePasswordError::Disabled => RedeemError::Disabled,
        ChangePasswordError::Other(error) => RedeemError::Keystone(error),
    })
}

/// The random password that the change starts from, once Keystone has it.
async fn random_password(
    inner: &Inner,
    keystone: &Keystone,
    attempt: &CountedAttempt,
    claim: &GrantedClaim,
    user: impl Future<Output = Result<Option<User>, KeystoneError>>,
) -> Result<SecretString, RedeemError> {
    let original = open_password(inner, &attempt.user_id, &claim.password)?;
    if !claim.is_password_set {
        let user = user.await.map_err(RedeemError::Keystone)?;
        reset_link::set_random_password(inner, keystone, attempt, user, &original).await?;
    }
    Ok(original)
}

/// What the audit trail says of a refusal, in fixed words.
fn reason(refusal: &ChangePasswordError) -> &'static str {
    match refusal {
        ChangePasswordError::WrongOriginal => "changed elsewhere",
        ChangePasswordError::Refused(_) => "refused by Keystone",
        ChangePasswordError::Reused(_) => "used before",
        ChangePasswordError::Locked(_) => "locked by Keystone",
        ChangePasswordError::Disabled => "account disabled",
        ChangePasswordError::Other(_) => "no answer from Keystone",
    }
}

/// The same where the change itself was not begun.
fn reason_before(failure: &RedeemError) -> &'static str {
    match failure {
        RedeemError::Disabled => "account disabled",
        RedeemError::LockedByKeystone(_) => "locked by Keystone",
        RedeemError::Keystone(_) => "no answer from Keystone",
        RedeemError::Setpass(SetpassError::Keys(_)) => "key missing",
        _ => "failure",
    }
}

fn open_password(inner: &Inner, user_id: &str, sealed: &[u8]) -> Result<SecretString, SetpassError> {
    let plain = inner.keys.open(&password_purpose(user_id), sealed)?;
    let text = std::str::from_utf8(&plain)
        .map_err(|_| DatabaseError::Damaged("a sealed password that is not text".to_owned()))?;
    Ok(SecretString::from(text))
}

//! The change of a password with a PIN that was right.
//!
//! The attempt is given back where Keystone refuses the new password or cannot be reached, and also where there is no clear
//! answer and it may have made the change: a gateway answers in its place, or the connection breaks. That helps nobody to
//! guess, as the PIN was right. Nor does it lead to more wrong passwords at Keystone: where it did make the change, the
//! next try is not accepted, and that counts.
//!
//! It is not given back where Keystone does not accept the random password that the change starts from: each such call
//! counts toward Keystone's own lockout. Keystone does not tell whether that password was changed elsewhere, or the account is locked already
//! and opens again by itself. So the link stays, but it does not ask again within [`REST`], and ends with the last of
//! [`MOST_REFUSALS`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::redeem::RedeemError;
use super::reset_link::NotSet;
use super::{Inner, SetpassError, password_purpose, reset_link};
use crate::database::{Claim, CountedAttempt, DatabaseError, GrantedClaim, RefusalLimits, Unset};
use crate::keystone::{ChangePasswordError, Keystone, KeystoneError, User};
use crate::{fail_point, random};

/// How long one request alone may work on a change: longer than it may wait for Keystone, over all calls. It only
/// matters after a crash, and then only for how soon the user may try again.
const CLAIM_TIME: SignedDuration = SignedDuration::from_mins(5);

/// How long it may take to find out whose password it is.
const NAME_TIME: Duration = Duration::from_secs(5);

/// How long Keystone is not asked again after it did not accept a link's password: as long as it locks accounts
/// (`lockout_duration`) where it is not told otherwise. A lock of that length has ended by then, as it began before.
pub(super) const REST: SignedDuration = SignedDuration::from_mins(30);

/// How often Keystone may refuse a link's password before the link ends: seldom enough that a link alone does not lock
/// an account where half a dozen failed logins do, and often enough for somebody who waits for the end of a lock twice.
pub(super) const MOST_REFUSALS: u32 = 3;

/// Changes the password with a PIN that was right.
pub(super) async fn change_password(
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
                database
                    .give_attempt_back(attempt, Unset::NotBegun, clock.now(), "password too easy")
                    .await?;
                return Err(unusable.into());
            }
        }
        Ok(Ok(None)) if matches!(keystone.is_gone(&attempt.user_id).await, Ok(true)) => {
            database.withdraw_links(attempt, clock.now(), "account gone").await?;
            return Err(RedeemError::AccountGone);
        }
        Ok(Ok(None)) => tracing::warn!("something that is not Keystone answers that it does not find a user"),
        Ok(Err(error)) => tracing::warn!(%error, "a new password is not compared with its user's name"),
        Err(_) => tracing::warn!("Keystone takes long: a new password is not compared with its user's name"),
    }
    let now = clock.now();
    let until = now.saturating_add(CLAIM_TIME).unwrap_or(Timestamp::MAX);
    let drawn =
        inner.keys.seal(&password_purpose(&attempt.user_id), random::password().expose_secret().as_bytes());
    let rested = now.saturating_sub(REST).unwrap_or(Timestamp::MIN);
    let claim = match database.claim_change(attempt, &drawn, now, until, rested).await? {
        Claim::Granted(claim) => claim,
        Claim::Taken => {
            database
                .give_attempt_back(attempt, Unset::NotBegun, clock.now(), "another request is at it")
                .await?;
            return Err(RedeemError::Busy);
        }
        Claim::Resting { unsettled } => {
            database
                .give_attempt_back(attempt, Unset::NotBegun, clock.now(), "not accepted a short while ago")
                .await?;
            return Err(unaccepted(unsettled, false));
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
        Err(NotSet { error: RedeemError::AccountGone, .. }) => {
            database.withdraw_links(attempt, clock.now(), "account gone").await?;
            return Err(RedeemError::AccountGone);
        }
        // The change itself was not begun.
        Err(NotSet { error, became }) => {
            let why = reason_before(&error);
            database.give_attempt_back(attempt, became, clock.now(), why).await?;
            return Err(error);
        }
    };
    let refusal = match keystone.change_password(&attempt.user_id, &original, password).await {
        Ok(()) => {
            fail_point::reached(|| "password changed".to_owned());
            database.erase_used_link(attempt, claim.superseded.as_deref(), clock.now()).await?;
            return Ok(());
        }
        Err(refusal) => refusal,
    };
    let (now, why) = (clock.now(), reason(&refusal));
    match &refusal {
        ChangePasswordError::WrongOriginal => {
            let limits = RefusalLimits { attempts: inner.limits.per_link, refusals: MOST_REFUSALS };
            let is_last = database.settle_refused(attempt, now, why, limits).await?;
            return Err(unaccepted(claim.unsettled, is_last));
        }
        ChangePasswordError::Gone => database.withdraw_links(attempt, now, why).await?,
        lost if lost.may_have_taken_effect() => {
            database.give_attempt_back(attempt, Unset::InDoubt, now, why).await?;
        }
        _ => database.give_attempt_back(attempt, Unset::NotMade, now, why).await?,
    }
    let refusal = RedeemError::from(refusal);
    Err(if claim.was_asked_for { refusal.without_the_previous_password() } else { refusal })
}

/// What the user is told where Keystone does not accept the password that the link starts from.
fn unaccepted(unsettled: bool, is_last: bool) -> RedeemError {
    if unsettled { RedeemError::PerhapsChanged } else { RedeemError::ChangedElsewhere { is_last } }
}

impl From<ChangePasswordError> for RedeemError {
    fn from(refusal: ChangePasswordError) -> Self {
        match refusal {
            ChangePasswordError::WrongOriginal => unaccepted(false, false),
            ChangePasswordError::Gone => Self::AccountGone,
            ChangePasswordError::Refused(words) => Self::Refused(words),
            ChangePasswordError::Reused(words) => Self::Reused(words),
            ChangePasswordError::Locked(words) => Self::LockedByKeystone(words),
            ChangePasswordError::Disabled => Self::Disabled,
            ChangePasswordError::Other(error) => Self::Keystone(error),
        }
    }
}

/// The random password that the change starts from, once Keystone has it.
async fn random_password(
    inner: &Inner,
    keystone: &Keystone,
    attempt: &CountedAttempt,
    claim: &GrantedClaim,
    user: impl Future<Output = Result<Option<User>, KeystoneError>>,
) -> Result<SecretString, NotSet> {
    let original = open_password(inner, &attempt.user_id, &claim.password).map_err(RedeemError::from)?;
    if !claim.is_password_set {
        let Some(user) = user.await.map_err(RedeemError::Keystone)? else {
            let is_gone = keystone.is_gone(&attempt.user_id).await.map_err(RedeemError::Keystone)?;
            // A proxy said so for a Keystone that answers by now: the next try finds the user.
            return Err(if is_gone { RedeemError::AccountGone } else { RedeemError::Busy }.into());
        };
        reset_link::set_random_password(inner, keystone, attempt, user, &original).await?;
    }
    Ok(original)
}

/// What the audit trail says of a refusal, in fixed words.
fn reason(refusal: &ChangePasswordError) -> &'static str {
    match refusal {
        ChangePasswordError::WrongOriginal => "changed elsewhere, or locked by Keystone",
        ChangePasswordError::Gone => "account gone",
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

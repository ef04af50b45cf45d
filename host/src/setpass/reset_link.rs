//! Links that users asked for, from the mail to the random password that Keystone gets when one is used.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::redeem::RedeemError;
use super::{Inner, IssuedToken, Setpass, SetpassError, token};
use crate::database::{
    Counted, CountedAttempt, DatabaseError, Limit, ResetLink, Transaction, Unset, add_reset_link_in,
    count_event_in,
};
use crate::keystone::{Keystone, User};
use crate::{fail_point, random};

/// The span that an account's links are counted over.
const ACCOUNT_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// A link that was asked for and is not recorded yet.
pub struct PreparedResetLink {
    user_id: String,
    marker: Option<String>,
    pin_hash: String,
    issued_at: Timestamp,
    issued: IssuedToken,
}

impl PreparedResetLink {
    /// What the mail with the link says.
    #[must_use]
    pub fn issued(&self) -> &IssuedToken {
        &self.issued
    }
}

impl Setpass {
    /// Makes a link for a user who asked for it, which works once it is recorded. `pin_hash` is that of the PIN that
    /// was chosen then.
    #[must_use]
    pub fn prepare_reset_link(&self, user: &User, pin_hash: &str) -> PreparedResetLink {
        let inner = &self.inner;
        let token = token::draw();
        let issued_at = inner.clock.now();
        let expires = issued_at.saturating_add(inner.lifetime).unwrap_or(Timestamp::MAX);
        PreparedResetLink {
            user_id: user.id.clone(),
            marker: user.marker.clone(),
            pin_hash: pin_hash.to_owned(),
            issued_at,
            issued: IssuedToken { url: token::url(&inner.public_url, &token), token, expires },
        }
    }

    /// Records a link in the caller's transaction, and in the audit trail what it answers. The user's other links go
    /// on working.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_reset_link(
        &self,
        tx: &mut Transaction,
        prepared: &PreparedResetLink,
        answers: &str,
    ) -> Result<(), SetpassError> {
        let link = ResetLink {
            user_id: &prepared.user_id,
            token_hash: &token::hash(&prepared.issued.token),
            password_name: &random::identifier(),
            pin_hash: &prepared.pin_hash,
            marker: prepared.marker.as_deref(),
            issued: prepared.issued_at,
            expires: prepared.issued.expires,
            answers,
        };
        add_reset_link_in(tx, &link).await?;
        tracing::info!(user_id = prepared.user_id, "reset link recorded");
        Ok(())
    }

    /// Counts, in the caller's transaction, that a link is mailed to an account because somebody asked for it. False
    /// where that happened often enough of late.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_reset_of(&self, tx: &mut Transaction, account: &str) -> Result<bool, SetpassError> {
        let subject = self.account_fingerprint(account);
        let counted = count_event_in(tx, &self.account_limit(&subject), self.inner.clock.now()).await?;
        Ok(matches!(counted, Counted::Within(_)))
    }

    pub(super) fn account_fingerprint(&self, account: &str) -> [u8; 32] {
        self.inner.keys.fingerprint("setpass/account", account)
    }

    pub(super) fn account_limit<'a>(&self, subject: &'a [u8]) -> Limit<'a> {
        let most = self.inner.reset.max_per_account;
        Limit { kind: "reset of account", subject, most, window: ACCOUNT_WINDOW }
    }
}

/// Why a random password was not set as far as is known, and what became of it.
pub(super) struct NotSet {
    pub(super) error: RedeemError,
    pub(super) became: Unset,
}

impl From<RedeemError> for NotSet {
    fn from(error: RedeemError) -> Self {
        Self { error, became: Unset::NotMade }
    }
}

impl NotSet {
    /// Keystone has the password, or may have it, and that could not be recorded. So the doubt has to stay.
    fn unrecorded(error: DatabaseError) -> Self {
        Self { error: error.into(), became: Unset::InDoubt }
    }
}

/// Gives the user of a link, as Keystone has it, the link's random password, unless that user may not change it
/// afterwards.
///
/// Asked again after a crash, Keystone gets the same password again.
pub(super) async fn set_random_password(
    inner: &Inner,
    keystone: &Keystone,
    attempt: &CountedAttempt,
    user: User,
    random_password: &SecretString,
) -> Result<(), NotSet> {
    let (database, clock) = (&inner.database, &inner.clock);
    if !user.enabled {
        return Err(RedeemError::Disabled.into());
    }
    if user.options.lock_password == Some(true) {
        let words = "an administrator has locked the password of this account";
        return Err(RedeemError::LockedByKeystone(words.to_owned()).into());
    }
    fail_point::reached(|| "random password begun".to_owned());
    if let Err(error) = keystone.set_password(&attempt.user_id, random_password).await {
        if error.may_have_taken_effect() {
            let recorded = database.record_random_password_in_doubt(attempt, clock.now()).await;
            recorded.map_err(NotSet::unrecorded)?;
        }
        return Err(RedeemError::Keystone(error).into());
    }
    fail_point::reached(|| "random password set".to_owned());
    database.record_random_password_set(attempt, clock.now()).await.map_err(NotSet::unrecorded)?;
    fail_point::reached(|| "random password recorded".to_owned());
    Ok(())
}

//! Which account somebody means, and whether a link for it may be mailed.

use crate::keystone::{Keystone, KeystoneError, User};
use crate::registration::{fold, same_name};

/// What was found.
#[derive(Debug)]
pub enum Account {
    /// An account that a link may be mailed for.
    Found {
        /// The user.
        user: Box<User>,
        /// The address that Keystone has.
        email: String,
    },
    /// No link may be mailed.
    Skipped {
        /// Why.
        reason: Skipped,
        /// Keystone's id of the user, where there is one.
        user_id: Option<String>,
    },
}

/// Why no link may be mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Skipped {
    /// Nobody has this name or address.
    #[error("there is no account with this name or address")]
    Nobody,
    /// Several have it.
    #[error("several accounts have this name or address")]
    Several,
    /// There is nowhere to mail a link to.
    #[error("the account has no e-mail address in Keystone")]
    NoAddress,
    /// It is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// An administrator does not let the user change the password.
    #[error("the password of the account is locked")]
    PasswordLocked,
    /// It is the one that Usher itself uses.
    #[error("it is the account that Usher itself uses")]
    Own,
    /// It has one of the roles of `setpass.reset.protected_roles`.
    #[error("the account has a protected role (setpass.reset.protected_roles)")]
    ProtectedRole,
}

impl Skipped {
    /// The reason, as in the audit trail.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "no account",
            Self::Several => "several accounts",
            Self::NoAddress => "no address",
            Self::Disabled => "account disabled",
            Self::PasswordLocked => "password locked",
            Self::Own => "own account",
            Self::ProtectedRole => "protected role",
        }
    }
}

/// The account of this name, or else of this e-mail address, in the settings' domain. Keystone cannot look for
/// addresses, so where nobody has the name, all users are looked through.
///
/// # Errors
/// Where Keystone cannot be asked.
pub async fn find_account(
    keystone: &Keystone,
    typed: &str,
    protected_roles: &[String],
) -> Result<Account, KeystoneError> {
    let found = match keystone.find_user(typed).await {
        Ok(Some(user)) => Ok(user),
        Ok(None) => of_address(keystone, typed).await?,
        Err(KeystoneError::Ambiguous { .. }) => Err(Skipped::Several),
        Err(error) => return Err(error),
    };
    let user = match found {
        Ok(user) => user,
        Err(reason) => return Ok(Account::Skipped { reason, user_id: None }),
    };
    match why_not(keystone, &user, protected_roles).await? {
        Ok(email) => Ok(Account::Found { user: Box::new(user), email }),
        Err(reason) => Ok(Account::Skipped { reason, user_id: Some(user.id) }),
    }
}

/// The address of a user, or why no link may be mailed to it.
async fn why_not(
    keystone: &Keystone,
    user: &User,
    protected_roles: &[String],
) -> Result<Result<String, Skipped>, KeystoneError> {
    if !user.enabled {
        return Ok(Err(Skipped::Disabled));
    }
    if user.options.lock_password == Some(true) {
        return Ok(Err(Skipped::PasswordLocked));
    }
    if keystone.whoami().await?.user_id == user.id {
        return Ok(Err(Skipped::Own));
    }
    if !protected_roles.is_empty() {
        let roles = keystone.role_names_of_user(&user.id).await?;
        if roles.iter().any(|role| protected_roles.iter().any(|protected| same_name(role, protected))) {
            return Ok(Err(Skipped::ProtectedRole));
        }
    }
    Ok(user.email.clone().filter(|email| !email.trim().is_empty()).ok_or(Skipped::NoAddress))
}

async fn of_address(keystone: &Keystone, typed: &str) -> Result<Result<User, Skipped>, KeystoneError> {
    let address = fold(typed);
    let mut users = keystone.users().await?;
    users.retain(|user| user.email.as_deref().is_some_and(|email| fold(email) == address));
    let user = users.pop();
    Ok(match user {
        None => Err(Skipped::Nobody),
        Some(_) if !users.is_empty() => Err(Skipped::Several),
        Some(user) => Ok(user),
    })
}

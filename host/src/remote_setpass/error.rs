//! Why a setpass on another machine did not register a user, and what to do.

use std::path::PathBuf;

use url::Url;

use super::NAME;
use crate::keystone::{CredentialsError, KeystoneError, Unreached};

/// Why a setpass on another machine did not register a user. Errors name that setpass, and no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RemoteSetpassError {
    /// The file of certificates cannot be used. Final.
    #[error("cannot use the certificates in {file}: {reason}; check setpass.remote_ca_file", file = file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no token to show. Nothing was asked of the other setpass.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// It does not answer. Passing.
    #[error(
        "the setpass at {remote} cannot be reached: {reason}; see whether it runs, and check setpass.remote"
    )]
    Unreachable {
        /// Its URL.
        remote: String,
        /// Why.
        reason: Unreached,
    },
    /// Its certificate is not trusted. Final.
    #[error(
        "the TLS certificate of the setpass at {remote} is not trusted ({reason}); if it is the site's own, name its \
         authority's certificate in setpass.remote_ca_file"
    )]
    Untrusted {
        /// Its URL.
        remote: String,
        /// Why.
        reason: String,
    },
    /// It is overloaded or broken. Passing.
    #[error("the setpass at {remote} is not available at present ({status}): {message}")]
    Unavailable {
        /// Its URL.
        remote: String,
        /// The status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It does not take the token, nor a new one. Final.
    #[error(
        "the setpass at {remote} takes no Keystone token of this account (401): {message}; it has to use the Keystone \
         that [keystone.auth] names"
    )]
    Unauthorized {
        /// Its URL.
        remote: String,
        /// Its words.
        message: String,
    },
    /// The account may not register users there. Final.
    #[error(
        "the setpass at {remote} does not let this account register users (403): {message}; the account of \
         [keystone.auth] needs a role on that setpass's admin project"
    )]
    Forbidden {
        /// Its URL.
        remote: String,
        /// Its words.
        message: String,
    },
    /// It does not register this user. Final.
    #[error("the setpass at {remote} refuses to register the user (400): {message}")]
    Refused {
        /// Its URL.
        remote: String,
        /// Its words.
        message: String,
    },
    /// What answers is no setpass. Final.
    #[error("what answers at {remote} is no setpass: {reason}; setpass.remote has to be the root of one")]
    NotSetpass {
        /// Its URL.
        remote: String,
        /// What it does.
        reason: String,
    },
    /// It answers that all is well, and has no token. Final.
    #[error(
        "the setpass at {remote} answers {reason} where a token should be; is setpass.remote the root of a setpass, \
         and is no other program in between?"
    )]
    NoToken {
        /// Its URL.
        remote: String,
        /// What the answer is.
        reason: &'static str,
    },
    /// It registers users for anybody. Final.
    #[error(
        "the setpass at {remote} registers users for whoever asks, without any token: stop it, it is not safe"
    )]
    Unguarded {
        /// Its URL.
        remote: String,
    },
}

impl RemoteSetpassError {
    pub(super) fn of_certificates(ca_file: Option<&PathBuf>, error: KeystoneError) -> Self {
        match (ca_file, error) {
            (Some(file), KeystoneError::Credentials(CredentialsError::Certificates { reason, .. })) => {
                Self::Certificates { file: file.clone(), reason }
            }
            (_, error) => Self::Keystone(error),
        }
    }

    /// What a failed call means, which may have been one to Keystone for a token.
    pub(super) fn of_call(remote: &Url, error: KeystoneError) -> Self {
        if error.service() != Some(NAME) {
            return Self::Keystone(error);
        }
        let remote = remote.to_string();
        match error {
            KeystoneError::Unreachable { reason: Unreached::Certificate(reason), .. } => {
                Self::Untrusted { remote, reason }
            }
            KeystoneError::Unreachable { reason, .. } => Self::Unreachable { remote, reason },
            KeystoneError::Unavailable { status, message, .. } => {
                Self::Unavailable { remote, status, message }
            }
            KeystoneError::Unauthorized { message, .. } => Self::Unauthorized { remote, message },
            KeystoneError::Forbidden { message, .. } => Self::Forbidden { remote, message },
            KeystoneError::Refused { status: 400, message, .. } => Self::Refused { remote, message },
            KeystoneError::Refused { status, message, .. } => {
                Self::NotSetpass { remote, reason: format!("it answers {status}: {message}") }
            }
            KeystoneError::NotFound { .. } => {
                Self::NotSetpass { remote, reason: "it knows no /token (404)".to_owned() }
            }
            other => Self::NotSetpass { remote, reason: other.to_string() },
        }
    }

    /// Whether the same may succeed later without anybody acting.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Keystone(error) => error.is_passing(),
            Self::Unreachable { reason, .. } => !matches!(reason, Unreached::Tls(_)),
            Self::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// Whether nothing answers, so that others need not try.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Keystone(error) => error.is_unreachable(),
            Self::Unreachable { reason, .. } => reason.before_sending(),
            _ => false,
        }
    }

    /// Whether it is this user whom the other setpass does not register.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

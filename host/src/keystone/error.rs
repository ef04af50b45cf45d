//! Why a call to Keystone, or to a service of its catalog, failed.
//!
//! Errors say which call it was, without its query and without any secret, repeat what the service
//! itself says, and say what to do.

use std::fmt;
use std::time::Duration;

use super::credentials::CredentialsError;

/// What is said of a refusal that is not in the words of an OpenStack service: something else may stand before it.
pub(super) const UNEXPLAINED: &str = "no explanation in the words of an OpenStack service; is the URL right?";

/// Which call failed: the service, the method and the URL without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service's name, such as `Keystone`.
    pub service: &'static str,
    /// Method and URL, such as `GET https://keystone.example.org/v3/users`.
    pub what: Box<str>,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

/// What kept a call from getting an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// Nothing listens there.
    #[error("the connection was refused; is the service running, and are host and port of the URL right?")]
    Refused,
    /// The name of the host does not resolve.
    #[error("the name of the host cannot be resolved ({0}); is the URL right, and does DNS work?")]
    UnknownHost(String),
    /// No connection came about.
    #[error("no connection could be made ({0}); is the host up, and does a firewall let Usher through?")]
    NoConnection(String),
    /// No answer came in time.
    #[error("no answer within {} s; see whether the service is overloaded, or raise keystone.timeout", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The time that there was for an answer was over before the call could be made.
    #[error("the call could not be made in time; see whether the service is overloaded")]
    TooLate,
    /// The server's certificate is not trusted, or not for this host.
    #[error(
        "its TLS certificate is not trusted ({0}); if the certificate is the cloud's own, \
         name its authority's certificate in keystone.ca_file"
    )]
    Certificate(String),
    /// TLS failed otherwise.
    #[error("TLS failed ({0}); does the URL's port speak TLS?")]
    Tls(String),
    /// The connection broke.
    #[error("the connection failed: {0}")]
    Broken(String),
}

impl Unreached {
    /// Whether the request cannot have got as far as the service.
    pub(crate) fn before_sending(&self) -> bool {
        !matches!(self, Self::TimedOut(_) | Self::Broken(_))
    }
}

/// Why Keystone, or a service of its catalog, did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeystoneError {
    /// The credentials, or what belongs to them, cannot be used. Nothing was asked of the network.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The service cannot be reached.
    #[error("{service} cannot be reached at {call}: {reason}", service = call.service)]
    Unreachable {
        /// The call.
        call: Call,
        /// Why.
        reason: Unreached,
    },
    /// The service is overloaded or broken: 429 or a status from 500 on.
    #[error("{service} is not available at present ({status} for {call}): {message}", service = call.service)]
    Unavailable {
        /// The call.
        call: Call,
        /// The status.
        status: u16,
        /// The service's words.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The credentials are not accepted.
    #[error(
        "{service} does not accept Usher's credentials (401 for {call}): {message}; \
         check user, password or application credential, project and their domains in [keystone.auth]",
        service = call.service
    )]
    Unauthorized {
        /// The call.
        call: Call,
        /// The service's words.
        message: String,
    },
    /// Usher's account may not do this.
    #[error(
        "{service} does not let Usher's account do this (403 for {call}): {message}; \
         it needs the role admin on the project that it authenticates for",
        service = call.service
    )]
    Forbidden {
        /// The call.
        call: Call,
        /// The service's words, which name the right that is missing.
        message: String,
    },
    /// What the call is about does not exist.
    #[error("{service} does not find it (404 for {call}): {message}", service = call.service)]
    NotFound {
        /// The call.
        call: Call,
        /// The service's words.
        message: String,
    },
    /// There is one already.
    #[error("{service} says that there is one already (409 for {call}): {message}", service = call.service)]
    Conflict {
        /// The call.
        call: Call,
        /// The service's words.
        message: String,
    },
    /// Any other refusal.
    #[error("{service} refuses ({status} for {call}): {message}", service = call.service)]
    Refused {
        /// The call.
        call: Call,
        /// The status.
        status: u16,
        /// The service's words.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error(
        "what answered {call} is not {service} as Usher knows it: {reason}; is the URL right?",
        service = call.service
    )]
    Unintelligible {
        /// The call.
        call: Call,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Several differ only in the case of their names.
    #[error(
        "Keystone has more than one {kind} called {name} but for upper and lower case: {}; \
         rename all but one",
        matches.join(", ")
    )]
    Ambiguous {
        /// `user`, `project` or `role`.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
        /// The names that were found.
        matches: Vec<String>,
    },
    /// Keystone cut a list short, so that nobody can tell whether there is one of that name.
    #[error(
        "Keystone cut its list of {kind}s short, so it is not known whether there is one called {name}; \
         raise list_limit in keystone.conf"
    )]
    Truncated {
        /// `user`, `project` or `role`.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
    },
    /// Keystone cut a list short that was wanted as a whole.
    #[error("Keystone cut its list of {kind}s short; raise list_limit in keystone.conf")]
    ListCutShort {
        /// `user`, `project` or `role`.
        kind: &'static str,
    },
}

impl KeystoneError {
    /// The service that was called; none where none was.
    #[must_use]
    pub fn service(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { call, .. }
            | Self::Unavailable { call, .. }
            | Self::Unauthorized { call, .. }
            | Self::Forbidden { call, .. }
            | Self::NotFound { call, .. }
            | Self::Conflict { call, .. }
            | Self::Refused { call, .. }
            | Self::Unintelligible { call, .. } => Some(call.service),
            Self::Credentials(_)
            | Self::Ambiguous { .. }
            | Self::Truncated { .. }
            | Self::ListCutShort { .. } => None,
        }
    }

    /// Whether the same call may succeed later: a timeout, a broken connection, 429, or trouble on
    /// the service's side. A `POST` that fails like this may have taken effect all the same.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => {
                !matches!(reason, Unreached::Certificate(_) | Unreached::Tls(_))
            }
            Self::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// Whether it is a refusal that is not in the service's own words.
    pub(crate) fn is_unexplained(&self) -> bool {
        match self {
            Self::Unauthorized { message, .. }
            | Self::Forbidden { message, .. }
            | Self::Refused { message, .. } => message == UNEXPLAINED,
            _ => false,
        }
    }

    /// Whether nothing answers where the service should be, so that other calls need not try.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { reason, .. }
            if reason.before_sending() && *reason != Unreached::TooLate)
    }

    /// Whether the call may have had its effect although it failed: the answer was lost, not the question. So it is after
    /// whatever is no clear refusal. A gateway that does not wait for Keystone any longer answers 408 or a status from 500
    /// on; Keystone may have done it, or do it later.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Unintelligible { .. } => true,
            Self::Refused { status, .. } => *status == 408 || *status >= 500,
            error => error.is_passing() && !error.had_no_effect(),
        }
    }

    /// Whether the call certainly had no effect although it failed in passing.
    pub(crate) fn had_no_effect(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => reason.before_sending(),
            Self::Unavailable { status, .. } => *status == 429,
            _ => false,
        }
    }
}

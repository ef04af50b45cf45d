//! Why Mailman cannot be used, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::settings::secret::SecretError;

/// Why Mailman cannot be used. No error holds the password.
#[derive(Debug, thiserror::Error)]
pub enum MailmanError {
    /// The password cannot be read.
    #[error("mailing_list.password: {0}")]
    Secret(#[from] SecretError),
    /// The file of certificates cannot be used.
    #[error("cannot use the certificates in {file}: {reason}; check mailing_list.ca_file", file = file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}; is the package ca-certificates installed?")]
    Tls(String),
    /// Nothing answers.
    #[error(
        "Mailman cannot be reached at {url}: {reason}; is its REST server running, and is mailing_list.url right?"
    )]
    Unreachable {
        /// The call.
        url: Url,
        /// Why.
        reason: String,
    },
    /// No answer came in time.
    #[error(
        "Mailman did not answer {url} within {} s; is it overloaded? mailing_list.timeout gives it more time",
        timeout.as_secs_f64()
    )]
    TimedOut {
        /// The call.
        url: Url,
        /// How long it was given.
        timeout: Duration,
    },
    /// The certificate is not trusted, or not for this host.
    #[error(
        "the certificate at {url} is not trusted ({reason}); if it is the site's own, name its authority's \
         certificate in mailing_list.ca_file"
    )]
    Certificate {
        /// The call.
        url: Url,
        /// Why.
        reason: String,
    },
    /// The user or the password is wrong.
    #[error(
        "Mailman does not accept the user {user} at {url} (401); mailing_list.user and mailing_list.password have to \
         be admin_user and admin_pass of [webservice] in mailman.cfg"
    )]
    Unauthorized {
        /// The call.
        url: Url,
        /// The user name.
        user: String,
    },
    /// There is no such list.
    #[error(
        "Mailman has no list with the id {list} at {url}; correct mailing_list.list (`mailman lists` shows the \
         addresses; an id has a dot for the at sign) or mailing_list.url, or create the list"
    )]
    NoList {
        /// The list's id.
        list: String,
        /// The call.
        url: Url,
    },
    /// Mailman is overloaded or broken.
    #[error("Mailman is not available at present ({status} for {url}): {message}; its log says more")]
    Unavailable {
        /// The call.
        url: Url,
        /// The status.
        status: u16,
        /// Mailman's words.
        message: String,
    },
    /// Mailman does not understand the call.
    #[error("Mailman refuses ({status} for {url}): {message}; Usher speaks the API of Mailman 3.3")]
    Refused {
        /// The call.
        url: Url,
        /// The status.
        status: u16,
        /// Mailman's words.
        message: String,
    },
    /// Something else is there.
    #[error(
        "what answers at {url} is not Mailman's REST API: {reason}; mailing_list.url has to be its root, such as \
         http://localhost:8001/3.1"
    )]
    NotMailman {
        /// The call.
        url: Url,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl MailmanError {
    /// Whether the same may succeed later without anybody's doing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Unavailable { .. })
    }
}

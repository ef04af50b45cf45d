//! Why a mail was not recorded or not sent, and what to do about it.

use std::path::PathBuf;

use crate::database::DatabaseError;
use crate::keys::KeysError;
use crate::mailer::MailerError;

/// Why a mail was not recorded or not sent.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The mail or the server is at fault.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// The record cannot be opened.
    #[error("a mail in the outbox cannot be opened: {0}; it stays there")]
    Keys(#[from] KeysError),
    /// The record does not hold a mail.
    #[error("a mail in the outbox is damaged; it stays there")]
    Damaged,
    /// The mail was tried for long enough.
    #[error("given up after {attempts} attempts in {days} days: {last}")]
    GivenUp {
        /// How often it was tried.
        attempts: u32,
        /// For how long, by what the clock showed.
        days: i64,
        /// Why the last attempt failed.
        last: MailerError,
    },
    /// The mail would come too late.
    #[error(
        "the link in it has ended before it could be sent; `usher password reset` mails the user another"
    )]
    Worthless,
    /// The file of a refused mail cannot be written.
    #[error(
        "a refused mail cannot be kept in {file}: {source}; it stays in the outbox. Check mail.undeliverable: this \
         user must be able to write there",
        file = file.display()
    )]
    Keep {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

impl OutboxError {
    /// Whether the server is out of reach at present.
    #[must_use]
    pub fn server_is_unreachable(&self) -> bool {
        let (Self::Mailer(error) | Self::GivenUp { last: error, .. }) = self else { return false };
        self.concerns_server() && error.is_passing()
    }

    /// Whether every other mail would meet the same, because the server cannot be used.
    #[must_use]
    pub fn concerns_server(&self) -> bool {
        matches!(self, Self::Mailer(error) | Self::GivenUp { last: error, .. } if !error.concerns_mail())
    }
}

//! Sends mail over SMTP.
//!
//! One connection is kept and used again for the next mail. Before anything is sent it is protected as
//! the settings say, and never less: without STARTTLS, or with a certificate that does not verify, there
//! is an error and no mail.
//!
//! Knows nothing of what mails are about, nor of when one is tried again: that is the outbox. No error,
//! log line or `Debug` text holds the body of a mail, or a link that a server's reply repeats.

mod connection;
mod error;
mod letter;
#[cfg(test)]
pub(crate) mod peer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

pub use error::{MailerError, RefusedRecipient, Reply, Step};
pub use letter::{check_recipient, message_id, with_ascii_domain};

use crate::settings;
use connection::{Connection, Server};

/// A mail, ready to be sent. The same value always gives the same bytes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Mail {
    /// Names the mail for ever, in angle brackets (RFC 5322, section 3.6.4).
    pub message_id: String,
    /// When it was written.
    pub date: Timestamp,
    /// Sender, as an address or `Name <address>`.
    pub sender: String,
    /// Recipients, one mailbox each.
    pub to: Vec<String>,
    /// Further recipients, one mailbox each.
    pub cc: Vec<String>,
    /// Subject, one line.
    pub subject: String,
    /// Body as plain text.
    pub text: String,
    /// Body as HTML, an alternative to the text.
    pub html: Option<String>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

impl Mail {
    /// The mail as it goes over the wire and into an `.eml` file: headers, an empty line, the body, with
    /// lines ended by CR LF.
    ///
    /// # Errors
    /// Where an address, the subject or the Message-ID cannot be what it is.
    pub fn bytes(&self) -> Result<Vec<u8>, MailerError> {
        Ok(letter::write(self)?.bytes)
    }
}

/// What a mail says, without whom it goes to.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Sender, as an address or `Name <address>`; none for the site's own.
    pub sender: Option<String>,
    /// Further recipients, one mailbox each.
    pub cc: Vec<String>,
    /// Subject, one line.
    pub subject: String,
    /// Body as plain text, lines ended by a line feed.
    pub text: String,
    /// Body as HTML, an alternative to the text.
    pub html: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("cc", &self.cc.len())
            .field("text_bytes", &self.text.len())
            .field("html_bytes", &self.html.as_ref().map(String::len))
            .finish_non_exhaustive()
    }
}

/// A way to the mail server.
#[derive(Clone)]
pub struct Mailer {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    /// The connection of the mail before, while nobody uses it.
    idle: Mutex<Option<Connection>>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("server", &self.shared.server.name()).finish_non_exhaustive()
    }
}

impl Mailer {
    /// Reads the certificates and the password that the settings name. Connects to nothing yet.
    ///
    /// # Errors
    /// Where one of these cannot be read or used.
    pub fn new(settings: &settings::mail::Mail) -> Result<Self, MailerError> {
        let server = Server::new(settings)?;
        Ok(Self { shared: Arc::new(Shared { server, idle: Mutex::new(None) }) })
    }

    /// Connects, protects the connection, logs in where the settings have a login, and takes leave; sends
    /// nothing. Answers what was found, for a person.
    ///
    /// # Errors
    /// Where one of these steps fails.
    pub async fn check(&self) -> Result<String, MailerError> {
        let mut connection = self.shared.server.connect().await?;
        connection.ask_if_alive().await?;
        let found = connection.describe();
        connection.close().await;
        Ok(found)
    }

    /// Hands a mail to the server. When this answers, the server has taken it for every recipient but those in
    /// the answer, whom it refuses for good; on an error it has taken it for none, except when the connection
    /// ended between the mail and the answer to it: then nobody can know.
    ///
    /// Mails go one after the other. A future that is dropped half-way drops its connection too.
    ///
    /// # Errors
    /// Where the mail cannot be written, the server cannot be used, or the server refuses.
    pub async fn send(&self, mail: &Mail) -> Result<Vec<RefusedRecipient>, MailerError> {
        let letter = letter::write(mail)?;
        let mut idle = self.shared.idle.lock().await;
        let kept = match idle.take() {
            Some(mut connection) => connection.ask_if_alive().await.is_ok().then_some(connection),
            None => None,
        };
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.shared.server.connect().await?,
        };
        let outcome = connection.deliver(&letter).await;
        // After a refusal the conversation goes on; after anything else nobody knows where it stands.
        let usable = match &outcome {
            Ok(_) => true,
            Err(MailerError::Refused { .. }) => connection.reset().await.is_ok(),
            Err(_) => false,
        };
        if usable {
            *idle = Some(connection);
        }
        outcome
    }

    /// Takes leave of the server, if a connection is open. A later mail opens another one.
    pub async fn close(&self) {
        if let Some(connection) = self.shared.idle.lock().await.take() {
            connection.close().await;
        }
    }
}

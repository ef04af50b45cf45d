//! `mail`: mails of a component, through the outbox.

use wasmtime::Result;

use crate::database::{Database, DatabaseError};
use crate::mailer::MailerError;
use crate::outbox::{self, Compose, Outbox, OutboxError};
use crate::plugin::bindings::interfaces::mail::{Error, Host};
use crate::plugin::bindings::interfaces::types::Message;
use crate::plugin::capabilities::ABSENT;
use crate::plugin::mail_templates::message_from_wit;
use crate::plugin::state::State;

/// What mails of components are, in reports.
const KIND: &str = "plugin";

/// Who sends a mail that names nobody, where it is only tried: the site's own address is checked with its settings.
const SOME_SENDER: &str = "usher@example.org";

impl Host for State {
    async fn send(
        &mut self,
        identifier: String,
        to: Vec<String>,
        message: Message,
    ) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        // Who sends it stands in front, and keeps its identifiers apart from those of others.
        let origin = format!("plugin:{}:{identifier}", self.profile.sender);
        let compose = Compose { to, message: message_from_wit(message), link: None };
        let connected = self.profile.capabilities.outbox.clone();
        if let Some(rehearsal) = &mut self.rehearsal {
            let database = connected.map(|(_, database)| database);
            let is_new = is_new(database, &origin, &compose).await.map_err(|failure| error(&failure));
            // One that it has mailed already would not be mailed a second time.
            if let Ok(true) = is_new {
                rehearsal.mail(identifier, &compose);
            }
            return Ok(is_new.map(drop));
        }
        let Some((outbox, database)) = connected else {
            return Ok(Err(Error::Unavailable(ABSENT.to_owned())));
        };
        Ok(send(&outbox, &database, &origin, &compose).await.map_err(|failure| error(&failure)))
    }
}

/// Whether a mail can be sent, and has not been taken before.
async fn is_new(database: Option<Database>, origin: &str, compose: &Compose) -> Result<bool, OutboxError> {
    outbox::check(SOME_SENDER, compose)?;
    match database {
        Some(database) => Ok(!database.knows_mail(origin).await?),
        None => Ok(true),
    }
}

async fn send(
    outbox: &Outbox,
    database: &Database,
    origin: &str,
    compose: &Compose,
) -> Result<(), OutboxError> {
    let mut transaction = database.begin().await?;
    outbox.enqueue(&mut transaction, origin, KIND, compose).await?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

fn error(error: &OutboxError) -> Error {
    let text = error.to_string();
    match error {
        OutboxError::Mailer(MailerError::Subject) => Error::InvalidSubject(text),
        OutboxError::Mailer(MailerError::Address { .. } | MailerError::NoRecipient) => {
            Error::InvalidAddress(text)
        }
        _ => Error::Unavailable(text),
    }
}

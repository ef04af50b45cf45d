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
        let connected = self.profile.capabilities.outbox.clone();
        if let Some(rehearsal) = &mut self.rehearsal {
            let compose = Compose { to, message: message_from_wit(message), link: None };
            let checked = outbox::check(SOME_SENDER, &compose).map_err(|failure| error(&failure));
            if checked.is_err() {
                return Ok(checked);
            }
            let is_known = match &connected {
                Some((_, database)) => database.knows_mail(&origin).await,
                None => Ok(false),
            };
            return Ok(match is_known {
                Ok(false) => Ok(rehearsal.mail(identifier, &compose)),
                // It would not be mailed a second time.
                Ok(true) => Ok(()),
                Err(failure) => Err(error(&failure.into())),
            });
        }
        let Some((outbox, database)) = connected else {
            return Ok(Err(Error::Unavailable(ABSENT.to_owned())));
        };
        let compose = Compose { to, message: message_from_wit(message), link: None };
        Ok(send(&outbox, &database, &origin, &compose).await.map_err(|failure| error(&failure)))
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

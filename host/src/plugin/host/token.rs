//! `token`: setpass links.

use secrecy::ExposeSecret;
use wasmtime::Result;

use crate::links::{LinkError, Links};
use crate::plugin::bindings::interfaces::token::{Error, Host};
use crate::plugin::capabilities::ABSENT;
use crate::plugin::rehearsal::REFUSAL;
use crate::plugin::state::State;
use crate::setpass::SetpassError;

impl Host for State {
    async fn renew(&mut self, user_id: String) -> Result<Result<String, Error>> {
        self.count_host_call()?;
        if self.rehearsal.is_some() {
            return Ok(Err(Error::Unavailable(REFUSAL.to_owned())));
        }
        Ok(renew(self.profile.capabilities.links.clone(), &user_id).await)
    }
}

async fn renew(links: Option<Links>, user_id: &str) -> Result<String, Error> {
    let links = links.ok_or_else(|| Error::Unavailable(ABSENT.to_owned()))?;
    let issued = links.renew(user_id).await.map_err(|failure| error(&failure))?;
    Ok(issued.url.expose_secret().to_owned())
}

fn error(error: &LinkError) -> Error {
    let text = error.to_string();
    match error {
        LinkError::Here(SetpassError::UnknownUser(_)) => Error::UnknownUser(text),
        LinkError::Elsewhere(error) if error.is_refusal() => Error::UnknownUser(text),
        LinkError::Here(SetpassError::InvalidPin(_)) | LinkError::InvalidPin(_) => Error::InvalidPin(text),
        _ => Error::Unavailable(text),
    }
}

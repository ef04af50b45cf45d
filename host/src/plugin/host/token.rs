//! `token`: setpass links.

use secrecy::ExposeSecret;
use wasmtime::Result;

use crate::plugin::bindings::interfaces::token::{Error, Host};
use crate::plugin::capabilities::ABSENT;
use crate::plugin::state::State;
use crate::setpass::{Setpass, SetpassError};

impl Host for State {
    async fn renew(&mut self, user_id: String) -> Result<Result<String, Error>> {
        self.count_host_call()?;
        Ok(renew(self.profile.capabilities.setpass.clone(), &user_id).await)
    }
}

async fn renew(setpass: Option<Setpass>, user_id: &str) -> Result<String, Error> {
    let setpass = setpass.ok_or_else(|| Error::Unavailable(ABSENT.to_owned()))?;
    let issued = setpass.renew(user_id).await.map_err(|failure| error(&failure))?;
    Ok(issued.url.expose_secret().to_owned())
}

fn error(error: &SetpassError) -> Error {
    let text = error.to_string();
    match error {
        SetpassError::UnknownUser(_) => Error::UnknownUser(text),
        SetpassError::InvalidPin(_) => Error::InvalidPin(text),
        SetpassError::Overloaded | SetpassError::Database(_) | SetpassError::Keys(_) => {
            Error::Unavailable(text)
        }
    }
}

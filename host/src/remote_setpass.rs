//! A setpass on another machine, ours or the old one: users are registered there by its `PUT /token/{user_id}`, with
//! Usher's Keystone token.
//!
//! Each call gives a new token, and the earlier ones of the user stop working; so a call whose answer is lost is
//! simply made again. Knows nothing of mails and of what Usher records.

mod error;

use std::sync::Arc;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::clock::Clock;
use crate::keystone::{Bearer, Keystone, KeystoneError, Request, below};
use crate::settings::Settings;

pub use error::RemoteSetpassError;

/// The service's name in errors.
const NAME: &str = "setpass";

/// No token is longer: ours are 43 characters, and it has to fit into a URL that mail programs do not break.
const LONGEST_TOKEN: usize = 512;

/// Whom no cloud has as a user, for asking how a setpass behaves.
const NOBODY: &str = "usher-doctor";

/// A setpass on another machine. Clones share one session.
#[derive(Clone, Debug)]
pub struct RemoteSetpass {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bearer: Bearer,
    remote: Url,
}

impl RemoteSetpass {
    /// The setpass that the settings name; none where this machine's own is used. Nothing is asked of it yet. Calls
    /// are repeated, and wait for answers, as those to Keystone.
    ///
    /// # Errors
    /// Where its file of certificates cannot be used.
    pub fn new(
        settings: &Settings,
        keystone: &Keystone,
        clock: &Clock,
    ) -> Result<Option<Self>, RemoteSetpassError> {
        let Some(remote) = settings.setpass.remote.clone() else { return Ok(None) };
        let ca_file = settings.setpass.remote_ca_file.as_ref();
        let (timeout, retries) = (settings.keystone.timeout, settings.keystone.retries);
        let bearer = keystone
            .bearer(ca_file, timeout, retries, clock.clone())
            .map_err(|error| RemoteSetpassError::of_certificates(ca_file, error))?;
        Ok(Some(Self { inner: Arc::new(Inner { bearer, remote }) }))
    }

    /// Registers a user, and answers the new token. What is left out stays as it is there.
    ///
    /// # Errors
    /// Where the other setpass cannot be asked, or does not do it.
    pub async fn register(
        &self,
        user_id: &str,
        password: Option<&SecretString>,
        pin: Option<&SecretString>,
    ) -> Result<SecretString, RemoteSetpassError> {
        let mut fields = Map::new();
        let mut request = self.put(user_id);
        for (name, secret) in [("password", password), ("pin", pin)] {
            if let Some(secret) = secret {
                fields.insert(name.to_owned(), Value::from(secret.expose_secret()));
                request = request.hiding(secret);
            }
        }
        let answer = self.inner.bearer.call(request.body(fields.into())).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        token_in(answer.text().unwrap_or_default()).map_err(|reason| {
            let remote = self.inner.remote.to_string();
            RemoteSetpassError::NoToken { remote, reason }
        })
    }

    /// Finds out whether a setpass is there that lets only administrators register users, and this account too.
    /// Changes nothing.
    ///
    /// # Errors
    /// Where it is not as it should be.
    pub async fn check(&self) -> Result<String, RemoteSetpassError> {
        let remote = self.inner.remote.to_string();
        let unguarded = self.put(NOBODY).body(Value::Object(Map::new()));
        match self.inner.bearer.call_without_token(&unguarded).await {
            Err(KeystoneError::Unauthorized { .. }) => {}
            Ok(_) => return Err(RemoteSetpassError::Unguarded { remote }),
            Err(KeystoneError::Refused { status, .. }) => {
                let reason = format!("it answers {status} to a PUT without a token, and not 401");
                return Err(RemoteSetpassError::NotSetpass { remote, reason });
            }
            Err(error) => return Err(self.failed(error)),
        }
        // Who calls is looked at before what is said, so that nonsense is refused for what it is.
        match self.inner.bearer.call(self.put(NOBODY).body(Value::Array(Vec::new()))).await {
            Ok(_) | Err(KeystoneError::Refused { .. }) => Ok(format!("{remote} takes registrations")),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn put(&self, user_id: &str) -> Request {
        let url = below(&self.inner.remote, &["token", user_id]);
        Request::new(NAME, Method::PUT, url).wanting_json()
    }

    fn failed(&self, error: KeystoneError) -> RemoteSetpassError {
        RemoteSetpassError::of_call(&self.inner.remote, error)
    }
}

/// The token that an answer holds alone; or what the answer is.
///
/// Its type is no help: the old setpass calls its tokens HTML.
fn token_in(answer: &str) -> Result<SecretString, &'static str> {
    let token = answer.trim();
    if token.is_empty() {
        Err("a blank answer")
    } else if token.starts_with('<') {
        Err("a page")
    } else if token.len() > LONGEST_TOKEN || token.contains(char::is_whitespace) {
        Err("a text of several words or lines")
    } else if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(&byte)) {
        Err("characters that no token has")
    } else {
        Ok(SecretString::from(token))
    }
}

#[cfg(test)]
mod tests;

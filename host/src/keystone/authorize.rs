//! Whether somebody else's token may act as an administrator's.

mod authorized;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::error::KeystoneError;
use super::http::Request;
use super::session::Session;
use super::{Keystone, NAME};

pub(super) use authorized::Authorized;

/// How long Keystone's yes counts. A token that is revoked works that much longer here.
pub const AUTHORIZED_FOR: SignedDuration = SignedDuration::from_secs(60);

impl Keystone {
    /// Whether a caller's token can be scoped to the settings' admin project. Keystone is asked with the caller's
    /// token only; its yes counts for [`AUTHORIZED_FOR`], and never beyond the token's end. Whoever asks about a
    /// token while Keystone is being asked gets the same answer. A no counts for nobody else.
    ///
    /// # Errors
    /// Where Keystone does not say: it cannot be reached, or is not available.
    pub async fn authorizes_admin(&self, caller_token: &SecretString) -> Result<bool, KeystoneError> {
        let request = self.scoping(caller_token);
        let (session, places) = (Arc::clone(&self.session), self.authorized.places());
        self.authorized
            .ask_once(caller_token, move || async move {
                // Held until Keystone has answered. A semaphore that is closed would be none.
                let _place = request.in_time(places.acquire_owned()).await?;
                ask(session, request).await
            })
            .await
    }

    /// Whether Keystone has said yes to this token before, and not no since. It may not say so again.
    #[must_use]
    pub fn has_authorized(&self, caller_token: &SecretString) -> bool {
        self.authorized.has_been_authorized(caller_token)
    }

    fn scoping(&self, caller_token: &SecretString) -> Request {
        let body = json!({ "auth": {
            "identity": { "methods": ["token"], "token": { "id": caller_token.expose_secret() } },
            "scope": { "project": {
                "name": &*self.admin_project,
                "domain": { "id": &*self.admin_project_domain },
            } },
        } });
        Request::new(NAME, Method::POST, self.url(&["auth", "tokens"]))
            .body(body)
            .hiding(caller_token)
            .harmless()
            .until(self.end)
    }
}

/// How long the token may still be used, by Keystone's clock; none where it may not be used for this.
async fn ask(session: Arc<Session>, request: Request) -> Result<Option<SignedDuration>, KeystoneError> {
    match session.call_without_token(&request).await {
        Ok(answer) => {
            let Body { token } = answer.json()?;
            Ok(Some(token.expires_at.duration_since(token.issued_at)))
        }
        // Keystone answers 404 for what does not even look like a token, and 400 for an empty one.
        Err(
            KeystoneError::Unauthorized { .. }
            | KeystoneError::Forbidden { .. }
            | KeystoneError::NotFound { .. }
            | KeystoneError::Refused { status: 400, .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Body {
    token: Life,
}

/// A token that is made of another one ends with it.
#[derive(Deserialize)]
struct Life {
    issued_at: Timestamp,
    expires_at: Timestamp,
}

#[cfg(test)]
mod tests;

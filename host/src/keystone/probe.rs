//! Whether Usher's account may create users, found out without creating any.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Keystone, KeystoneError, NAME, Request};

#[derive(Deserialize)]
struct Users {
    users: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Keystone {
    /// Whether Keystone answers. One call without a token, made once, and beside the limit of calls: under load it
    /// would say how busy Usher is, and not whether Keystone is there.
    ///
    /// # Errors
    /// Where there is no answer, or one that says that the service is broken.
    pub async fn reach(&self) -> Result<(), KeystoneError> {
        let request = Request::new(NAME, Method::GET, self.session.keystone_url().clone());
        match self.session.call_alone(&request).await {
            // Any other refusal is an answer too.
            Err(error @ (KeystoneError::Unreachable { .. } | KeystoneError::Unavailable { .. })) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Whether Keystone's policy lets Usher's account create users in the settings' domain; none
    /// where that cannot be told, because the domain has no user yet. Two calls.
    ///
    /// It asks for a user whose name is taken: who may create users gets a conflict (409), who may
    /// not is refused before (403).
    ///
    /// # Errors
    /// Where a call fails.
    pub async fn may_create_users(&self) -> Result<Option<bool>, KeystoneError> {
        let mut url = self.url(&["users"]);
        url.query_pairs_mut().append_pair("domain_id", &self.domain).append_pair("limit", "1");
        let listed = match self.call(Request::new(NAME, Method::GET, url)).await {
            Ok(answer) => answer.json::<Users>()?.users,
            Err(KeystoneError::Forbidden { .. }) => return Ok(Some(false)),
            Err(error) => return Err(error),
        };
        let Some(taken) = listed.first() else { return Ok(None) };
        let body = json!({
            "name": taken.name,
            "domain_id": &*self.domain,
            "enabled": false,
        });
        let request = Request::new(NAME, Method::POST, self.url(&["users"])).body(json!({ "user": body }));
        match self.call(request).await {
            Err(KeystoneError::Conflict { .. }) => Ok(Some(true)),
            Err(KeystoneError::Forbidden { .. }) => Ok(Some(false)),
            Err(error) => Err(error),
            // The name became free between the two calls. What was made by accident goes again.
            Ok(answer) => {
                let made = answer.json::<Made>()?.user.id;
                self.call(Request::new(NAME, Method::DELETE, self.url(&["users", &made]))).await?;
                Ok(Some(true))
            }
        }
    }
}

#[derive(Deserialize)]
struct Made {
    user: Identified,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

//! Whether somebody else's token may act as an administrator's.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::error::KeystoneError;
use super::http::Request;
use super::{Keystone, NAME};

impl Keystone {
    /// Whether a caller's token can be scoped to the settings' admin project. One call, with
    /// the caller's token only.
    ///
    /// # Errors
    /// Where Keystone does not say: it cannot be reached, or is not available.
    pub async fn authorizes_admin(&self, caller_token: &SecretString) -> Result<bool, KeystoneError> {
        let body = json!({ "auth": {
            "identity": { "methods": ["token"], "token": { "id": caller_token.expose_secret() } },
            "scope": { "project": {
                "name": &*self.admin_project,
                "domain": { "id": &*self.admin_project_domain },
            } },
        } });
        let request = Request::new(NAME, Method::POST, self.url(&["auth", "tokens"]))
            .body(body)
            .hiding(caller_token)
            .harmless();
        match self.session.call_without_token(&request).await {
            Ok(_) => Ok(true),
            // Keystone answers 404 for what does not even look like a token, and 400 for an empty one.
            Err(
                KeystoneError::Unauthorized { .. }
                | KeystoneError::Forbidden { .. }
                | KeystoneError::NotFound { .. }
                | KeystoneError::Refused { status: 400, .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use serde_json::Value;

    use super::*;
    use crate::keystone::fake::Fake;

    async fn answer_to(status: u16) -> Result<bool, KeystoneError> {
        let status = StatusCode::from_u16(status).unwrap();
        let fake = Fake::start(Router::new().route(
            "/v3/auth/tokens",
            post(async move |Json(body): Json<Value>| {
                assert_eq!(body["auth"]["identity"]["token"]["id"], "callers-token");
                assert_eq!(body["auth"]["scope"]["project"]["name"], "admin");
                let echo = json!({ "error": { "message": "no callers-token here" } });
                (status, Json(echo))
            }),
        ))
        .await;
        fake.keystone().authorizes_admin(&SecretString::from("callers-token")).await
    }

    #[tokio::test]
    async fn only_a_token_for_the_admin_project_authorizes() {
        assert!(answer_to(201).await.unwrap());
        for status in [400, 401, 403, 404] {
            assert!(!answer_to(status).await.unwrap(), "{status}");
        }
    }

    #[tokio::test]
    async fn trouble_is_neither_yes_nor_no_and_shows_no_token() {
        let error = answer_to(503).await.unwrap_err();
        assert!(error.is_passing());
        assert!(!format!("{error} {error:?}").contains("callers-token"), "{error}");
    }
}

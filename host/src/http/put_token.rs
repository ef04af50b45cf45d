//! `PUT /token/{user_id}`: registers a user and answers with a token, for the tools that mail links.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};

use super::answer::{Told, json, plain, retry_after};
use super::audience::{Accepts, Audience};
use super::bodies::PutToken;
use super::fields::read_json;
use super::limits::Deadline;
use super::openapi::Everywhere;
use super::{ClientAddress, Services};
use crate::database::DatabaseError;
use crate::setpass::{Admission, AdmissionError, Pin, Registration, SetpassError};

/// The longest id that Keystone gives is 64 characters.
const LONGEST_USER_ID: usize = 255;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum PutTokenError {
    #[error("Unauthorized: send a Keystone token as X-Auth-Token")]
    NoCallerToken,
    #[error("Forbidden: the token cannot be scoped to the admin project")]
    NotAdmin,
    #[error(
        "Too many requests: this client has shown too many tokens that cannot be scoped to the admin project; try again \
         in {seconds} seconds, with another token"
    )]
    TooMany { seconds: u64 },
    #[error("Bad request: {0}")]
    BadRequest(String),
    #[error("Keystone could not be asked about the token; try again")]
    Admission(#[from] Arc<AdmissionError>),
    #[error("the token could not be recorded; try again")]
    Setpass(SetpassError),
}

impl From<SetpassError> for PutTokenError {
    fn from(error: SetpassError) -> Self {
        match error {
            SetpassError::UnknownUser(_) | SetpassError::InvalidPin(_) => Self::BadRequest(error.to_string()),
            other => Self::Setpass(other),
        }
    }
}

impl PutTokenError {
    /// How it went, for clients of the protocol and for those that read JSON.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoCallerToken => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::NotAdmin => (StatusCode::FORBIDDEN, "forbidden"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::Setpass(SetpassError::Overloaded) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Admission(error)
                if matches!(
                    **error,
                    AdmissionError::Keystone(_) | AdmissionError::Setpass(SetpassError::Overloaded)
                ) =>
            {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::Admission(_) | Self::Setpass(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failure"),
        }
    }
}

/// Registers a user, and answers with a token.
///
/// Each call gives a new token, and the user's earlier ones stop working; so a call whose answer was lost can be made
/// again. The body is read as JSON whatever its type is called, and nothing at all is an empty object: it renews the
/// token of a user who is known here. The token is answered as plain text even to those who accept JSON: OpenStack's
/// client library says that it does with every request, and the tools that use it take the body for the token.
#[utoipa::path(
    put,
    path = "/token/{user_id}",
    operation_id = "putToken",
    tag = "programs",
    params(("user_id" = String, Path, description = "Keystone's id of the user", min_length = 1, max_length = 255,
        example = "3e5c8b0f7a6d4c2e9b1f8a7d6c5b4a39")),
    request_body(content((PutToken = "application/json"))),
    security(("keystone" = [])),
    responses(
        (status = 200, description = "The token alone", body = String, content_type = "text/plain",
            example = "T0kenThatNobodyCouldGuess"),
        (status = 400, description = "The body cannot be read, a field cannot be used, or one is missing for a user \
            who is not known here", body = Told),
        (status = 401, description = "There is no Keystone token", body = Told),
        (status = 403, description = "The Keystone token cannot be scoped to the admin project", body = Told),
        Everywhere,
    )
)]
pub(super) async fn put_token(
    State(services): State<Arc<Services>>,
    audience: Audience,
    client: ClientAddress,
    deadline: Deadline,
    Path(user_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match issue(&services, client, deadline, &user_id, &headers, &body).await {
        Ok(token) => token.expose_secret().to_owned().into_response(),
        Err(error) => {
            match &error {
                PutTokenError::Admission(error) => {
                    tracing::error!(%error, "a caller's token cannot be checked");
                }
                PutTokenError::Setpass(error) => tracing::error!(%error, "no link issued"),
                _ => {}
            }
            // In English, for programs and those who write them.
            let ((status, outcome), text) = (error.kind(), error.to_string());
            let answer = match audience.accepts {
                Accepts::Json => json(status, outcome, &text),
                Accepts::Page | Accepts::Plain => plain(status, text),
            };
            match error {
                PutTokenError::TooMany { seconds } => retry_after(answer, seconds),
                _ => answer,
            }
        }
    }
}

async fn issue(
    services: &Services,
    client: ClientAddress,
    deadline: Deadline,
    user_id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<SecretString, PutTokenError> {
    let caller = headers.get("x-auth-token").ok_or(PutTokenError::NoCallerToken)?;
    let caller = caller.to_str().map(|token| SecretString::from(token.trim())).unwrap_or_default();
    if caller.expose_secret().is_empty() {
        return Err(PutTokenError::NoCallerToken);
    }
    let keystone = services.keystone.until(deadline.0);
    match services.setpass.admit(&keystone, client.network(), &caller).await? {
        Admission::Admitted => {}
        Admission::Refused => return Err(PutTokenError::NotAdmin),
        Admission::TooMany { until } => {
            return Err(PutTokenError::TooMany { seconds: services.setpass.seconds_until(until) });
        }
    }
    let fields: PutToken = read_json(body).map_err(|error| PutTokenError::BadRequest(error.to_string()))?;
    if user_id.trim().is_empty() || user_id.len() > LONGEST_USER_ID {
        return Err(PutTokenError::BadRequest("the user's id cannot be one".to_owned()));
    }
    if fields.password.as_ref().is_some_and(|password| password.expose_secret().is_empty()) {
        return Err(PutTokenError::BadRequest("the password is empty".to_owned()));
    }
    // Hashed before the transaction begins, so that no other writer waits for it.
    let pin_hash = match &fields.pin {
        Some(pin) => Some(services.setpass.hash_pin(pin).await?),
        None => None,
    };
    let registration =
        Registration { user_id, password: fields.password.as_ref(), pin: pin_hash.as_deref().map(Pin::Hash) };
    let mut tx = services.setpass.begin().await?;
    let issued = services.setpass.register(&mut tx, registration).await?;
    tx.commit().await.map_err(|error| SetpassError::from(DatabaseError::from(error)))?;
    Ok(issued.token)
}

#[cfg(test)]
mod tests;

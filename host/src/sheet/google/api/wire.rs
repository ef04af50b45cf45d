//! One call without the client library's own types for its answer.
//!
//! The library makes some kilobytes of each cell of a grid, because a cell can have a hundred properties. A
//! column of a large worksheet would fill the memory. So the answers that hold cells are read into types that
//! have what is asked for and nothing else.

use google_sheets4::api::Scope;
use google_sheets4::common;
use google_sheets4::hyper::{Method, Request, header};
use google_sheets4::{Delegate as _, Error, Sheets};
use serde::de::DeserializeOwned;
use url::Url;

use super::Connector;
use super::failure::{Failure, Heard};

/// How Usher calls itself.
pub(super) const USER_AGENT: &str = concat!("usher/", env!("CARGO_PKG_VERSION"));

/// Makes a call with a JSON body, or with none where it is blank, and reads the JSON answer.
pub(super) async fn call<T: DeserializeOwned>(
    hub: &Sheets<Connector>,
    method: Method,
    url: &Url,
    body: Vec<u8>,
) -> Result<T, Failure> {
    let mut heard = Heard::default();
    let token = match hub.auth.get_token(&[Scope::Spreadsheet.as_ref()]).await {
        Ok(token) => token,
        Err(error) => return Err(Failure::of(Error::MissingToken(error), &heard)),
    };
    let mut request =
        Request::builder().method(method).uri(url.as_str()).header(header::USER_AGENT, USER_AGENT);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request
        .header(header::CONTENT_LENGTH, body.len())
        .body(common::to_body(Some(body)))
        .map_err(|_| Failure::of(Error::Cancelled, &heard))?;
    let answer = match hub.client.request(request).await {
        Ok(answer) => answer,
        Err(error) => return Err(Failure::of(Error::HttpError(error), &heard)),
    };
    let (parts, body) = answer.into_parts();
    let is_success = parts.status.is_success();
    let bytes = common::to_bytes(body).await.unwrap_or_default();
    if is_success {
        return serde_json::from_slice(&bytes)
            .map_err(|error| Failure::of(Error::JsonDecodeError(String::new(), error), &heard));
    }
    let explained = serde_json::from_slice(&bytes);
    let response = common::to_response(parts, Some(bytes));
    heard.http_failure(&response, explained.as_ref().ok());
    Err(match explained {
        Ok(explained) => Failure::of(Error::BadRequest(explained), &heard),
        Err(_) => Failure::of(Error::Failure(response), &heard),
    })
}

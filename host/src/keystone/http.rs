//! One HTTP call: sent, repeated where that is safe, and its failure told in typed words.
//!
//! Knows nothing of tokens' lives or of what the calls mean.

mod sign;
mod unreached;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use self::sign::sign;
use self::unreached::unreached;
use super::credentials::CredentialsError;
use super::error::{Call, KeystoneError, UNEXPLAINED, Unreached};
use super::limit::CallLimit;
use super::retry;
use crate::clock::Clock;
use crate::http_client;
use crate::random;

/// No answer may be larger: 64 MiB are some 100,000 users.
const LARGEST_ANSWER: usize = 64 << 20;

/// How long the answer to a call that must not be made twice is awaited at least, unless the settings say less.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// How much of a service's own words an error repeats, in characters.
const LONGEST_MESSAGE: usize = 400;

/// Ids of OpenStack's services are UUIDs of 32 digits, or longer.
const SHORTEST_ID: usize = 32;

static AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A call that is to be made.
pub(crate) struct Request {
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    body: Option<Value>,
    /// What no error may repeat, even where the service does.
    hidden: Vec<SecretString>,
    repeatable: bool,
    /// Whether an answer in JSON is asked for. OpenStack's services answer nothing else.
    wants_json: bool,
    /// When nobody waits for the answer any more.
    end: Option<Instant>,
    /// How it first failed where it may have had its effect all the same, and was made again.
    doubt: OnceLock<KeystoneError>,
}

impl Request {
    /// A call without a body. It is repeated after every passing failure unless it is a `POST`.
    pub(crate) fn new(service: &'static str, method: Method, url: Url) -> Self {
        let repeatable = method != Method::POST;
        Self {
            service,
            method,
            url,
            body: None,
            hidden: Vec::new(),
            repeatable,
            wants_json: false,
            end: None,
            doubt: OnceLock::new(),
        }
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Keeps a secret that the body holds out of errors.
    pub(crate) fn hiding(mut self, secret: &SecretString) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    /// Says that this `POST` changes nothing, so that it may be repeated as well.
    pub(crate) fn harmless(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Asks for an answer in JSON.
    pub(crate) fn wanting_json(mut self) -> Self {
        self.wants_json = true;
        self
    }

    /// Has the call end at a moment, with all its repetitions: by then it has failed, where there is no answer.
    pub(super) fn until(mut self, end: Option<Instant>) -> Self {
        self.end = end;
        self
    }

    /// Waits for something that has to be there before the call can be made.
    pub(super) async fn in_time<T>(&self, awaited: impl Future<Output = T>) -> Result<T, KeystoneError> {
        match self.end {
            None => Ok(awaited.await),
            Some(end) => tokio::time::timeout_at(end, awaited).await.map_err(|_| self.too_late()),
        }
    }

    /// How long an answer may be awaited, which may take so long in any case; none where nobody would wait for one. What must
    /// not be done twice is not begun where its answer would most likely come too late.
    fn time_for_answer(&self, timeout: Duration) -> Option<Duration> {
        let left = self.end.map_or(timeout, |end| end.saturating_duration_since(Instant::now()).min(timeout));
        let least = if self.repeatable { Duration::ZERO } else { LEAST_TIME.min(timeout) };
        (left > Duration::ZERO && left >= least).then_some(left)
    }

    /// What is to be said after a call has failed for good. That the last repetition had no effect says nothing of the ones
    /// before it. A repeated `PUT` or `DELETE` that is refused tells what there is by now; a repeated `PATCH` does not.
    pub(super) fn failed(&self, last: KeystoneError) -> KeystoneError {
        match self.doubt.get() {
            Some(doubt) if last.had_no_effect() || self.method == Method::PATCH => doubt.clone(),
            _ => last,
        }
    }

    fn too_late(&self) -> KeystoneError {
        KeystoneError::Unreachable { call: self.call(), reason: Unreached::TooLate }
    }

    fn call(&self) -> Call {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Neither can fail for a URL that has a host, and a URL without one is never called.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Call { service: self.service, what: format!("{} {url}", self.method).into() }
    }

    /// What calls are alike: those that differ in nothing but ids and what is searched for.
    fn kind(&self) -> String {
        let mut kind = format!("{} {}", self.service, self.method);
        for segment in self.url.path().split('/').filter(|segment| !segment.is_empty()) {
            kind.push('/');
            kind.push_str(if segment.len() < SHORTEST_ID { segment } else { "*" });
        }
        kind
    }
}

/// A successful answer.
pub(crate) struct Answer {
    call: Call,
    pub(super) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// Reads the body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, KeystoneError> {
        // serde_json's own words may repeat a value; line and column say enough.
        serde_json::from_slice(&self.body).map_err(|error| {
            self.unintelligible(format!(
                "its JSON is not as expected at line {}, column {}",
                error.line(),
                error.column()
            ))
        })
    }

    /// The body as text; none where it is not UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    pub(crate) fn unintelligible(&self, reason: String) -> KeystoneError {
        KeystoneError::Unintelligible { call: self.call.clone(), reason }
    }
}

/// The HTTP client of all calls.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    timeout: Duration,
    retries: u32,
    limit: CallLimit,
    clock: Clock,
}

impl Http {
    /// A client that trusts the system's authorities and those in `certificates`, and that goes
    /// straight to the services: proxies of the environment do not apply.
    pub(crate) fn new<'a>(
        certificates: impl Iterator<Item = &'a PathBuf>,
        timeout: Duration,
        retries: u32,
        limit: CallLimit,
        clock: Clock,
    ) -> Result<Self, KeystoneError> {
        let mut authorities = Vec::new();
        for file in certificates {
            let read = http_client::read_certificates(file);
            authorities.extend(
                read.map_err(|reason| CredentialsError::Certificates { file: file.clone(), reason })?,
            );
        }
        let client = http_client::build(authorities, timeout).map_err(CredentialsError::Tls)?;
        Ok(Self { client, timeout, retries, limit, clock })
    }

    pub(crate) fn limit(&self) -> &CallLimit {
        &self.limit
    }

    /// Makes a call, again after passing failures if that is safe. The error is that of the last time (see
    /// [`Request::failed`]).
    pub(crate) async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, KeystoneError> {
        let mut repetition = 0;
        loop {
            let place = request.in_time(self.limit.place()).await?;
            let outcome = self.send_once(request, token).await;
            place.ended(&request.kind(), sign(&outcome, self.timeout));
            let error = match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let safe = request.repeatable || error.had_no_effect();
            if !error.is_passing() || !safe || repetition >= self.retries {
                return Err(error);
            }
            let asked = match &error {
                KeystoneError::Unavailable { retry_after, .. } => *retry_after,
                _ => None,
            };
            let [jitter] = random::bytes();
            let Some(pause) = retry::pause(repetition, asked, jitter) else {
                return Err(error);
            };
            if request.end.is_some_and(|end| Instant::now() + pause >= end) {
                return Err(error);
            }
            tracing::debug!(%error, pause_ms = pause.as_millis(), "calling again after a pause");
            if error.may_have_taken_effect() {
                request.doubt.get_or_init(|| error);
            }
            tokio::time::sleep(pause).await;
            repetition += 1;
        }
    }

    /// Makes a call once, without waiting for its turn.
    pub(super) async fn send_once(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, KeystoneError> {
        let timeout = request.time_for_answer(self.timeout).ok_or_else(|| request.too_late())?;
        let mut builder = self.client.request(request.method.clone(), request.url.clone()).timeout(timeout);
        if let Some(token) = token {
            let mut value =
                HeaderValue::from_str(token.expose_secret()).map_err(|_| KeystoneError::Unauthorized {
                    call: request.call(),
                    message: "the token holds characters that no token has".to_owned(),
                })?;
            value.set_sensitive(true);
            builder = builder.header(&AUTH_TOKEN, value);
        }
        if request.wants_json {
            builder = builder.header(ACCEPT, "application/json");
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let unreachable = |error: reqwest::Error| KeystoneError::Unreachable {
            call: request.call(),
            reason: unreached(&error, timeout),
        };
        let mut response = builder.send().await.map_err(unreachable)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(KeystoneError::Unintelligible {
                    call: request.call(),
                    reason: format!("its answer is larger than {} MiB", LARGEST_ANSWER >> 20),
                });
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(Answer { call: request.call(), status, headers, body });
        }
        Err(self.refusal(request, status, &headers, &body))
    }

    fn refusal(
        &self,
        request: &Request,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> KeystoneError {
        let call = request.call();
        let mut message = own_words(body).unwrap_or_else(|| match status.is_redirection() {
            true => "the URL leads elsewhere; write the one that it leads to".to_owned(),
            false => UNEXPLAINED.to_owned(),
        });
        for secret in &request.hidden {
            if !secret.expose_secret().is_empty() {
                message = message.replace(secret.expose_secret(), "(hidden)");
            }
        }
        // Only now: a secret that was cut in two would not be found.
        let message: String = message.chars().take(LONGEST_MESSAGE).collect();
        match status {
            StatusCode::UNAUTHORIZED => KeystoneError::Unauthorized { call, message },
            StatusCode::FORBIDDEN => KeystoneError::Forbidden { call, message },
            StatusCode::NOT_FOUND => KeystoneError::NotFound { call, message },
            StatusCode::CONFLICT => KeystoneError::Conflict { call, message },
            status if passing(status) => KeystoneError::Unavailable {
                call,
                status: status.as_u16(),
                message,
                retry_after: headers
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| retry::retry_after(value, self.clock.now())),
            },
            status => KeystoneError::Refused { call, status: status.as_u16(), message },
        }
    }
}

/// Whether a status says that the same call may succeed later.
fn passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// What an OpenStack service says in an error's body. Keystone wraps its message as `error`,
/// Nova and Cinder as the kind of error, Neutron as `NeutronError`.
fn own_words(body: &[u8]) -> Option<String> {
    let Value::Object(body) = serde_json::from_slice(body).ok()? else { return None };
    let words = body
        .values()
        .find_map(|wrapped| wrapped.get("message").and_then(Value::as_str))
        .or_else(|| body.get("message").and_then(Value::as_str))
        .or_else(|| body.get("NeutronError").and_then(Value::as_str))?;
    Some(words.trim().to_owned())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

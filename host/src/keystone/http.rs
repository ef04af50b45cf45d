//! One HTTP call: sent, repeated where that is safe, and its failure told in typed words.
//!
//! Knows nothing of tokens' lives or of what the calls mean.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::credentials::CredentialsError;
use super::error::{Call, KeystoneError, Unreached};
use super::retry;
use crate::clock::Clock;
use crate::random;

/// No answer may be larger: 64 MiB are some 100,000 users.
const LARGEST_ANSWER: usize = 64 << 20;

/// How much of a service's own words an error repeats, in characters.
const LONGEST_MESSAGE: usize = 400;

/// How long a connection may take to come about, whatever a whole call may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
}

impl Request {
    /// A call without a body. It is repeated after every passing failure unless it is a `POST`.
    pub(crate) fn new(service: &'static str, method: Method, url: Url) -> Self {
        let repeatable = method != Method::POST;
        Self { service, method, url, body: None, hidden: Vec::new(), repeatable }
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

    fn call(&self) -> Call {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Neither can fail for a URL that has a host, and a URL without one is never called.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Call { service: self.service, what: format!("{} {url}", self.method).into() }
    }
}

/// A successful answer.
pub(crate) struct Answer {
    call: Call,
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
    clock: Clock,
}

impl Http {
    /// A client that trusts the system's authorities and those in `certificates`, and that goes
    /// straight to the services: proxies of the environment do not apply.
    pub(crate) fn new<'a>(
        certificates: impl Iterator<Item = &'a PathBuf>,
        timeout: Duration,
        retries: u32,
        clock: Clock,
    ) -> Result<Self, KeystoneError> {
        // Fails where a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut authorities = Vec::new();
        for file in certificates {
            authorities.extend(read_certificates(file)?);
        }
        let common = || -> ClientBuilder {
            Client::builder()
                .no_proxy()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT.min(timeout))
                .timeout(timeout)
                .user_agent(concat!("usher/", env!("CARGO_PKG_VERSION")))
        };
        // A machine without any authorities of its own cannot use the system's verifier.
        let client = common()
            .tls_certs_merge(authorities.clone())
            .build()
            .or_else(|_| common().tls_certs_only(authorities).build())
            .map_err(|error| CredentialsError::Tls(innermost(&error)))?;
        Ok(Self { client, timeout, retries, clock })
    }

    /// Makes a call, again after passing failures if that is safe.
    pub(crate) async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, KeystoneError> {
        let mut repetition = 0;
        loop {
            let error = match self.send_once(request, token).await {
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
            tracing::debug!(%error, pause_ms = pause.as_millis(), "calling again after a pause");
            tokio::time::sleep(pause).await;
            repetition += 1;
        }
    }

    async fn send_once(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, KeystoneError> {
        let mut builder = self.client.request(request.method.clone(), request.url.clone());
        if let Some(token) = token {
            let mut value =
                HeaderValue::from_str(token.expose_secret()).map_err(|_| KeystoneError::Unauthorized {
                    call: request.call(),
                    message: "the token holds characters that no token has".to_owned(),
                })?;
            value.set_sensitive(true);
            builder = builder.header(&AUTH_TOKEN, value);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let unreachable = |error: reqwest::Error| KeystoneError::Unreachable {
            call: request.call(),
            reason: self.unreached(&error),
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
            return Ok(Answer { call: request.call(), headers, body });
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
            false => "no explanation in the words of an OpenStack service; is the URL right?".to_owned(),
        });
        for secret in &request.hidden {
            if !secret.expose_secret().is_empty() {
                message = message.replace(secret.expose_secret(), "(hidden)");
            }
        }
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

    fn unreached(&self, error: &reqwest::Error) -> Unreached {
        if error.is_timeout() {
            return match error.is_connect() {
                true => Unreached::NoConnection("no answer in time".to_owned()),
                false => Unreached::TimedOut(self.timeout),
            };
        }
        if error.is_dns() {
            return Unreached::UnknownHost(innermost(error));
        }
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                if io.kind() == std::io::ErrorKind::ConnectionRefused {
                    return Unreached::Refused;
                }
                // An io::Error hides the error that it was made of from `source`.
                if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    return tls_failure(tls);
                }
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return tls_failure(tls);
            }
            source = cause.source();
        }
        match error.is_connect() {
            true => Unreached::NoConnection(innermost(error)),
            false => Unreached::Broken(innermost(error)),
        }
    }
}

/// Whether a status says that the same call may succeed later.
fn passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

fn tls_failure(error: &rustls::Error) -> Unreached {
    match error {
        rustls::Error::InvalidCertificate(_) => Unreached::Certificate(error.to_string()),
        // The connection came about and was then cut; the service may be restarting.
        rustls::Error::AlertReceived(_) | rustls::Error::InvalidMessage(_) => {
            Unreached::Tls(error.to_string())
        }
        _ => Unreached::Tls(error.to_string()),
    }
}

/// The last error of the chain, which says most and holds no URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn std::error::Error> = error.source();
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    innermost.map_or_else(|| "no reason is known".to_owned(), ToString::to_string)
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
    Some(words.trim().chars().take(LONGEST_MESSAGE).collect())
}

fn read_certificates(file: &PathBuf) -> Result<Vec<Certificate>, CredentialsError> {
    let unusable = |reason: String| CredentialsError::Certificates { file: file.clone(), reason };
    let text = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificates =
        Certificate::from_pem_bundle(&text).map_err(|_| unusable("it is not in PEM form".to_owned()))?;
    if certificates.is_empty() {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Json;
    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use axum::routing::{get, post};
    use serde_json::json;

    use super::*;
    use crate::keystone::fake::{Fake, with_token};
    use crate::keystone::{CreateProject, Keystone};

    const PROJECT: CreateProject<'_> = CreateProject { name: "x", description: "", marker: None };

    /// Answers the status so many times, and then as it should.
    fn failing(times: usize, status: u16) -> axum::Router {
        let count = Arc::new(AtomicUsize::new(0));
        let answer = move |success: StatusCode| -> Response {
            if count.fetch_add(1, Ordering::SeqCst) < times {
                let body = Json(json!({ "error": { "message": "not now" } }));
                return (StatusCode::from_u16(status).unwrap(), [("Retry-After", "0")], body).into_response();
            }
            let body = json!({ "project": { "id": "p1", "name": "x", "enabled": true } });
            (success, Json(body)).into_response()
        };
        let by_get = answer.clone();
        with_token()
            .route("/v3/projects/p1", get(async move || by_get(StatusCode::OK)))
            .route("/v3/projects", post(async move || answer(StatusCode::CREATED)))
    }

    #[tokio::test]
    async fn passing_failures_of_idempotent_calls_are_repeated() {
        for status in [429, 500, 502, 503, 504] {
            let fake = Fake::start(failing(2, status)).await;
            let keystone = fake.keystone_with("retries = 2", Clock::system());
            assert!(keystone.project("p1").await.unwrap().is_some(), "{status}");
            assert_eq!(fake.calls("GET /v3/projects/p1"), 3, "{status}");
        }
    }

    #[tokio::test]
    async fn repetitions_end() {
        let fake = Fake::start(failing(9, 503)).await;
        let error = fake.keystone_with("retries = 1", Clock::system()).project("p1").await.unwrap_err();
        assert!(
            matches!(&error, KeystoneError::Unavailable { status: 503, message, .. } if message == "not now")
        );
        assert!(error.is_passing());
        assert_eq!(fake.calls("GET /v3/projects/p1"), 2);
    }

    #[tokio::test]
    async fn a_post_is_repeated_only_where_it_cannot_have_taken_effect() {
        let fake = Fake::start(failing(1, 429)).await;
        fake.keystone_with("retries = 1", Clock::system()).create_project(&PROJECT).await.unwrap();
        assert_eq!(fake.calls("POST /v3/projects"), 2);

        let fake = Fake::start(failing(1, 503)).await;
        let keystone = fake.keystone_with("retries = 3", Clock::system());
        let error = keystone.create_project(&PROJECT).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        assert_eq!(fake.calls("POST /v3/projects"), 1);
    }

    #[tokio::test]
    async fn final_refusals_are_typed_and_not_repeated() {
        for (status, is_expected) in [
            (403, (|error| matches!(error, KeystoneError::Forbidden { .. })) as fn(&KeystoneError) -> bool),
            (404, |error| matches!(error, KeystoneError::NotFound { .. })),
            (409, |error| matches!(error, KeystoneError::Conflict { .. })),
            (400, |error| matches!(error, KeystoneError::Refused { status: 400, .. })),
            (413, |error| matches!(error, KeystoneError::Refused { status: 413, .. })),
            (302, |error| matches!(error, KeystoneError::Refused { status: 302, .. })),
            (501, |error| matches!(error, KeystoneError::Refused { status: 501, .. })),
        ] {
            let fake = Fake::start(failing(9, status)).await;
            let keystone = fake.keystone_with("retries = 3", Clock::system());
            let error = keystone.create_project(&PROJECT).await.unwrap_err();
            assert!(is_expected(&error) && !error.is_passing(), "{status}: {error}");
            assert!(error.to_string().contains("not now"), "{error}");
            assert!(error.to_string().contains("/v3/projects"), "{error}");
            assert_eq!(fake.calls("POST /v3/projects"), 1, "{status}");
        }
    }

    async fn unreachable(keystone: &Keystone) -> Unreached {
        match keystone.whoami().await.unwrap_err() {
            KeystoneError::Unreachable { reason, .. } => reason,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_unreachable() {
        let fake = Fake::start(axum::Router::new()).await;
        let keystone = fake.keystone();
        let url = fake.url();
        drop(fake);
        // The port is given back when the server's task has ended.
        while tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(unreachable(&keystone).await, Unreached::Refused);
    }

    #[tokio::test]
    async fn a_silent_server_is_unreachable() {
        let silent = axum::Router::new().route("/v3/auth/tokens", post(std::future::pending::<()>));
        let fake = Fake::start(silent).await;
        let keystone = fake.keystone_with("retries = 0\ntimeout = \"200ms\"", Clock::system());
        assert!(matches!(unreachable(&keystone).await, Unreached::TimedOut(_)));
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                drop(connection);
            }
        });
        let http = Http::new(std::iter::empty(), Duration::from_secs(5), 0, Clock::system()).unwrap();
        let error = http.send(&Request::new("Keystone", Method::GET, url), None).await.err().unwrap();
        assert!(error.is_passing() && !error.had_no_effect(), "{error}");
        server.abort();
    }

    #[test]
    fn every_services_own_words_are_found() {
        for body in [
            r#"{"error": {"code": 404, "message": "words", "title": "Not Found"}}"#,
            r#"{"badRequest": {"code": 400, "message": "words"}}"#,
            r#"{"NeutronError": {"type": "HTTPBadRequest", "message": "words", "detail": ""}}"#,
            r#"{"NeutronError": "words"}"#,
            r#"{"message": "words"}"#,
        ] {
            assert_eq!(own_words(body.as_bytes()).as_deref(), Some("words"), "{body}");
        }
        assert_eq!(own_words(b"<html>no words</html>"), None);
        assert_eq!(own_words(b"[]"), None);
    }

    #[test]
    fn errors_show_neither_query_nor_user_information() {
        let url = "https://u:sesame@h/v3/users?name=sesame#sesame".parse().unwrap();
        let call = Request::new("Keystone", Method::GET, url).call();
        assert_eq!(&*call.what, "GET https://h/v3/users");
    }
}

//! How much a request may bring, and how long it may take.
//!
//! A body is read as a whole before anything is done with it, so that nobody holds more than a connection by sending
//! little by little.

mod bodies;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CONNECTION, EXPECT, HeaderValue};
use axum::http::request::Parts;
use axum::http::{StatusCode, Version};
use axum::response::Response;
use futures::StreamExt as _;
use tokio::time::Instant;

use super::answer::{NextStep, Notice};
use super::audience::Audience;
use super::{ClientAddress, Services};
use bodies::Place;

use crate::settings::keystone::LONGEST_TIMEOUT;
pub use bodies::Bodies;

/// The longest body that is read, in bytes: a form with a long password is far below it.
pub(super) const LONGEST_BODY: usize = 16 * 1024;

/// How long a request may take.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);

/// How long of that Keystone may be waited for, over all calls with all their repetitions. The rest is for recording
/// what became of them and saying so.
const LONGEST_WAIT: Duration = Duration::from_secs(115);

const _: () = assert!(
    LONGEST_REQUEST.as_secs() > LONGEST_WAIT.as_secs() && LONGEST_WAIT.as_secs() > LONGEST_TIMEOUT.as_secs(),
    "settings with which every call is cut off are refused"
);

/// Until when a request may wait for Keystone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(pub(super) Instant);

impl Deadline {
    /// That of a request which begins now.
    fn from_now() -> Self {
        Self(Instant::now() + LONGEST_WAIT)
    }
}

impl<S: Sync> FromRequestParts<S> for Deadline {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_else(Self::from_now))
    }
}

/// By how many bytes there is room for more of a body.
const STEP: usize = 1024;

/// How much more of a body that is too long, or one too many, is received and thrown away: who is still sending does not
/// read the answer, and finds the connection broken instead.
const THROWN_AWAY: usize = 1 << 20;

/// How long that may take.
const THROWING_AWAY: Duration = Duration::from_secs(2);

/// A request whose body has been read, and what it holds until it is answered.
pub(super) struct Brought {
    pub(super) request: Request,
    pub(super) place: Option<Place>,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    TooLong,
    TooMany,
    TooSlow,
    Broken,
}

/// The request with its body read, or the answer to one whose body is not read: 413 where it is too long, 408 where it
/// does not come in time, 503 where too many are held. What the request may take is counted from here.
pub(super) async fn with_body(
    services: &Services,
    mut request: Request,
    audience: &Audience,
) -> Result<Brought, Response> {
    request.extensions_mut().insert(Deadline::from_now());
    if request.body().is_end_stream() {
        return Ok(Brought { request, place: None });
    }
    let client = ClientAddress::of_extensions(request.extensions());
    let counted = (!services.trusted_proxies.contain(client.0)).then(|| client.network());
    let (parts, mut body) = request.into_parts();
    let reading = async {
        let place = services.bodies.place(counted).ok_or(Unread::TooMany)?;
        let read = tokio::time::timeout(services.client_timeout, read(&mut body)).await;
        read.unwrap_or(Err(Unread::TooSlow)).map(|bytes| (bytes, place))
    };
    let refused = match reading.await {
        Ok((bytes, place)) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            return Ok(Brought { request, place: Some(place) });
        }
        Err(refused) => refused,
    };
    // Who expects a sign before sending the body does not send it now.
    if matches!(refused, Unread::TooLong | Unread::TooMany) && !parts.headers.contains_key(EXPECT) {
        let _ = tokio::time::timeout(THROWING_AWAY, throw_away(body)).await;
    }
    let (status, outcome, phrase) = match refused {
        Unread::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "too-long", "too-long"),
        Unread::TooMany => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "overloaded"),
        Unread::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "too-slow"),
        Unread::Broken => (StatusCode::BAD_REQUEST, "bad-body", "bad-body"),
    };
    let notice = Notice { status, outcome, phrase: phrase.into(), next: NextStep::Nothing };
    let mut response = notice.answer(audience, services);
    if parts.version < Version::HTTP_2 {
        // The rest of the body would be taken for the next request.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Err(response)
}

/// Gives an answer in time: 503 where there is none. A change of a password that is under way goes on.
pub(super) async fn within_time(
    services: &Services,
    audience: &Audience,
    answering: impl Future<Output = Response>,
) -> Response {
    within(LONGEST_REQUEST, services, audience, answering).await
}

async fn within(
    time: Duration,
    services: &Services,
    audience: &Audience,
    answering: impl Future<Output = Response>,
) -> Response {
    if let Ok(response) = tokio::time::timeout(time, answering).await {
        return response;
    }
    tracing::warn!(seconds = time.as_secs(), "a request took too long and was given up");
    Notice {
        status: StatusCode::SERVICE_UNAVAILABLE,
        outcome: "unavailable",
        phrase: "unavailable".into(),
        next: NextStep::TryAgain,
    }
    .answer(audience, services)
}

async fn read(body: &mut Body) -> Result<Bytes, Unread> {
    let announced = body.size_hint().lower();
    if announced > LONGEST_BODY as u64 {
        return Err(Unread::TooLong);
    }
    let mut chunks = std::mem::take(body).into_data_stream();
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        if bytes.len() + chunk.len() > LONGEST_BODY {
            *body = Body::from_stream(chunks);
            return Err(Unread::TooLong);
        }
        if bytes.capacity() - bytes.len() < chunk.len() {
            // Not twice as much as before: no body is to hold more than it may have.
            bytes.reserve_exact(chunk.len().max(STEP).min(LONGEST_BODY - bytes.len()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn throw_away(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut thrown = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        thrown += chunk.len();
        if thrown > THROWN_AWAY {
            break;
        }
    }
}

#[cfg(test)]
mod tests;

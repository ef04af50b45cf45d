//! What every request goes through, whatever it is for.
//!
//! Written out in two functions rather than stacked up as a dozen layers: the order can be read, and a layer
//! costs each request more than most of these steps.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;

use super::Services;
use super::access_log::Line;
use super::audience::Audience;
use super::{client_address, limits, origin};

/// What every response says, unless it says otherwise itself.
const RESPONSE_HEADERS: [(HeaderName, HeaderValue); 7] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // What the policy says of frames, for browsers that do not know it.
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Gives every answer, whoever makes it, the headers that forbid what the pages do not need, and writes the access log.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let line = Line::begin(&request);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.reserve(RESPONSE_HEADERS.len());
    for (name, value) in RESPONSE_HEADERS {
        headers.entry(name).or_insert(value);
    }
    line.end(&response);
    response
}

/// Finds out who asks, and lets a request through to its operation where it comes from where it may come from, and with
/// no more than it may bring.
pub(super) async fn admit(
    State(services): State<Arc<Services>>,
    mut request: Request,
    next: Next,
) -> Response {
    client_address::note(&services, &mut request);
    let audience = Audience::note(&mut request);
    let answering = async {
        if let Some(refusal) = origin::refusal(&services, &request, audience) {
            return refusal;
        }
        match limits::with_body(&services, request, audience).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => refusal,
        }
    };
    limits::within_time(&services, audience, answering).await
}

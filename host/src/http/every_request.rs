//! What every request goes through, whatever it is for.
//!
//! Written out in two functions around the operations rather than stacked up as layers: the order can be read, and a
//! layer costs each request more than most of these steps.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::Response;
use tower::Service as _;

use super::Services;
use super::access_log::Line;
use super::audience::Audience;
use super::limits::Brought;
use super::{client_address, limits, origin};
use crate::server::Respond;

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

/// Operations, with what every request goes through before and after them.
#[derive(Clone)]
pub struct Answers {
    operations: Router,
    /// What tells whom to let through; none where everybody may ask for everything.
    services: Option<Arc<Services>>,
}

impl Answers {
    /// Answers with operations that are for everybody.
    pub(super) fn open(operations: Router) -> Self {
        Self { operations, services: None }
    }

    /// Answers with operations of setpass.
    pub(super) fn of_setpass(operations: Router, services: Arc<Services>) -> Self {
        Self { operations, services: Some(services) }
    }

    /// Finds out who asks, and lets a request through to its operation where it comes from where it may come from, and
    /// with no more than it may bring.
    async fn admit(&self, services: &Services, mut request: Request) -> Response {
        client_address::note(services, &mut request);
        let audience = Audience::note(&mut request);
        let answering = async {
            if let Some(refusal) = origin::refusal(services, &request, &audience) {
                return refusal;
            }
            match limits::with_body(services, request, &audience).await {
                Ok(Brought { request, place }) => {
                    let response = self.operate(request).await;
                    drop(place);
                    response
                }
                Err(refusal) => refusal,
            }
        };
        limits::within_time(services, &audience, answering).await
    }

    async fn operate(&self, request: Request) -> Response {
        let Ok(response) = self.operations.clone().call(request).await;
        response
    }
}

impl Respond for Answers {
    /// Gives every answer, whoever makes it, the headers that forbid what the pages do not need, and writes the access log.
    async fn respond(&self, request: Request) -> Response {
        let line = Line::begin(&request);
        let mut response = match &self.services {
            Some(services) => self.admit(services, request).await,
            None => self.operate(request).await,
        };
        let headers = response.headers_mut();
        headers.reserve(RESPONSE_HEADERS.len());
        for (name, value) in RESPONSE_HEADERS {
            headers.entry(name).or_insert(value);
        }
        line.end(&response);
        response
    }
}

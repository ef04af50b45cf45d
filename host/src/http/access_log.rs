//! The access log: method, path, status and time, and never the query, which holds tokens. Probes, which come every
//! few seconds, are told only where somebody wants to know more.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::health::is_probe;

/// Writes one line for each request.
pub(super) async fn record(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if is_probe(&path) {
        tracing::debug!(%method, path, status, milliseconds, "request");
    } else {
        tracing::info!(%method, path, status, milliseconds, "request");
    }
    response
}

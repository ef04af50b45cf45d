//! The access log: method, path, status and time, and never the query, which holds tokens. Probes, which come every
//! few seconds, are told only where somebody wants to know more.

use std::time::Instant;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::health::is_probe;

/// What the log knows the lines by.
pub const ACCESS_LOG: &str = module_path!();

/// The line for one request.
pub(super) struct Line {
    begun: Instant,
    method: Method,
    path: String,
}

impl Line {
    /// What is told of a request that has come.
    pub(super) fn begin(request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        Self { begun: Instant::now(), method: request.method().clone(), path }
    }

    /// Writes the line, with what was answered.
    pub(super) fn end(self, response: &Response) {
        let Self { begun, method, path } = self;
        let status = response.status().as_u16();
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if is_probe(&path) {
            tracing::debug!(%method, path, status, milliseconds, "request");
        } else {
            tracing::info!(%method, path, status, milliseconds, "request");
        }
    }
}

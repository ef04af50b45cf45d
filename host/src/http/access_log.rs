//! The access log: method, path, status and time, and never the query, which holds tokens. Probes, which come every
//! few seconds, are told only where somebody wants to know more.

use std::time::Instant;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::health::is_probe;

/// What the log knows the lines by.
pub const ACCESS_LOG: &str = module_path!();

/// The status that is told of a request whose client did not wait for the answer, as web servers write it; nobody is sent it.
const HUNG_UP: u16 = 499;

/// The line for one request, written when the answer is known, or nobody waits for one any more.
pub(super) struct Line {
    begun: Instant,
    method: Method,
    path: String,
    status: u16,
}

impl Line {
    /// What is told of a request that has come.
    pub(super) fn begin(request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        Self { begun: Instant::now(), method: request.method().clone(), path, status: HUNG_UP }
    }

    /// Writes the line, with what was answered.
    pub(super) fn end(mut self, response: &Response) {
        self.status = response.status().as_u16();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { begun, method, path, status } = self;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if is_probe(path) {
            tracing::debug!(%method, path, status, milliseconds, "request");
        } else {
            tracing::info!(%method, path, status, milliseconds, "request");
        }
    }
}

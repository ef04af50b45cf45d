//! Calls to a service that is none of the cloud's, and takes Keystone's tokens all the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Keystone;
use super::error::KeystoneError;
use super::http::{Answer, Http, Request};
use super::limit::CallLimit;
use super::session::Session;
use crate::clock::Clock;

/// How many such calls are made at the same time at most.
const CONCURRENCY: usize = 4;

/// Makes calls with Usher's token, by a client that trusts other authorities than the one for the cloud does.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    session: Arc<Session>,
    http: Arc<Http>,
}

impl Keystone {
    /// Somebody who carries this session's token to another service.
    pub(crate) fn bearer(
        &self,
        ca_file: Option<&PathBuf>,
        timeout: Duration,
        retries: u32,
        clock: Clock,
    ) -> Result<Bearer, KeystoneError> {
        let limit = CallLimit::new(CONCURRENCY);
        let http = Arc::new(Http::new(ca_file.into_iter(), timeout, retries, limit, clock)?);
        Ok(Bearer { session: Arc::clone(&self.session), http })
    }
}

impl Bearer {
    /// Makes a call with the token; once more with a new one where the token is refused.
    pub(crate) async fn call(&self, request: Request) -> Result<Answer, KeystoneError> {
        self.session.call_by(&self.http, request).await
    }

    /// Makes a call without a token.
    pub(crate) async fn call_without_token(&self, request: &Request) -> Result<Answer, KeystoneError> {
        self.http.send(request, None).await
    }
}

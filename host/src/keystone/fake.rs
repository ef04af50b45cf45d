//! A server for tests of what a real Keystone cannot be made to do at will: failing, stalling,
//! answering by other rules. What Keystone does by itself is tested against Keystone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Keystone;
use crate::clock::Clock;
use crate::settings;

type Calls = Arc<Mutex<BTreeMap<String, usize>>>;

/// A server on a port of its own, for as long as this lives.
pub(crate) struct Fake {
    address: SocketAddr,
    calls: Calls,
    server: JoinHandle<()>,
    /// Holds the password's file.
    folder: tempfile::TempDir,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(crate) async fn start(routes: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Calls::default();
        let counter = Arc::clone(&calls);
        let counted = routes.layer(middleware::from_fn(move |request: Request, next: Next| {
            let call = format!("{} {}", request.method(), request.uri().path());
            *counter.lock().unwrap().entry(call).or_default() += 1;
            next.run(request)
        }));
        let server = tokio::spawn(async move { axum::serve(listener, counted).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "sesame\n").unwrap();
        Self { address, calls, server, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often a call such as `GET /v3/users` was made.
    pub(crate) fn calls(&self, call: &str) -> usize {
        self.calls.lock().unwrap().get(call).copied().unwrap_or_default()
    }

    /// How many calls were made altogether.
    pub(crate) fn all_calls(&self) -> usize {
        self.calls.lock().unwrap().values().sum()
    }

    /// A client that makes no call twice.
    pub(crate) fn keystone(&self) -> Keystone {
        self.keystone_with("retries = 0", Clock::system())
    }

    pub(crate) fn keystone_with(&self, more: &str, clock: Clock) -> Keystone {
        let text = format!(
            "{more}\n[auth]\nmethod = \"password\"\nurl = \"{}\"\nusername = \"usher\"\nproject = \"admin\"\n\
             password = {{ file = \"{}\" }}\n",
            self.url(),
            self.folder.path().join("password").display(),
        );
        let settings: settings::keystone::Keystone = toml::from_str(&text).unwrap();
        Keystone::new(&settings, clock).unwrap()
    }
}

/// The body that comes with a token of an hour's life.
pub(crate) fn token_body(catalog: &Value) -> Value {
    json!({ "token": {
        "issued_at": "2026-11-22T01:00:00.000000Z",
        "expires_at": "2026-11-22T02:00:00.000000Z",
        "user": { "id": "u0", "name": "usher", "domain": { "id": "default", "name": "Default" } },
        "project": { "id": "p0", "name": "admin", "domain": { "id": "default", "name": "Default" } },
        "roles": [{ "id": "r0", "name": "admin" }],
        "catalog": catalog,
    } })
}

/// Routes of a server that gives everybody a token.
pub(crate) fn with_token() -> Router {
    with_catalog(json!([]))
}

/// The same with services in the catalog.
pub(crate) fn with_catalog(catalog: Value) -> Router {
    Router::new().route(
        "/v3/auth/tokens",
        post(async move || {
            (StatusCode::CREATED, [("X-Subject-Token", "token-1")], Json(token_body(&catalog)))
        }),
    )
}

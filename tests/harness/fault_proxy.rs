//! A reverse proxy between Usher and the cloud: it keeps a log of all calls, answers later than the services do
//! where a test wants that, and makes the calls go wrong that a test names.
//!
//! Usher is told only where Keystone is, and finds the other services in the catalog of Keystone's answers. There
//! the proxy puts itself in their place: `/identity`, `/compute`, `/network` and so on are below its own URL.

mod faults;
mod upstream;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use self::faults::{Call, Fault, Trouble};

use self::faults::Book;
use self::upstream::{Exchange, Upstream};
use crate::cloud::Cloud;

/// A running proxy. Stopped on drop.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// None only while the proxy is being dropped.
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    book: Book,
    upstream: Upstream,
    /// In microseconds.
    latency: AtomicU64,
    /// The passwords and tokens that passed.
    secrets: Mutex<BTreeSet<String>>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the connection was to be cut")]
    Wanted,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl FaultProxy {
    /// Starts a proxy for a cloud on a port that the system chooses.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(cloud: &Cloud) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let upstream = Upstream::new(&format!("http://{address}"), &cloud.keystone_url()?)?;
        let shared = Arc::new(Shared {
            book: Book::default(),
            upstream,
            latency: AtomicU64::new(0),
            secrets: Mutex::default(),
        });
        runtime.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, runtime: Some(runtime) })
    }

    /// Where Keystone seems to be, with `/v3`.
    #[must_use]
    pub fn keystone_url(&self) -> String {
        format!("http://{}/{}/v3", self.address, upstream::IDENTITY)
    }

    /// Writes a cloud's `clouds.yaml` with this proxy in Keystone's place.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn write_clouds_yaml(&self, cloud: &Cloud, file: &Path) -> Result<()> {
        let text = fs::read_to_string(cloud.clouds_yaml())?;
        let url = cloud.keystone_url()?;
        ensure!(text.matches(&url).count() == 1, "clouds.yaml does not hold {url} exactly once");
        fs::write(file, text.replace(&url, &self.keystone_url()))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// From now on each answer comes that much later.
    pub fn answer_later(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.shared.latency.store(by, Ordering::Relaxed);
    }

    /// What is to go wrong; calls are counted from [`FaultProxy::calm`].
    pub fn fault(&self, fault: Fault) {
        self.shared.book.order(fault);
    }

    /// Calls beyond that many at a time are refused: too many requests.
    pub fn take_at_most(&self, calls: usize) {
        self.shared.book.limit(calls);
    }

    /// The catalog has no services of this type from now on, for those who log in from now on.
    pub fn hide_service(&self, kind: &str) {
        self.shared.upstream.hide(kind);
    }

    /// Nothing is to go wrong any more, and the log begins anew.
    pub fn calm(&self) {
        self.shared.book.clear();
    }

    /// The passwords and tokens that have passed in calls so far.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<String> {
        self.shared.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls so far, in the order in which they came.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.book.calls()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Accepting fails only in passing, for want of file descriptors or memory.
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // An answer must not wait for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // The error is one that was wanted, or a client that went away.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    shared.secrets.lock().unwrap_or_else(PoisonError::into_inner).extend(secrets(&head, &body));
    let began = Instant::now();
    let (call, trouble) = shared.book.begin(&head.method, head.uri.path());
    let end = |status: StatusCode| call.answered(status, began.elapsed());
    match trouble {
        Some(Trouble::CutBefore) => return Err(Cut::Wanted),
        Some(Trouble::Unavailable) => {
            end(StatusCode::SERVICE_UNAVAILABLE);
            return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, None));
        }
        Some(Trouble::Refused) => {
            end(StatusCode::BAD_REQUEST);
            return Ok(refusal(StatusCode::BAD_REQUEST, None));
        }
        Some(Trouble::TooMany) => {
            end(StatusCode::TOO_MANY_REQUESTS);
            return Ok(refusal(StatusCode::TOO_MANY_REQUESTS, Some("1")));
        }
        Some(Trouble::Forbidden) => {
            end(StatusCode::FORBIDDEN);
            return Ok(refusal(StatusCode::FORBIDDEN, None));
        }
        Some(Trouble::CutAfter | Trouble::SilentAfter) | None => {}
    }
    let Exchange { status, headers, body } = shared.upstream.exchange(&head, body).await;
    match trouble {
        Some(Trouble::CutAfter) => return Err(Cut::Wanted),
        // The client ends the connection when it has waited long enough, and this future with it.
        Some(Trouble::SilentAfter) => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
        _ => {}
    }
    let latency = shared.latency.load(Ordering::Relaxed);
    if latency > 0 {
        tokio::time::sleep(Duration::from_micros(latency)).await;
    }
    end(status);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// What a call holds that nobody else may know.
fn secrets(head: &Parts, body: &[u8]) -> Vec<String> {
    let token = head.headers.get("x-auth-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let login = &body["auth"]["identity"]["password"]["user"]["password"];
    let passwords = [&body["user"]["password"], &body["user"]["original_password"], login];
    let passwords = passwords.into_iter().filter_map(Value::as_str).map(str::to_owned);
    passwords.chain(token).collect()
}

/// The answer of a service that cannot do it, or not now.
fn refusal(status: StatusCode, retry_after: Option<&'static str>) -> Response<Full<Bytes>> {
    let words = serde_json::json!({ "error": { "code": status.as_u16(), "message": "a test wants it so" }});
    let mut response = Response::new(Full::new(Bytes::from(words.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    if let Some(seconds) = retry_after {
        headers.insert(hyper::header::RETRY_AFTER, hyper::header::HeaderValue::from_static(seconds));
    }
    response
}

//! Where the services really are, and where Usher is to think that they are.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

/// Below this name Keystone is.
pub(super) const IDENTITY: &str = "identity";

/// What belongs to one connection, and is not passed on to the other one.
const OF_THE_CONNECTION: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// A connection is not used again after it has been idle for this long, so that it is not one that the service is
/// just giving up: the test cloud's services do so after 75 s.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    /// The proxy's own URL.
    own: String,
    services: RwLock<Vec<Service>>,
    /// The types of services that the catalog seems not to have.
    hidden: RwLock<Vec<String>>,
}

#[derive(Debug)]
struct Service {
    /// The first segment of the path below the proxy's URL.
    name: String,
    /// Scheme, host and port.
    origin: String,
}

/// What a service answered.
pub(super) struct Exchange {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Upstream {
    pub(super) fn new(own: &str, keystone: &str) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let origin = origin(keystone).with_context(|| format!("{keystone} is no URL"))?;
        let keystone = Service { name: IDENTITY.to_owned(), origin };
        Ok(Self {
            client,
            own: own.to_owned(),
            services: RwLock::new(vec![keystone]),
            hidden: RwLock::default(),
        })
    }

    /// From now on the catalog seems not to have services of this type.
    pub(super) fn hide(&self, kind: &str) {
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).push(kind.to_owned());
    }

    /// Passes a call on. Where the service gives no answer, the answer is 502.
    pub(super) async fn exchange(&self, head: &Parts, body: Bytes) -> Exchange {
        match self.try_exchange(head, body).await {
            Ok(exchange) => exchange,
            Err(error) => {
                let headers = HeaderMap::new();
                Exchange { status: StatusCode::BAD_GATEWAY, headers, body: Bytes::from(error.to_string()) }
            }
        }
    }

    async fn try_exchange(&self, head: &Parts, body: Bytes) -> Result<Exchange> {
        let path_and_query = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let below = path_and_query.strip_prefix('/').context("the path begins with a stroke")?;
        let name_ends = below.find(['/', '?']).unwrap_or(below.len());
        let (name, rest) = below.split_at(name_ends);
        let origin = self.origin(name).with_context(|| format!("no service is called {name}"))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = format!("{origin}{rest}").parse()?;
        *request.headers_mut() = without_the_connection(head.headers.clone());
        let (head, body) = self.client.request(request).await?.into_parts();
        let headers = without_the_connection(head.headers);
        let mut body = body.collect().await?.to_bytes();
        let is_json =
            headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if name == IDENTITY && is_json {
            body = self.in_our_terms(body);
        }
        Ok(Exchange { status: head.status, headers, body })
    }

    /// An answer of Keystone in which this proxy is in the place of all services.
    fn in_our_terms(&self, body: Bytes) -> Bytes {
        let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else { return body };
        for service in answer["token"]["catalog"].as_array().into_iter().flatten() {
            let endpoints = service["endpoints"].as_array().into_iter().flatten();
            for url in endpoints.filter_map(|endpoint| endpoint["url"].as_str()) {
                self.learn(service["type"].as_str().unwrap_or("unnamed"), url);
            }
        }
        if let Some(services) = answer["token"]["catalog"].as_array_mut() {
            let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
            services.retain(|service| !hidden.iter().any(|kind| service["type"] == **kind));
        }
        self.replace(&mut answer);
        Bytes::from(answer.to_string())
    }

    fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.starts_with("http") => {
                let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
                let found = services.iter().find(|service| origin(text).as_ref() == Some(&service.origin));
                if let Some(Service { name, origin }) = found {
                    *text = format!("{}/{name}{}", self.own, &text[origin.len()..]);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.replace(value)),
            _ => {}
        }
    }

    fn learn(&self, name: &str, url: &str) {
        let Some(origin) = origin(url) else { return };
        let mut services = self.services.write().unwrap_or_else(PoisonError::into_inner);
        if !services.iter().any(|service| service.origin == origin) {
            services.push(Service { name: name.to_owned(), origin });
        }
    }

    fn origin(&self, name: &str) -> Option<String> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        services.iter().find(|service| service.name == name).map(|service| service.origin.clone())
    }
}

fn without_the_connection(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

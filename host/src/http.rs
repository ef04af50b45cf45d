//! The HTTP side of setpass: the protocol that older clients speak, and the pages.
//!
//! Each operation has a file of its own with its handler, the answers to its errors, and its tests.
//! Knows nothing of how links and PINs are kept; that is `setpass`.

mod access_log;
mod answer;
mod asset;
mod assets;
mod audience;
mod client_address;
mod fields;
mod health;
mod language;
mod limits;
mod openapi;
mod origin;
mod pages;
mod put_token;
mod request_reset;
mod set_password;
mod view_form;
mod view_reset;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::routing::{get, put};
use axum::{Router, middleware};
use tower_http::set_header::SetResponseHeaderLayer;
use url::Url;

use crate::keystone::Keystone;
use crate::readiness::Readiness;
use crate::setpass::Setpass;
use crate::settings::setpass::proxies::{ForwardedHeader, TrustedProxies};

pub use client_address::ClientAddress;
pub use pages::{Look, LookError};

/// What the handlers work with. Clones share everything.
#[derive(Clone)]
pub struct Services {
    /// Links and PINs.
    pub setpass: Setpass,
    /// Sets passwords, and says who may register users.
    pub keystone: Keystone,
    /// How the pages look.
    pub look: Arc<Look>,
    /// Where browsers reach the pages.
    pub public_url: Url,
    /// The proxies whose word counts about where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// The header in which they write it.
    pub forwarded_header: ForwardedHeader,
    /// How long a client may take to send a body.
    pub client_timeout: Duration,
    /// Says whether a user could set a password now.
    pub readiness: Readiness,
}

impl FromRef<Services> for Readiness {
    fn from_ref(services: &Services) -> Self {
        services.readiness.clone()
    }
}

/// Every operation.
pub fn router(services: Services) -> Router {
    let router = Router::new()
        .route("/", get(view_form::view_form).post(set_password::set_password))
        .route("/token/{user_id}", put(put_token::put_token))
        .route("/reset", get(view_reset::view_reset).post(request_reset::request_reset))
        .route("/static/usher.css", get(assets::style_sheet))
        .route("/static/site.css", get(assets::site_style_sheet))
        .route("/static/usher.js", get(assets::script))
        .route("/static/zxcvbn-ts/core.js", get(assets::estimator))
        .route("/static/zxcvbn-ts/common.js", get(assets::common_passwords))
        .route("/static/zxcvbn-ts/LICENSE.txt", get(assets::estimator_licence))
        .route("/static/icon.svg", get(assets::icon))
        .route("/static/logo", get(assets::logo))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi::openapi))
        .fallback(answer::no_such_page)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(middleware::from_fn_with_state(services.clone(), limits::read_body))
        .layer(middleware::from_fn_with_state(services.clone(), limits::within_time))
        .layer(middleware::from_fn_with_state(services.clone(), origin::refuse_other_sites));
    guarded(router)
        .layer(middleware::from_fn_with_state(services.clone(), client_address::find))
        .layer(middleware::from_fn(access_log::record))
        .with_state(services)
}

/// What a machine answers whose users go to the setpass of another one.
pub fn without_setpass(readiness: Readiness) -> Router {
    let elsewhere = async || (StatusCode::NOT_FOUND, "setpass is not on this machine\n");
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(elsewhere);
    guarded(router).layer(middleware::from_fn(access_log::record)).with_state(readiness)
}

/// A router whose every answer has [`RESPONSE_HEADERS`], whoever makes it.
fn guarded<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    RESPONSE_HEADERS.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    })
}

/// What every response says, unless it says otherwise itself.
const RESPONSE_HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    // Where a page is and never its query, which holds the token. No referrer at all would have older browsers say that
    // our own forms come from nowhere; those that do not know the second word keep to the first.
    (REFERRER_POLICY, "no-referrer, strict-origin"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // What the policy says of frames, for browsers that do not know it.
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[cfg(test)]
mod tests;

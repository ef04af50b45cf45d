//! The HTTP side of setpass: the protocol that older clients speak, and the pages.
//!
//! Each operation has a file of its own with its handler, the answers to its errors, and its tests.
//! Knows nothing of how links and PINs are kept; that is `setpass`.

mod access_log;
mod answer;
mod asset;
mod assets;
mod audience;
mod bodies;
mod client_address;
mod every_request;
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

use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::routing::{get, put};
use url::Url;

use crate::keystone::Keystone;
use crate::readiness::Readiness;
use crate::setpass::Setpass;
use crate::settings::setpass::proxies::{ForwardedHeader, TrustedProxies};

pub use access_log::ACCESS_LOG;
pub use client_address::ClientAddress;
pub use every_request::Answers;
pub use limits::Bodies;
pub use pages::{Look, LookError};

/// What the handlers work with.
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
    /// The bodies that are held at a time.
    pub bodies: Bodies,
    /// Says whether a user could set a password now.
    pub readiness: Readiness,
}

impl FromRef<Arc<Services>> for Readiness {
    fn from_ref(services: &Arc<Services>) -> Self {
        services.readiness.clone()
    }
}

/// Everything that setpass answers.
pub fn answers(services: Services) -> Answers {
    // Handlers and steps get the services themselves and not a copy of them, which is made of dozens.
    let services = Arc::new(services);
    let operations = Router::new()
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
        .with_state(Arc::clone(&services));
    Answers::of_setpass(operations, services)
}

/// What a machine answers whose users go to the setpass of another one.
pub fn without_setpass(readiness: Readiness) -> Answers {
    let elsewhere = async || (StatusCode::NOT_FOUND, "setpass is not on this machine\n");
    let operations = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(elsewhere)
        .with_state(readiness);
    Answers::open(operations)
}

#[cfg(test)]
mod tests;

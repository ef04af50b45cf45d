//! What pages load, and the sign that the server is alive.
//!
//! Everything here is public and the same for everybody, so that browsers may keep it a while.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::Services;
use super::answer::no_such_page;
use super::audience::Audience;

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The style sheet of all pages.
pub(super) async fn style_sheet() -> Response {
    public(STYLE, include_str!("../../static/usher.css"))
}

/// The site's colours.
pub(super) async fn site_style_sheet(State(services): State<Services>) -> Response {
    public(STYLE, services.look.style.clone())
}

/// What forms can do besides where scripts run.
pub(super) async fn script() -> Response {
    public(SCRIPT, include_str!("../../static/usher.js"))
}

/// Tells how easily a password is guessed. Runs in the browser alone: an estimate by the server would need the
/// password sent before its user decides to.
pub(super) async fn estimator() -> Response {
    public(SCRIPT, include_str!("../../static/zxcvbn-ts/core.js"))
}

/// The passwords that are guessed first.
pub(super) async fn common_passwords() -> Response {
    public(SCRIPT, include_str!("../../static/zxcvbn-ts/common.js"))
}

/// The licence of both, which wants to be where they are.
pub(super) async fn estimator_licence() -> Response {
    public("text/plain; charset=utf-8", include_str!("../../static/zxcvbn-ts/LICENSE.txt"))
}

/// What browsers show of a site that has no logo.
pub(super) async fn icon() -> Response {
    public("image/svg+xml", include_str!("../../static/icon.svg"))
}

/// The site's logo, where there is one.
pub(super) async fn logo(State(services): State<Services>, audience: Audience) -> Response {
    match &services.look.logo {
        Some(logo) => public(logo.kind, logo.bytes.clone()),
        None => no_such_page(State(services), audience).await,
    }
}

fn public(kind: &'static str, content: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=3600")], content).into_response()
}

/// Says that the server answers.
///
/// Whatever the services that it uses are doing.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "programs",
    responses((status = 200, description = "It does", body = str, content_type = "text/plain", example = "ok"))
)]
pub(super) async fn health() -> &'static str {
    "ok"
}

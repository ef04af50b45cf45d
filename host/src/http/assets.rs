//! What pages load.

use std::sync::Arc;
use std::sync::LazyLock;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Services;
use super::answer::no_such_page;
use super::asset::Asset;
use super::audience::Audience;

/// The media type of style sheets.
pub(super) const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

static STYLE_SHEET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(STYLE, include_str!("../../static/usher.css")));
static PAGE_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(SCRIPT, include_str!("../../static/usher.js")));
static ESTIMATOR: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(SCRIPT, include_str!("../../static/zxcvbn-ts/core.js")));
static COMMON_PASSWORDS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(SCRIPT, include_str!("../../static/zxcvbn-ts/common.js")));
static ESTIMATOR_LICENCE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("text/plain; charset=utf-8", include_str!("../../static/zxcvbn-ts/LICENSE.txt"))
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("image/svg+xml", include_str!("../../static/icon.svg")));

/// The style sheet of all pages.
pub(super) async fn style_sheet(headers: HeaderMap) -> Response {
    STYLE_SHEET.answer(&headers)
}

/// The site's colours.
pub(super) async fn site_style_sheet(State(services): State<Arc<Services>>, headers: HeaderMap) -> Response {
    services.look.style.answer(&headers)
}

/// What forms can do besides where scripts run.
pub(super) async fn script(headers: HeaderMap) -> Response {
    PAGE_SCRIPT.answer(&headers)
}

/// Tells how easily a password is guessed. Runs in the browser alone: an estimate by the server would need the
/// password sent before its user decides to.
pub(super) async fn estimator(headers: HeaderMap) -> Response {
    ESTIMATOR.answer(&headers)
}

/// The passwords that are guessed first.
pub(super) async fn common_passwords(headers: HeaderMap) -> Response {
    COMMON_PASSWORDS.answer(&headers)
}

/// The licence of both, which wants to be where they are.
pub(super) async fn estimator_licence(headers: HeaderMap) -> Response {
    ESTIMATOR_LICENCE.answer(&headers)
}

/// What browsers show of a site that has no logo.
pub(super) async fn icon(headers: HeaderMap) -> Response {
    ICON.answer(&headers)
}

/// The site's logo, where there is one.
pub(super) async fn logo(
    State(services): State<Arc<Services>>,
    audience: Audience,
    headers: HeaderMap,
) -> Response {
    match &services.look.logo {
        Some(logo) => logo.answer(&headers),
        None => no_such_page(State(services), audience).await,
    }
}

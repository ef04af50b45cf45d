//! What does not depend on anything: the style sheet, and the sign that the server is alive.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;

/// The style sheet of all pages. Holds nothing private, so that browsers may keep it a while.
pub(super) async fn style_sheet() -> impl IntoResponse {
    const HEADERS: [(axum::http::HeaderName, &str); 2] =
        [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (HEADERS, include_str!("../../templates/usher.css"))
}

/// Says that the server answers, whatever the services that it uses are doing.
pub(super) async fn health() -> &'static str {
    "ok"
}

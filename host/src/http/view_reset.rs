//! `GET /reset`: the form to ask the helpdesk for another link.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Services;
use super::answer::page;
use super::pages::{Frame, ResetPage};

/// Shows the form.
pub(super) async fn view_reset(State(services): State<Services>) -> Response {
    page(StatusCode::OK, &ResetPage { frame: Frame::of(&services), problem: None, name: "", email: "" })
}

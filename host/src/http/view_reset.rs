//! `GET /reset`: the form to ask for another link.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Services;
use super::answer::{NextStep, Notice, Told, page};
use super::audience::{Accepts, Audience};
use super::fields::TellAgain;
use super::openapi::Everywhere;
use super::pages::{Frame, ResetPage};
use super::request_reset::received;
use crate::settings::setpass::reset::ResetMode;

/// Shows the form to ask for another link.
#[utoipa::path(
    get,
    path = "/reset",
    operation_id = "viewReset",
    tag = "pages",
    responses(
        (status = 200, description = "The form", body = Told),
        (status = 404, description = "Nobody answers such requests here", body = Told),
        Everywhere,
    )
)]
pub(super) async fn view_reset(
    State(services): State<Arc<Services>>,
    audience: Audience,
    TellAgain(tell_again): TellAgain,
) -> Response {
    if services.setpass.reset_mode() == ResetMode::Off {
        return off().answer(&audience, &services);
    }
    if tell_again {
        return received(&services).answer(&audience, &services);
    }
    if audience.accepts != Accepts::Page {
        let (outcome, phrase) = ("form", "reset-for-programs".into());
        return Notice { status: StatusCode::OK, outcome, phrase, next: NextStep::Nothing }
            .answer(&audience, &services);
    }
    let frame = Frame::of(&services.look, &audience);
    let setpass = &services.setpass;
    page(StatusCode::OK, &audience, &ResetPage { frame, setpass, problem: None, name: "", email: "" })
}

/// What is said where nobody can ask here for a link.
pub(super) fn off() -> Notice {
    let (outcome, phrase) = ("reset-off", "reset-off".into());
    Notice { status: StatusCode::NOT_FOUND, outcome, phrase, next: NextStep::Nothing }
}

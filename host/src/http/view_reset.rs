//! `GET /reset`: the form to ask the helpdesk for another link.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Services;
use super::answer::{NextStep, Notice, page};
use super::audience::{Accepts, Audience};
use super::pages::{Frame, ResetPage};

/// Shows the form.
pub(super) async fn view_reset(State(services): State<Services>, audience: Audience) -> Response {
    if audience.accepts == Accepts::Plain {
        let (outcome, phrase) = ("form", "reset-for-programs".into());
        return Notice { status: StatusCode::OK, outcome, phrase, next: NextStep::Nothing }
            .answer(audience, &services);
    }
    let frame = Frame::of(&services, audience).in_all_languages(None);
    page(StatusCode::OK, audience, &ResetPage { frame, problem: None, name: "", email: "" })
}

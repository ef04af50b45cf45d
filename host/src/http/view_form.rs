//! `GET /?token=`: the form for a new password.
//!
//! Looks nothing up and counts nothing: mail scanners open links before people do.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::ExposeSecret;

use super::Services;
use super::answer::{NextStep, Notice, page};
use super::audience::{Accepts, Audience};
use super::fields::TokenQuery;
use super::pages::{Frame, SetPasswordPage};

/// Shows the form to whoever brings a token; 404 without one.
pub(super) async fn view_form(
    State(services): State<Services>,
    audience: Audience,
    Query(query): Query<TokenQuery>,
) -> Response {
    let Some(token) = query.token() else {
        return no_token(StatusCode::NOT_FOUND).answer(audience, &services);
    };
    if audience.accepts == Accepts::Plain {
        let (outcome, phrase) = ("form", "form-for-programs".into());
        return Notice { status: StatusCode::OK, outcome, phrase, next: NextStep::Nothing }
            .answer(audience, &services);
    }
    let frame = Frame::of(&services, audience).in_all_languages(Some(token.expose_secret()));
    page(StatusCode::OK, audience, &SetPasswordPage { frame, problem: None })
}

/// What is said to those who come without a token.
pub(super) fn no_token(status: StatusCode) -> Notice {
    Notice { status, outcome: "no-token", phrase: "no-token".into(), next: NextStep::AskForLink }
}

//! `GET /?token=`: the form for a new password.
//!
//! Looks nothing up and counts nothing: mail scanners open links before people do.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::ExposeSecret;

use super::Services;
use super::answer::{NextStep, Notice, Told, finished_page};
use super::audience::{Accepts, Audience};
use super::fields::{TellAgain, TokenQuery};
use super::openapi::Everywhere;

/// Shows the form to whoever brings a token; 404 without one.
///
/// The token is not looked up, nothing is counted and nothing is used up. Those who take no pages are told what the
/// form would send.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "viewForm",
    tag = "pages",
    params(TokenQuery),
    responses(
        (status = 200, description = "The form", body = Told),
        (status = 404, description = "There is no token", body = Told),
        Everywhere,
    )
)]
pub(super) async fn view_form(
    State(services): State<Arc<Services>>,
    audience: Audience,
    query: TokenQuery,
    TellAgain(tell_again): TellAgain,
) -> Response {
    let Some(token) = query.token() else {
        if tell_again {
            return password_set().answer(&audience, &services);
        }
        return no_token(StatusCode::NOT_FOUND).answer(&audience, &services);
    };
    if audience.accepts != Accepts::Page {
        let (outcome, phrase) = ("form", "form-for-programs".into());
        return Notice { status: StatusCode::OK, outcome, phrase, next: NextStep::Nothing }
            .answer(&audience, &services);
    }
    let form = services.look.form(&audience).with(token.expose_secret());
    finished_page(StatusCode::OK, &audience, form)
}

/// What is said when a password has been set.
pub(super) fn password_set() -> Notice {
    let (outcome, next) = ("password-set", NextStep::LogIn);
    Notice { status: StatusCode::OK, outcome, phrase: outcome.into(), next }
}

/// What is said to those who come without a token.
pub(super) fn no_token(status: StatusCode) -> Notice {
    Notice { status, outcome: "no-token", phrase: "no-token".into(), next: NextStep::AskForLink }
}

//! `GET /?token=`: the form for a new password.
//!
//! Looks nothing up and counts nothing: mail scanners open links before people do.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Services;
use super::answer::{Accepts, Notice, page};
use super::fields::TokenQuery;
use super::pages::{Frame, SetPasswordPage};

/// Shows the form to whoever brings a token; 404 without one.
pub(super) async fn view_form(
    State(services): State<Services>,
    accepts: Accepts,
    Query(query): Query<TokenQuery>,
) -> Response {
    if query.token().is_none() {
        return no_token(StatusCode::NOT_FOUND).answer(accepts, &services);
    }
    page(StatusCode::OK, &SetPasswordPage { frame: Frame::of(&services), problem: None })
}

/// What is said to those who come without a token.
pub(super) fn no_token(status: StatusCode) -> Notice {
    Notice {
        status,
        outcome: "no-token",
        title: "The link is incomplete",
        text:
            "Open this page with the whole link from the mail. Some mail programs break long links in two: \
               then copy both parts into the address bar."
                .to_owned(),
    }
}

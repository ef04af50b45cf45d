//! `POST /?token=`: sets the password.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Services;
use super::answer::{Accepts, Notice, page};
use super::fields::{TokenQuery, given, read_fields};
use super::pages::{Frame, SetPasswordPage};
use super::view_form::no_token;
use crate::setpass::{RedeemError, SetpassError};

#[derive(Deserialize)]
struct Fields {
    pin: Option<SecretString>,
    password: Option<SecretString>,
    confirm_password: Option<SecretString>,
}

/// How a try went: told on a page of its own, or above the form where another try makes sense.
struct Outcome {
    notice: Notice,
    try_again: bool,
}

/// 200 when the password is set; 400 for what is missing, does not match or Keystone refuses; 403
/// for a wrong PIN and for links that are expired or locked; 404 for unknown links; 409 where the
/// password is not what it was; 503 where Keystone cannot be reached.
pub(super) async fn set_password(
    State(services): State<Services>,
    accepts: Accepts,
    Query(query): Query<TokenQuery>,
    body: Bytes,
) -> Response {
    let Some(token) = query.token() else {
        return no_token(StatusCode::BAD_REQUEST).answer(accepts, &services);
    };
    let Outcome { notice, try_again } = attempt(&services, &token, &body).await;
    match accepts {
        Accepts::Page if try_again => {
            page(notice.status, &SetPasswordPage { frame: Frame::of(&services), problem: Some(&notice.text) })
        }
        _ => notice.answer(accepts, &services),
    }
}

async fn attempt(services: &Services, token: &SecretString, body: &Bytes) -> Outcome {
    let Ok(fields) = read_fields::<Fields>(body) else {
        return again(StatusCode::BAD_REQUEST, "bad-body", "This could not be read as a form or as JSON.");
    };
    let (Some(pin), Some(password), Some(confirmation)) =
        (given(fields.pin), given(fields.password), given(fields.confirm_password))
    else {
        return again(StatusCode::BAD_REQUEST, "missing-field", "Please fill in all three fields.");
    };
    if password.expose_secret() != confirmation.expose_secret() {
        return again(
            StatusCode::BAD_REQUEST,
            "mismatch",
            "The two passwords are not the same. Please type them again.",
        );
    }
    // Blanks come along when a PIN is copied from somewhere; they cannot be part of one.
    let pin = SecretString::from(pin.expose_secret().trim());
    match services.setpass.redeem(&services.keystone, token, &pin, &password).await {
        Ok(()) => last(
            StatusCode::OK,
            "password-set",
            "Your password is set",
            "You can log in with it now. The link from the mail does not work any more.",
        ),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &RedeemError) -> Outcome {
    match error {
        RedeemError::Unknown => last(
            StatusCode::NOT_FOUND,
            "unknown-link",
            "This link is not known",
            "It may have been used already, or a newer mail has replaced it: use the link in the newest mail. If you \
             have set your password before, just log in.",
        ),
        RedeemError::Expired => last(
            StatusCode::FORBIDDEN,
            "expired",
            "This link has expired",
            "For your safety links work for a short time only. Ask for a new one.",
        ),
        RedeemError::Locked => last(
            StatusCode::FORBIDDEN,
            "locked",
            "This link is locked",
            "Too many wrong PINs were tried with it. Your account is not affected. Ask for a new link.",
        ),
        RedeemError::LockedForToday => last(
            StatusCode::FORBIDDEN,
            "locked-for-today",
            "Too many wrong PINs today",
            "Too many wrong PINs were tried for you within 24 hours. Your account is not affected. Try again \
             tomorrow, with a new link if this one has expired by then.",
        ),
        RedeemError::WrongPin { left: 0 } => last(
            StatusCode::FORBIDDEN,
            "wrong-pin",
            "The PIN is wrong",
            "That was the last try that this link allowed. Your account is not affected. Ask for a new link.",
        ),
        RedeemError::WrongPin { left } => again(
            StatusCode::FORBIDDEN,
            "wrong-pin",
            &format!(
                "The PIN is wrong. It is the one that you chose when you signed up or asked for a new password. \
                 Tries left: {left}."
            ),
        ),
        RedeemError::InvalidPin(error) => {
            again(StatusCode::BAD_REQUEST, "invalid-pin", &format!("Please check the PIN: {error}."))
        }
        RedeemError::Refused(words) => again(
            StatusCode::BAD_REQUEST,
            "refused",
            &format!("The cloud does not accept this password. It says: {words}"),
        ),
        RedeemError::LockedByKeystone(words) => last(
            StatusCode::FORBIDDEN,
            "locked-by-keystone",
            "The password cannot be changed now",
            &format!("The cloud says: {words} Your link still works: you may try again later."),
        ),
        RedeemError::Busy => last(
            StatusCode::CONFLICT,
            "busy",
            "One moment",
            "Your password is being set at this moment. Try to log in; if that does not work in some minutes, open \
             the link from the mail again.",
        ),
        RedeemError::ChangedElsewhere => last(
            StatusCode::CONFLICT,
            "changed-elsewhere",
            "Your password was changed elsewhere",
            "It is not the one that this link was made for, for example because an administrator has set another. \
             Ask for a new link.",
        ),
        RedeemError::PerhapsChanged => last(
            StatusCode::CONFLICT,
            "perhaps-changed",
            "Your password is probably set already",
            "An earlier try got no answer, but seems to have worked. Log in with the password that you typed then. \
             If that does not work, ask for a new link.",
        ),
        RedeemError::Disabled => last(
            StatusCode::FORBIDDEN,
            "disabled",
            "Your account is disabled",
            "An administrator has disabled it, so the password cannot be set.",
        ),
        RedeemError::Keystone(error) => {
            tracing::error!(%error, "Keystone did not change a password");
            unavailable()
        }
        RedeemError::Setpass(SetpassError::Overloaded) => unavailable(),
        RedeemError::Setpass(error) => {
            tracing::error!(%error, "setpass failed");
            Outcome { notice: failure(), try_again: false }
        }
    }
}

fn unavailable() -> Outcome {
    again(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "The service that keeps passwords does not answer at this moment. Your link still works: please try again \
         in some minutes.",
    )
}

/// What is said where Usher itself fails.
pub(super) fn failure() -> Notice {
    Notice {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        outcome: "failure",
        title: "Something went wrong here",
        text:
            "It is not your fault, and it was written down for those who run this service. Please try again \
               later."
                .to_owned(),
    }
}

fn last(status: StatusCode, outcome: &'static str, title: &'static str, text: &str) -> Outcome {
    Outcome { notice: Notice { status, outcome, title, text: text.to_owned() }, try_again: false }
}

fn again(status: StatusCode, outcome: &'static str, text: &str) -> Outcome {
    let title = "Please try again";
    Outcome { notice: Notice { status, outcome, title, text: text.to_owned() }, try_again: true }
}

#[cfg(test)]
mod tests;

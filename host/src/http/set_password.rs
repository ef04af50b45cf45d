//! `POST /?token=`: sets the password.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::answer::{NextStep, Notice, Told, page, retry_after, too_many_requests};
use super::audience::{Accepts, Audience};
use super::bodies::SetPassword;
use super::fields::{TokenQuery, given, read_fields};
use super::language::Phrase;
use super::limits::Deadline;
use super::openapi::Everywhere;
use super::pages::{Frame, Problem, SetPasswordPage};
use super::view_form::{no_token, password_set};
use super::{ClientAddress, Services};
use crate::setpass::{
    LONGEST_PASSWORD, LONGEST_PIN, RedeemError, Redemption, SHORTEST_PIN, SetpassError, UnusablePassword,
};

/// How a try went.
struct Outcome {
    notice: Notice,
    /// Whether to tell it above the form, because another try makes sense, and about which field it is.
    form: Option<Option<&'static str>>,
    /// In how many seconds another try makes sense, where the client has made too many.
    wait: Option<u64>,
}

/// Sets the password.
///
/// A body that begins with a brace is read as JSON and any other as a form, whatever its type is called.
#[utoipa::path(
    post,
    path = "/",
    operation_id = "setPassword",
    tag = "pages",
    params(TokenQuery),
    request_body(content((SetPassword = "application/x-www-form-urlencoded"), (SetPassword = "application/json"))),
    responses(
        (status = 200, description = "The password is set, and the link is used up", body = Told),
        (status = 400, description = "A field is missing, the passwords differ, the PIN cannot be one, or Keystone \
            refuses the password and says why: the link stays usable", body = Told),
        (status = 403, description = "The PIN is wrong; or the link has expired or is locked, or too many PINs were \
            tried today; or Keystone does not let the user change the password; or another site's page sent \
            this", body = Told),
        (status = 404, description = "No link has this token: it was used, or replaced by a newer one; or the account \
            does not exist any more", body = Told),
        (status = 409, description = "The password is being set by another request; or Keystone does not accept the \
            one that the link starts from: it was changed since the link was issued, or the account is locked for a \
            while", body = Told),
        Everywhere,
    )
)]
pub(super) async fn set_password(
    State(services): State<Arc<Services>>,
    audience: Audience,
    client: ClientAddress,
    deadline: Deadline,
    query: TokenQuery,
    body: Bytes,
) -> Response {
    let Some(token) = query.token() else {
        return no_token(StatusCode::BAD_REQUEST).answer(&audience, &services);
    };
    let Outcome { notice, form, wait } = attempt(&services, client, deadline, &token, &body).await;
    let answer = match (audience.accepts, form) {
        (Accepts::Page, Some(field)) => {
            let frame = Frame::of(&services.look, &audience);
            let problem = Problem { text: audience.language.say(&notice.phrase).into_owned(), field };
            page(notice.status, &audience, &SetPasswordPage { frame, problem: Some(&problem) })
        }
        _ => notice.answer(&audience, &services),
    };
    match wait {
        Some(seconds) => retry_after(answer, seconds),
        None => answer,
    }
}

async fn attempt(
    services: &Services,
    client: ClientAddress,
    deadline: Deadline,
    token: &SecretString,
    body: &Bytes,
) -> Outcome {
    let Ok(fields) = read_fields::<SetPassword>(body) else {
        return again(StatusCode::BAD_REQUEST, "bad-body", "bad-body", None);
    };
    let (pin, password) = (given(fields.pin), given(fields.password));
    let (Some(pin), Some(password), Some(confirmation)) = (&pin, &password, given(fields.confirm_password))
    else {
        let missing = if pin.is_none() {
            "pin"
        } else if password.is_none() {
            "password"
        } else {
            "confirm_password"
        };
        return again(StatusCode::BAD_REQUEST, "missing-field", "missing-field", Some(missing));
    };
    if password.expose_secret() != confirmation.expose_secret() {
        return again(StatusCode::BAD_REQUEST, "mismatch", "mismatch", Some("password"));
    }
    // Blanks come along when a PIN is copied from somewhere; they cannot be part of one.
    let pin = SecretString::from(pin.expose_secret().trim());
    let setpass = &services.setpass;
    let redemption =
        Redemption { token: token.clone(), pin, password: password.clone(), client: client.known() };
    let keystone = services.keystone.until(deadline.0);
    match setpass.redeem_for(client.network(), &keystone, &redemption).await {
        Err(RedeemError::TooManyFromClient { until }) => {
            Outcome { notice: too_many_requests(), form: None, wait: Some(setpass.seconds_until(until)) }
        }
        Ok(()) => Outcome { notice: password_set(), form: None, wait: None },
        Err(error) => refusal(error),
    }
}

fn refusal(error: RedeemError) -> Outcome {
    use StatusCode as S;
    match error {
        RedeemError::Unknown => last(S::NOT_FOUND, "unknown-link", "unknown-link", NextStep::AskForLink),
        RedeemError::Expired => last(S::FORBIDDEN, "expired", "expired", NextStep::AskForLink),
        RedeemError::Locked => last(S::FORBIDDEN, "locked", "locked", NextStep::AskForLink),
        RedeemError::LockedForToday => {
            last(S::FORBIDDEN, "locked-for-today", "locked-for-today", NextStep::Nothing)
        }
        RedeemError::WrongPin { left: 0 } => {
            last(S::FORBIDDEN, "wrong-pin", "wrong-pin-last", NextStep::AskForLink)
        }
        RedeemError::WrongPin { left } => {
            again(S::FORBIDDEN, "wrong-pin", Phrase::new("wrong-pin").with("left", left), Some("pin"))
        }
        RedeemError::TooManyFromClient { .. } => {
            Outcome { notice: too_many_requests(), form: None, wait: None }
        }
        RedeemError::InvalidPin(_) => {
            again(S::BAD_REQUEST, "invalid-pin", with_lengths("invalid-pin"), Some("pin"))
        }
        RedeemError::UnusablePassword(unusable) => {
            again(S::BAD_REQUEST, "unusable-password", words_of(unusable), Some("password"))
        }
        RedeemError::Refused(words) => {
            again(S::BAD_REQUEST, "refused", Phrase::new("refused").with("words", words), Some("password"))
        }
        RedeemError::Reused(words) => {
            again(S::BAD_REQUEST, "refused", Phrase::new("reused").with("words", words), Some("password"))
        }
        RedeemError::PreviousGone(error) => {
            let mut outcome = refusal(*error);
            outcome.notice.phrase = outcome.notice.phrase.then("previous-gone");
            outcome
        }
        RedeemError::LockedByKeystone(words) => {
            let phrase = Phrase::new("locked-by-keystone").with("words", words);
            last(S::FORBIDDEN, "locked-by-keystone", phrase, NextStep::TryAgain)
        }
        RedeemError::Busy => last(S::CONFLICT, "busy", "busy", NextStep::TryAgain),
        RedeemError::ChangedElsewhere { is_last } => {
            let phrase = if is_last { "changed-elsewhere-last" } else { "changed-elsewhere" };
            last(S::CONFLICT, "changed-elsewhere", phrase, NextStep::AskForLink)
        }
        RedeemError::AccountGone => last(S::NOT_FOUND, "account-gone", "account-gone", NextStep::Nothing),
        RedeemError::PerhapsChanged => {
            last(S::CONFLICT, "perhaps-changed", "perhaps-changed", NextStep::AskForLink)
        }
        RedeemError::Disabled => last(S::FORBIDDEN, "disabled", "disabled", NextStep::Nothing),
        RedeemError::Keystone(error) => {
            tracing::error!(%error, "Keystone did not change a password");
            again(S::SERVICE_UNAVAILABLE, "unavailable", "unavailable", None)
        }
        RedeemError::Setpass(SetpassError::Overloaded) => {
            again(S::SERVICE_UNAVAILABLE, "unavailable", "unavailable", None)
        }
        RedeemError::Setpass(error) => {
            tracing::error!(%error, "setpass failed");
            Outcome { notice: failure(), form: None, wait: None }
        }
    }
}

/// Why a password cannot be one, and what to do.
fn words_of(unusable: UnusablePassword) -> Phrase {
    match unusable {
        UnusablePassword::TooShort { shortest } => {
            Phrase::new("password-too-short").with("shortest", shortest)
        }
        UnusablePassword::TooLong => Phrase::new("password-too-long").with("longest", LONGEST_PASSWORD),
        UnusablePassword::ControlCharacter => "password-unprintable".into(),
        UnusablePassword::Common => "password-common".into(),
        UnusablePassword::Name => "password-name".into(),
    }
}

/// A phrase that says how many digits a PIN has.
fn with_lengths(id: &'static str) -> Phrase {
    Phrase::new(id).with("shortest", SHORTEST_PIN).with("longest", LONGEST_PIN)
}

/// What is said where Usher itself fails.
pub(super) fn failure() -> Notice {
    Notice {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        outcome: "failure",
        phrase: "failure".into(),
        next: NextStep::TryAgain,
    }
}

fn last(status: StatusCode, outcome: &'static str, phrase: impl Into<Phrase>, next: NextStep) -> Outcome {
    Outcome { notice: Notice { status, outcome, phrase: phrase.into(), next }, form: None, wait: None }
}

fn again(
    status: StatusCode,
    outcome: &'static str,
    phrase: impl Into<Phrase>,
    field: Option<&'static str>,
) -> Outcome {
    let notice = Notice { status, outcome, phrase: phrase.into(), next: NextStep::TryAgain };
    Outcome { notice, form: Some(field), wait: None }
}

#[cfg(test)]
mod tests;

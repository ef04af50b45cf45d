//! `POST /reset`: asks for another link.
//!
//! What was asked for is recorded, and worked through by `usher serve` later: the answer is the same whether the
//! address belongs to an account or not, and so is the time, as nothing is looked up. Only who asks too often from
//! one address is told so, which says nothing about accounts.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::answer::{NextStep, Notice, Told, page, retry_after, too_many_requests};
use super::audience::{Accepts, Audience};
use super::bodies::RequestReset;
use super::fields::{given, read_fields};
use super::language::Phrase;
use super::openapi::Everywhere;
use super::pages::{Frame, Problem, ResetPage};
use super::set_password::failure;
use super::view_reset::off;
use super::{ClientAddress, Services};
use crate::setpass::{Asker, ClientCount, LONGEST_PIN, SetpassError, is_trivial};
use crate::settings::setpass::reset::ResetMode;

/// The longest address that SMTP can carry (RFC 5321, 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

/// In seconds. The usual page about waiting speaks of an hour at most.
const AN_HOUR: u64 = 3600;

/// Names are for the helpdesk's eyes; longer ones are no names.
const LONGEST_NAME: usize = 100;

/// Asks for another link.
///
/// The answer is the same whether the address belongs to an account or not, and whether that was asked for too often.
/// A body that begins with a brace is read as JSON and any other as a form, whatever its type is called.
#[utoipa::path(
    post,
    path = "/reset",
    operation_id = "requestReset",
    tag = "pages",
    request_body(content((RequestReset = "application/x-www-form-urlencoded"), (RequestReset = "application/json"))),
    responses(
        (status = 200, description = "It is taken; where the address has an account, a link comes", body = Told),
        (status = 400, description = "A field is missing, or cannot be used", body = Told),
        (status = 403, description = "Another site's page sent this", body = Told),
        (status = 404, description = "Nobody answers such requests here", body = Told),
        Everywhere,
    )
)]
pub(super) async fn request_reset(
    State(services): State<Arc<Services>>,
    client: ClientAddress,
    audience: Audience,
    body: Bytes,
) -> Response {
    let setpass = &services.setpass;
    if setpass.reset_mode() == ResetMode::Off {
        return off().answer(&audience, &services);
    }
    let Ok(mut fields) = read_fields::<RequestReset>(&body) else {
        return again(&services, &audience, ("", ""), "bad-body", None);
    };
    let name: String = fields.name.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let email = fields.email.trim().to_owned();
    let typed = (name.as_str(), email.as_str());
    if !is_address(&email) {
        return again(&services, &audience, typed, "missing-email", Some("email"));
    }
    if fields.confirm_email.is_some_and(|confirmed| confirmed.trim() != email) {
        return again(&services, &audience, typed, "emails-differ", Some("email"));
    }
    let Some(pin) = given(fields.pin.take()) else {
        return again(&services, &audience, typed, "missing-pin", Some("pin"));
    };
    let pin = SecretString::from(pin.expose_secret().trim());
    if is_trivial(&pin) {
        return again(&services, &audience, typed, "trivial-pin", Some("pin"));
    }
    let shortest = setpass.digits_of_new_pin();
    let unusable = || Phrase::new("unusable-pin").with("shortest", shortest).with("longest", LONGEST_PIN);
    if pin.expose_secret().len() < shortest {
        return again(&services, &audience, typed, unusable(), Some("pin"));
    }
    let asker = Asker { name: name.clone(), email: email.clone() };
    match setpass.ask_from(client.network(), &asker, &pin, client.known()).await {
        Ok(ClientCount::Within) => received(&services).answer(&audience, &services),
        Ok(ClientCount::Over { until }) => {
            let seconds = setpass.seconds_until(until);
            retry_after(too_many(seconds).answer(&audience, &services), seconds)
        }
        Err(SetpassError::InvalidPin(_)) => again(&services, &audience, typed, unusable(), Some("pin")),
        Err(SetpassError::Overloaded) => {
            let (outcome, phrase) = ("unavailable", "overloaded".into());
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Notice { status, outcome, phrase, next: NextStep::TryAgain }.answer(&audience, &services)
        }
        Err(error) => {
            tracing::error!(%error, "a request for a link is not recorded");
            failure().answer(&audience, &services)
        }
    }
}

/// What a client is told that has asked too often, and has to wait for so many seconds.
fn too_many(seconds: u64) -> Notice {
    let phrase = if seconds <= AN_HOUR { "too-many-requests" } else { "too-many-today" };
    Notice { phrase: phrase.into(), ..too_many_requests() }
}

/// What is said when a request has been taken.
pub(super) fn received(services: &Services) -> Notice {
    let phrase = match services.setpass.reset_mode() {
        ResetMode::SelfService => "received-self-service",
        ResetMode::Helpdesk | ResetMode::Off => "received",
    };
    Notice { status: StatusCode::OK, outcome: "received", phrase: phrase.into(), next: NextStep::Nothing }
}

/// The form again, with the name and the address that were typed.
fn again(
    services: &Services,
    audience: &Audience,
    (name, email): (&str, &str),
    phrase: impl Into<Phrase>,
    field: Option<&'static str>,
) -> Response {
    let (status, phrase) = (StatusCode::BAD_REQUEST, phrase.into());
    if audience.accepts != Accepts::Page {
        let notice = Notice { status, outcome: "bad-request", phrase, next: NextStep::TryAgain };
        return notice.answer(audience, services);
    }
    let frame = Frame::of(&services.look, audience);
    let problem = Problem { text: audience.language.say(&phrase).into_owned(), field };
    let setpass = &services.setpass;
    page(status, audience, &ResetPage { frame, setpass, problem: Some(&problem), name, email })
}

/// Whether it may be an address. Mail goes only where Keystone says, never here.
fn is_address(text: &str) -> bool {
    let plausible =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | ',' | ';');
    text.len() <= LONGEST_EMAIL
        && text.chars().all(plausible)
        && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests;

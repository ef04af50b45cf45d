//! `POST /reset`: asks the helpdesk for another link.
//!
//! The answer is the same whether the address belongs to an account or not, and so is the time, as
//! nothing is looked up. The helpdesk gets a case number and never the PIN.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Services;
use super::answer::{NextStep, Notice, Told, page};
use super::audience::{Accepts, Audience};
use super::fields::{given, read_fields};
use super::language::Phrase;
use super::openapi::Everywhere;
use super::pages::{Frame, Problem, ResetPage};
use super::set_password::{failure, with_lengths};
use crate::database::DatabaseError;
use crate::mail_content::{MailContent, TicketMail};
use crate::outbox::{Compose, OutboxError};
use crate::plugin::PluginError;
use crate::setpass::{SetpassError, is_trivial};

/// The longest address that SMTP can carry (RFC 5321, 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

/// Names are for the helpdesk's eyes; longer ones are no names.
const LONGEST_NAME: usize = 100;

/// What the form sends. Older forms confirm the address, ours does not.
#[derive(Deserialize, ToSchema)]
#[schema(as = RequestReset)]
pub(super) struct Fields {
    /// Who asks, for the helpdesk's eyes. May be left out.
    #[serde(default)]
    #[schema(example = "Ada Example")]
    name: String,
    /// The user's address.
    #[serde(default)]
    #[schema(example = "user@example.org")]
    email: String,
    /// The same once more. May be left out.
    #[schema(example = "user@example.org")]
    confirm_email: Option<String>,
    /// The PIN for the next link.
    #[schema(value_type = Option<String>, example = "6204")]
    pin: Option<SecretString>,
}

/// Why no case was opened.
#[derive(Debug, thiserror::Error)]
enum RequestResetError {
    #[error(transparent)]
    Setpass(#[from] SetpassError),
    #[error("the ticket cannot be worded: {0}")]
    Render(#[from] PluginError),
    #[error("the ticket cannot be recorded: {0}")]
    Outbox(#[from] OutboxError),
}

/// Asks for another link.
///
/// The answer is the same whether the address belongs to an account or not. A body that begins with a brace is read
/// as JSON and any other as a form, whatever its type is called.
#[utoipa::path(
    post,
    path = "/reset",
    operation_id = "requestReset",
    tag = "pages",
    request_body(content((Fields = "application/x-www-form-urlencoded"), (Fields = "application/json"))),
    responses(
        (status = 200, description = "It is taken; where the address has an account, a link comes", body = Told),
        (status = 400, description = "A field is missing, or cannot be used", body = Told),
        (status = 403, description = "Another site's page sent this", body = Told),
        Everywhere,
    )
)]
pub(super) async fn request_reset(
    State(services): State<Services>,
    audience: Audience,
    body: Bytes,
) -> Response {
    let Ok(mut fields) = read_fields::<Fields>(&body) else {
        return again(&services, audience, ("", ""), "bad-body", None);
    };
    let name: String = fields.name.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let email = fields.email.trim().to_owned();
    let typed = (name.as_str(), email.as_str());
    if !is_address(&email) {
        return again(&services, audience, typed, "missing-email", Some("email"));
    }
    if fields.confirm_email.is_some_and(|confirmed| confirmed.trim() != email) {
        return again(&services, audience, typed, "emails-differ", Some("email"));
    }
    let Some(pin) = given(fields.pin.take()) else {
        return again(&services, audience, typed, "missing-pin", Some("pin"));
    };
    let pin = SecretString::from(pin.expose_secret().trim());
    if is_trivial(&pin) {
        return again(&services, audience, typed, "trivial-pin", Some("pin"));
    }
    match open_case(&services, &name, &email, &pin).await {
        Ok(()) => received().answer(audience, &services),
        Err(RequestResetError::Setpass(SetpassError::InvalidPin(_))) => {
            again(&services, audience, typed, with_lengths("unusable-pin"), Some("pin"))
        }
        Err(error) => {
            tracing::error!(%error, "no reset case opened");
            failure().answer(audience, &services)
        }
    }
}

/// Records the case and the ticket that names it together.
async fn open_case(
    services: &Services,
    name: &str,
    email: &str,
    pin: &SecretString,
) -> Result<(), RequestResetError> {
    let pin_hash = services.setpass.hash_stranger_pin(pin).await?;
    // The ticket is worded between two transactions: no component makes other writers wait.
    let Some(case) = services.setpass.number_reset_case(email).await? else {
        return Ok(());
    };
    let (first_name, last_name) = name.rsplit_once(' ').unwrap_or((name, ""));
    let ticket = MailContent::HelpdeskTicket(TicketMail {
        username: email.to_owned(),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        project: String::new(),
        request_type: "Password Reset".to_owned(),
        comment: String::new(),
        case_number: case.to_string(),
    });
    let message = (services.render_mail)(ticket).await?;
    let mail = Compose { to: vec![services.helpdesk.clone()], message, link: None };
    let mut tx = services.setpass.begin().await?;
    services.setpass.open_reset_case(&mut tx, case, &pin_hash).await?;
    services.outbox.enqueue(&mut tx, &format!("reset-case:{case}"), "helpdesk-ticket", &mail).await?;
    tx.commit().await.map_err(|error| SetpassError::from(DatabaseError::from(error)))?;
    Ok(())
}

fn received() -> Notice {
    Notice { status: StatusCode::OK, outcome: "received", phrase: "received".into(), next: NextStep::Nothing }
}

/// The form again, with the name and the address that were typed.
fn again(
    services: &Services,
    audience: Audience,
    (name, email): (&str, &str),
    phrase: impl Into<Phrase>,
    field: Option<&'static str>,
) -> Response {
    let (status, phrase) = (StatusCode::BAD_REQUEST, phrase.into());
    if audience.accepts != Accepts::Page {
        let notice = Notice { status, outcome: "bad-request", phrase, next: NextStep::TryAgain };
        return notice.answer(audience, services);
    }
    let frame = Frame::of(services, audience).in_all_languages(None);
    let problem = Problem { text: audience.language.say(&phrase), field };
    page(status, audience, &ResetPage { frame, problem: Some(&problem), name, email })
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

//! Answers: a page for people, JSON or plain text for those who accept it, of one and the same content.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_LANGUAGE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::audience::{Accepts, Audience};
use super::language::Phrase;
use super::pages::{Frame, NoticePage};

/// An answer to somebody who has to wait for so many seconds.
pub(super) fn retry_after(mut answer: Response, seconds: u64) -> Response {
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    answer
}

/// What a client is told that has asked too often. It tells nothing about accounts.
pub(super) fn too_many_requests() -> Notice {
    Notice {
        status: StatusCode::TOO_MANY_REQUESTS,
        outcome: "too-many-requests",
        phrase: "too-many-requests".into(),
        next: NextStep::Nothing,
    }
}

/// One thing to tell.
#[derive(Debug)]
pub(super) struct Notice {
    /// How it went, for clients of the protocol.
    pub(super) status: StatusCode,
    /// How it went, for clients that read JSON. Stays the same when the words change.
    pub(super) outcome: &'static str,
    /// How it went, and what to do next, with a title where it has a page of its own.
    pub(super) phrase: Phrase,
    /// What the page leads to.
    pub(super) next: NextStep,
}

/// What somebody can do after reading a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Nothing here.
    Nothing,
    /// Log in with the new password.
    LogIn,
    /// Ask for a new link.
    AskForLink,
    /// Open the same link again.
    TryAgain,
}

impl Notice {
    /// The answer that holds just this notice.
    pub(super) fn answer(&self, audience: &Audience, services: &Services) -> Response {
        let language = audience.language;
        let text = language.say(&self.phrase);
        match audience.accepts {
            Accepts::Json => json(self.status, self.outcome, &text),
            Accepts::Plain => match language.title(&self.phrase) {
                Some(title) => plain(self.status, format!("{title}\n{text}\n")),
                None => plain(self.status, format!("{text}\n")),
            },
            Accepts::Page => page(
                self.status,
                audience,
                &NoticePage {
                    frame: match self.status.is_success() {
                        true => Frame::of_what_is_done(&services.look, audience),
                        false => Frame::of(&services.look, audience),
                    },
                    title: &language.title(&self.phrase).unwrap_or_default(),
                    text: &text,
                    went_well: self.status.is_success(),
                    next: self.next,
                },
            ),
        }
    }
}

/// What is told.
#[derive(Serialize, ToSchema)]
pub(super) struct Told<'a> {
    /// How it went, in a word that stays the same when the message changes.
    #[schema(example = "wrong-pin")]
    outcome: &'static str,
    /// How it went, and what to do next, in the caller's language.
    #[schema(example = "This is not the PIN. You can try 4 more times.")]
    message: &'a str,
}

/// An answer as JSON.
pub(super) fn json(status: StatusCode, outcome: &'static str, message: &str) -> Response {
    (status, passing(status), Json(Told { outcome, message })).into_response()
}

/// An answer as plain text, as older clients of the protocol print it.
pub(super) fn plain(status: StatusCode, text: String) -> Response {
    (status, passing(status), text).into_response()
}

/// A page.
pub(super) fn page(status: StatusCode, audience: &Audience, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => finished_page(status, audience, text),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that is put together.
pub(super) fn finished_page(status: StatusCode, audience: &Audience, text: String) -> Response {
    let language = [(CONTENT_LANGUAGE, HeaderValue::from_static(audience.language.tag))];
    (status, passing(status), language, Html(text)).into_response()
}

/// Says when to try again after a failure that passes.
fn passing(status: StatusCode) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, 30.into());
    }
    headers
}

/// What is answered to a method that the address does not have; which ones it has, `Allow` says. In English, as no
/// page of ours leads here.
pub(super) async fn no_such_method(audience: Audience) -> Response {
    let (status, text) = (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed: see the header Allow");
    match audience.accepts {
        Accepts::Json => json(status, "method-not-allowed", text),
        Accepts::Page | Accepts::Plain => plain(status, format!("{text}\n")),
    }
}

/// What is answered where there is nothing.
pub(super) async fn no_such_page(State(services): State<Arc<Services>>, audience: Audience) -> Response {
    Notice {
        status: StatusCode::NOT_FOUND,
        outcome: "not-found",
        phrase: "not-found".into(),
        next: NextStep::AskForLink,
    }
    .answer(&audience, &services)
}

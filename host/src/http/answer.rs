//! Answers: a page for people, JSON for those who accept it, of one and the same content.

use std::convert::Infallible;

use askama::Template;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{ACCEPT, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use super::Services;
use super::pages::{Frame, NoticePage};

/// What kind of answer the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A page.
    Page,
    /// JSON.
    Json,
}

impl Accepts {
    /// JSON for those who name it and do not name HTML; browsers name HTML.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let names = |kind: &str| {
            accept.split(',').any(|range| {
                range.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(kind))
            })
        };
        if names("application/json") && !names("text/html") { Self::Json } else { Self::Page }
    }
}

impl<S: Sync> FromRequestParts<S> for Accepts {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// One thing to tell.
pub(super) struct Notice {
    /// How it went, for clients of the protocol.
    pub(super) status: StatusCode,
    /// How it went, for clients that read JSON. Stays the same when the words change.
    pub(super) outcome: &'static str,
    /// How it went, in a few words.
    pub(super) title: &'static str,
    /// How it went, and what to do next.
    pub(super) text: String,
}

/// A notice as JSON.
#[derive(Serialize)]
struct NoticeJson<'a> {
    outcome: &'static str,
    message: &'a str,
}

impl Notice {
    /// The answer that holds just this notice.
    pub(super) fn answer(&self, accepts: Accepts, services: &Services) -> Response {
        match accepts {
            Accepts::Json => self.json(),
            Accepts::Page => page(
                self.status,
                &NoticePage {
                    frame: Frame::of(services),
                    title: self.title,
                    text: &self.text,
                    offers_reset: self.status != StatusCode::OK,
                },
            ),
        }
    }

    /// The answer as JSON.
    pub(super) fn json(&self) -> Response {
        let body = NoticeJson { outcome: self.outcome, message: &self.text };
        (self.status, passing(self.status), Json(body)).into_response()
    }

    /// The answer as plain text, as older clients of the protocol print it.
    pub(super) fn plain(&self) -> Response {
        (self.status, passing(self.status), self.text.clone()).into_response()
    }
}

/// A page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, passing(status), Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Says when to try again after a failure that passes.
fn passing(status: StatusCode) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, 30.into());
    }
    headers
}

/// What is answered where there is nothing.
pub(super) async fn no_such_page(State(services): State<Services>, accepts: Accepts) -> Response {
    Notice {
        status: StatusCode::NOT_FOUND,
        outcome: "not-found",
        title: "There is no such page",
        text: "Check the address, or open the link from the mail again.".to_owned(),
    }
    .answer(accepts, &services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_those_who_do_not_care_get_pages() {
        for (accept, expected) in [
            ("", Accepts::Page),
            ("*/*", Accepts::Page),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Accepts::Page),
            ("text/html, application/json", Accepts::Page),
            ("application/json", Accepts::Json),
            ("Application/JSON;q=0.9, text/plain", Accepts::Json),
            ("application/jsonp", Accepts::Page),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(Accepts::of(&headers), expected, "{accept}");
        }
    }
}

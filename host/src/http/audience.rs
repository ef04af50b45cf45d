//! Who is answered: what kind of answer they read, and in which language.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use url::form_urlencoded;

use super::language::Language;

/// What kind of answer the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A page.
    Page,
    /// JSON.
    Json,
    /// Plain text.
    Plain,
}

impl Accepts {
    /// A page for those who name HTML, as browsers do; else JSON or plain text for those who name it; a page
    /// for those who take anything; and plain text, which anybody can read, for all others.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accept = text(headers, &ACCEPT);
        let names = |kinds: &[&str]| {
            accept.split(',').any(|range| {
                let media = range.split(';').next().unwrap_or_default().trim();
                kinds.iter().any(|kind| media.eq_ignore_ascii_case(kind))
            })
        };
        if names(&["text/html", "application/xhtml+xml"]) {
            Self::Page
        } else if names(&["application/json"]) {
            Self::Json
        } else if names(&["text/plain"]) {
            Self::Plain
        } else if accept.trim().is_empty() || names(&["*/*", "text/*"]) {
            Self::Page
        } else {
            Self::Plain
        }
    }
}

/// Who is answered.
#[derive(Clone)]
pub(super) struct Audience {
    /// What kind of answer they read.
    pub(super) accepts: Accepts,
    /// In which language.
    pub(super) language: &'static Language,
    /// Whether they chose the language on the page, and not in their browser.
    pub(super) has_chosen: bool,
    /// What was asked for. Its query may hold a token.
    pub(super) address: Uri,
}

impl Audience {
    /// Finds out who sent a request, for the extractor.
    pub(super) fn note(request: &mut Request) -> Self {
        let audience = Self::of(request.method(), request.headers(), request.uri());
        request.extensions_mut().insert(audience.clone());
        audience
    }

    /// Who sent a request: `lang` in the query counts before what the browser says. What PUT answers is never a page:
    /// those who send it are programs, whatever they accept.
    fn of(method: &Method, headers: &HeaderMap, uri: &Uri) -> Self {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let chosen = query.filter(|(name, _)| name == "lang").find_map(|(_, tag)| Language::tagged(&tag));
        Self {
            accepts: match Accepts::of(headers) {
                Accepts::Page if method == Method::PUT => Accepts::Plain,
                accepts => accepts,
            },
            language: chosen.unwrap_or_else(|| Language::accepted(text(headers, &ACCEPT_LANGUAGE))),
            has_chosen: chosen.is_some(),
            address: uri.clone(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Audience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get()
            .cloned()
            .unwrap_or_else(|| Self::of(&parts.method, &parts.headers, &parts.uri)))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
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
            ("text/plain, text/html", Accepts::Page),
            ("application/json", Accepts::Json),
            ("Application/JSON;q=0.9, text/plain", Accepts::Json),
            ("application/json, text/plain, */*", Accepts::Json),
            ("text/plain", Accepts::Plain),
            ("text/plain, */*;q=0.1", Accepts::Plain),
            ("application/jsonp", Accepts::Plain),
            ("image/png", Accepts::Plain),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(Accepts::of(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn the_language_of_the_link_counts_before_that_of_the_browser() {
        let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, "ja, en;q=0.5".parse().unwrap())]);
        for (uri, tag, has_chosen) in [
            ("/?token=x", "ja", false),
            ("/?token=x&lang=de", "de", true),
            ("/reset?lang=xx", "ja", false),
            ("/?lang=", "ja", false),
        ] {
            let audience = Audience::of(&Method::GET, &headers, &uri.parse().unwrap());
            assert_eq!((audience.language.tag, audience.has_chosen), (tag, has_chosen), "{uri}");
        }
    }
}

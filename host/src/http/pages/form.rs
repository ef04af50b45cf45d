//! The form for a new password, put together beforehand.
//!
//! Of a request it shows nothing but the token, in its links to other languages. Everybody who has a link opens it, mail
//! scanners do, and whoever wants to keep the server busy; putting it together costs more than the rest of the answer.

use askama::Template as _;
use axum::http::Uri;
use url::form_urlencoded::byte_serialize;

use super::{Frame, Look, SetPasswordPage};
use crate::http::audience::{Accepts, Audience};
use crate::http::language::Language;
use crate::random;

/// The form in one language.
#[derive(Clone, Debug)]
pub(in crate::http) struct Form {
    language: &'static Language,
    has_chosen: bool,
    /// What stands around the places of the token.
    parts: Vec<String>,
}

impl Form {
    /// The form for every audience.
    pub(super) fn all(look: &Look) -> Result<Vec<Self>, askama::Error> {
        // Nothing that a page says.
        let token = random::identifier();
        let address = Uri::try_from(format!("/?token={token}")).unwrap_or_default();
        let put_together = |language, has_chosen| {
            let audience =
                Audience { accepts: Accepts::Page, language, has_chosen, address: address.clone() };
            let frame = Frame::of(look, &audience);
            let page = SetPasswordPage { frame, problem: None }.render()?;
            Ok(Self { language, has_chosen, parts: page.split(&token).map(str::to_owned).collect() })
        };
        let audiences = Language::all().iter().flat_map(|language| [(language, false), (language, true)]);
        audiences.map(|(language, has_chosen)| put_together(language, has_chosen)).collect()
    }

    /// Whether it is for such an audience.
    pub(super) fn is_for(&self, audience: &Audience) -> bool {
        self.language == audience.language && self.has_chosen == audience.has_chosen
    }

    /// The page for a token. As it stands in a query, it holds nothing that means something in HTML.
    pub(in crate::http) fn with(&self, token: &str) -> String {
        self.parts.join(&byte_serialize(token.as_bytes()).collect::<String>())
    }
}

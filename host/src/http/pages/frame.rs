//! What every page shows around its content.

use std::borrow::Cow;

use secrecy::ExposeSecret as _;

use crate::http::audience::Audience;
use crate::http::fields::{DONE, token_in};
use crate::http::language::{Language, Phrase};
use crate::http::pages::Look;

/// What every page shows.
pub(in crate::http) struct Frame<'a> {
    pub(super) look: &'a Look,
    pub(super) language: &'static Language,
    /// What a link within the pages ends with, so that a language that was chosen stays.
    pub(super) query: String,
    /// Links to the other languages, and the own one.
    pub(super) languages: Vec<Translation>,
}

/// A link to a page in a language: the same page, or where it is the answer to a form, the form. What was sent is not sent
/// again.
pub(super) struct Translation {
    pub(super) language: &'static Language,
    pub(super) query: String,
    pub(super) is_shown: bool,
}

impl<'a> Frame<'a> {
    /// The frame of a page.
    pub(in crate::http) fn of(look: &'a Look, audience: &Audience) -> Self {
        let token = token_in(&audience.address);
        Self::leading_to(look, audience, token.as_ref().map(|token| ("token", token.expose_secret())))
    }

    /// The frame of a page that tells what was done: its links lead to pages that tell it again, and to no form.
    pub(in crate::http) fn of_what_is_done(look: &'a Look, audience: &Audience) -> Self {
        Self::leading_to(look, audience, Some((DONE, "")))
    }

    fn leading_to(look: &'a Look, audience: &Audience, what: Option<(&str, &str)>) -> Self {
        let language = audience.language;
        let translate = |translated: &'static Language| {
            let mut query = url::form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
            let query = query.extend_pairs(what).append_pair("lang", translated.tag).finish();
            Translation { language: translated, query, is_shown: translated == language }
        };
        Self {
            look,
            language,
            query: if audience.has_chosen { format!("?lang={}", language.tag) } else { String::new() },
            languages: Language::all().iter().map(translate).collect(),
        }
    }

    /// Says something in the page's language.
    pub(super) fn say(&self, id: &'static str) -> Cow<'_, str> {
        self.language.say(&Phrase::new(id))
    }

    /// What a password has to be.
    pub(super) fn password_hint(&self) -> &str {
        &self.look.rules_in(self.language).password_hint
    }

    /// How long links work.
    pub(super) fn lifetime(&self) -> &str {
        &self.look.rules_in(self.language).lifetime
    }
}

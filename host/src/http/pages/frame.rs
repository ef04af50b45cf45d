//! What every page shows around its content.

use std::borrow::Cow;

use crate::http::audience::Audience;
use crate::http::language::{Language, Phrase};
use crate::http::pages::Look;

/// What every page shows.
pub(in crate::http) struct Frame<'a> {
    pub(super) look: &'a Look,
    pub(super) language: &'static Language,
    /// What a link within the pages ends with, so that a language that was chosen stays.
    pub(super) query: String,
    /// The same page in each language; none where it is an answer, which cannot be asked for again.
    pub(super) languages: Vec<Translation>,
}

/// A link to the same page in another language.
pub(super) struct Translation {
    pub(super) language: &'static Language,
    pub(super) query: String,
    pub(super) is_shown: bool,
}

impl<'a> Frame<'a> {
    /// The frame of a page without links to other languages.
    pub(in crate::http) fn of(look: &'a Look, audience: Audience) -> Self {
        let language = audience.language;
        Self {
            look,
            language,
            query: if audience.has_chosen { format!("?lang={}", language.tag) } else { String::new() },
            languages: Vec::new(),
        }
    }

    /// With links to the other languages, for a page that is reached with this token, or without one.
    pub(in crate::http) fn in_all_languages(mut self, token: Option<&str>) -> Self {
        let translate = |language: &'static Language| {
            let mut query = url::form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
            if let Some(token) = token {
                query.append_pair("token", token);
            }
            let query = query.append_pair("lang", language.tag).finish();
            Translation { language, query, is_shown: language == self.language }
        };
        self.languages = Language::all().iter().map(translate).collect();
        self
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

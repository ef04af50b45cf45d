//! The languages that the pages speak, and which of them a reader wants.
//!
//! What is said is in `locales/`, one file for each language in the syntax of Project Fluent: it has plurals,
//! lets the order of words differ, and translators' tools know it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{NegotiationStrategy, negotiate_languages};
use fluent_syntax::ast::{Entry, PatternElement};
use unic_langid::LanguageIdentifier;

/// Every language: its tag, its own name for itself, and what it says. The first one is for readers of none.
const LANGUAGES: [(&str, &str, &str); 4] = [
    ("en", "English", include_str!("../../locales/en.ftl")),
    ("de", "Deutsch", include_str!("../../locales/de.ftl")),
    ("id", "Bahasa Indonesia", include_str!("../../locales/id.ftl")),
    ("ja", "日本語", include_str!("../../locales/ja.ftl")),
];

static LOADED: LazyLock<Vec<Language>> =
    LazyLock::new(|| LANGUAGES.into_iter().map(Language::load).collect());

/// A language that the pages speak.
pub(super) struct Language {
    /// Its tag, as in HTML's `lang`.
    pub(super) tag: &'static str,
    /// Its own name for itself.
    pub(super) name: &'static str,
    id: LanguageIdentifier,
    bundle: FluentBundle<FluentResource>,
    /// What the messages without variables say: putting one together costs more than the rest of a page.
    fixed: HashMap<String, String>,
}

/// Something to say: a message of the languages' files, and the values of its variables.
#[derive(Clone, Debug)]
pub(super) struct Phrase {
    id: &'static str,
    values: Vec<(&'static str, FluentValue<'static>)>,
    /// A message without variables that is said after it.
    then: Option<&'static str>,
}

impl Phrase {
    /// A message.
    pub(super) fn new(id: &'static str) -> Self {
        Self { id, values: Vec::new(), then: None }
    }

    /// With the value of a variable.
    pub(super) fn with(mut self, variable: &'static str, value: impl Into<FluentValue<'static>>) -> Self {
        self.values.push((variable, value.into()));
        self
    }

    /// With another message after it.
    pub(super) fn then(self, id: &'static str) -> Self {
        Self { then: Some(id), ..self }
    }
}

impl From<&'static str> for Phrase {
    fn from(id: &'static str) -> Self {
        Self::new(id)
    }
}

impl Language {
    /// Every language.
    pub(super) fn all() -> &'static [Self] {
        &LOADED
    }

    /// The language with this tag.
    pub(super) fn tagged(tag: &str) -> Option<&'static Self> {
        LOADED.iter().find(|language| language.tag.eq_ignore_ascii_case(tag))
    }

    /// The language that suits a header `Accept-Language` best.
    pub(super) fn accepted(header: &str) -> &'static Self {
        let available: Vec<&LanguageIdentifier> = LOADED.iter().map(|language| &language.id).collect();
        let best = negotiate_languages(&wanted(header), &available, None, NegotiationStrategy::Filtering);
        let best = best.first().and_then(|id| LOADED.iter().find(|language| language.id == ***id));
        best.unwrap_or(&LOADED[0])
    }

    /// Says something.
    pub(super) fn say(&self, phrase: &Phrase) -> Cow<'_, str> {
        let text = match self.fixed.get(phrase.id) {
            Some(text) => Cow::Borrowed(text.as_str()),
            None => Cow::Owned(self.put_together(phrase)),
        };
        match phrase.then {
            Some(more) => Cow::Owned(format!("{text} {}", self.say(&more.into()))),
            None => text,
        }
    }

    fn put_together(&self, phrase: &Phrase) -> String {
        self.format(phrase, None).unwrap_or_else(|| {
            // The tests compare the files; this would be a message that no file has.
            tracing::error!(message = phrase.id, language = self.tag, "nothing to say");
            phrase.id.to_owned()
        })
    }

    /// The heading of what is said, where it has one.
    pub(super) fn title(&self, phrase: &Phrase) -> Option<String> {
        self.format(phrase, Some("title"))
    }

    fn format(&self, phrase: &Phrase, attribute: Option<&str>) -> Option<String> {
        let message = self.bundle.get_message(phrase.id)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let values: FluentArgs<'_> = phrase.values.iter().cloned().collect();
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&values), &mut errors);
        for error in errors {
            tracing::error!(message = phrase.id, language = self.tag, %error, "a message lacks something");
        }
        Some(text.into_owned())
    }

    fn load((tag, name, source): (&'static str, &'static str, &'static str)) -> Self {
        let id: LanguageIdentifier = tag.parse().expect("the tags are written above");
        // What cannot be read is left out, and the tests tell.
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
        let mut bundle = FluentBundle::new_concurrent(vec![id.clone()]);
        // The marks that keep directions of writing apart would be copied along with addresses, and no language
        // here is written from right to left.
        bundle.set_use_isolating(false);
        let fixed = resource.entries().filter_map(fixed).collect();
        bundle.add_resource_overriding(resource);
        Self { tag, name, id, bundle, fixed }
    }
}

/// The id and the text of a message that is the same whatever it is about.
fn fixed(entry: &Entry<&str>) -> Option<(String, String)> {
    let Entry::Message(message) = entry else { return None };
    let texts = message.value.as_ref()?.elements.iter().map(|element| match element {
        PatternElement::TextElement { value } => Some(*value),
        PatternElement::Placeable { .. } => None,
    });
    Some((message.id.name.to_owned(), texts.collect::<Option<String>>()?))
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag)
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

/// The languages of a header `Accept-Language`, the most wanted first.
fn wanted(header: &str) -> Vec<LanguageIdentifier> {
    let mut ranges: Vec<(f32, LanguageIdentifier)> = header
        .split(',')
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let id = parts.next()?.parse().ok()?;
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok())?;
            (weight > 0.0).then_some((weight, id))
        })
        .collect();
    // Stable: of those that are wanted alike, the first one comes first.
    ranges.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    ranges.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests;

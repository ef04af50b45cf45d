use std::collections::{BTreeMap, BTreeSet};

use fluent_syntax::ast::{Entry, Resource};
use fluent_syntax::{parser, serializer};

use super::*;

/// The variables of each message: those of its text, and below `MESSAGE.title` those of its title.
fn variables(tag: &str, source: &'static str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = parser::parse(source).unwrap_or_else(|(_, errors)| panic!("{tag}: {errors:?}"));
    let mut messages = BTreeMap::new();
    for entry in resource.body {
        let Entry::Message(message) = entry else { continue };
        let id = message.id.name.to_owned();
        for attribute in &message.attributes {
            messages.insert(format!("{id}.{}", attribute.id.name), BTreeSet::new());
        }
        assert!(message.value.is_some(), "{tag}: {id} says nothing");
        let text = serializer::serialize(&Resource { body: vec![Entry::Message(message)] });
        let names = text.split('$').skip(1).map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned()
        });
        let twice = messages.insert(id.clone(), names.collect());
        assert!(twice.is_none(), "{tag}: {id} is there twice");
    }
    messages
}

#[test]
fn every_language_says_everything_with_the_same_variables() {
    let (first, _, source) = LANGUAGES[0];
    let expected = variables(first, source);
    assert!(expected.len() > 50, "{}", expected.len());
    for (tag, _, source) in LANGUAGES {
        assert_eq!(variables(tag, source), expected, "{tag}");
    }
}

#[test]
fn what_is_the_same_on_every_page_is_what_would_be_put_together() {
    for language in Language::all() {
        assert!(language.fixed.len() > 40, "{language:?}: {}", language.fixed.len());
        for (id, text) in &language.fixed {
            let phrase = Phrase::new(id.clone().leak());
            assert_eq!(language.put_together(&phrase), *text, "{language:?}: {id}");
        }
    }
}

#[test]
fn every_file_is_a_language() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/locales");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    let expected: BTreeSet<String> = LANGUAGES.iter().map(|(tag, ..)| format!("{tag}.ftl")).collect();
    assert_eq!(files, expected);
}

#[test]
fn what_is_translated_is_not_left_in_english() {
    let english = &Language::all()[0];
    for language in &Language::all()[1..] {
        for id in ["set-title", "expired", "received", "strength-0", "wrong-pin-last"] {
            let phrase = Phrase::new(id);
            assert_ne!(language.say(&phrase), english.say(&phrase), "{language:?}: {id}");
        }
        assert!(language.title(&"locked".into()).is_some());
    }
}

#[test]
fn the_language_is_the_one_that_is_wanted_most_of_those_there_are() {
    for (header, tag) in [
        ("", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.8", "de"),
        ("fr-CH, fr;q=0.9, ja;q=0.5, en;q=0.7, de;q=0.1", "en"),
        ("en;q=0.1, id", "id"),
        ("id;q=0, de;q=0.2", "de"),
        ("ja-JP", "ja"),
        ("JA", "ja"),
        ("de;q=x, ja;q=0.3", "ja"),
        (";;,,\u{e4}, de", "de"),
    ] {
        assert_eq!(Language::accepted(header).tag, tag, "{header}");
    }
}

#[test]
fn plurals_and_values_are_put_in() {
    let say = |tag: &str, count: i64| {
        Language::tagged(tag).unwrap().say(&Phrase::new("set-lead-hours").with("count", count))
    };
    assert_eq!(say("en", 1), "Links from the mail work for one hour.");
    assert_eq!(say("en", 24), "Links from the mail work for 24 hours.");
    assert_eq!(say("de", 1), "Links aus der E-Mail gelten eine Stunde lang.");
    assert_eq!(say("id", 1), "Tautan dari email berlaku selama 1 jam.");
    let words = "<b> \u{2068} { $x }";
    let refused = Language::tagged("ja").unwrap().say(&Phrase::new("refused").with("words", words));
    assert!(refused.ends_with(words), "{refused}");
    assert_eq!(Language::tagged("xx"), None);
}

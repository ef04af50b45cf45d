//! Where in the settings file something is written.

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::Settings;

/// The keys that choose between the kinds of a section. serde reads such a section as a whole before
/// it looks at the other keys, and places what is wrong with any of them at the section.
const CHOOSING_KEYS: [&str; 3] = ["backend", "kind", "method"];

/// Line and column of an offset in bytes, both counted from 1.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

/// Where a key such as `mail.login` is written; where it is not, where its section begins.
pub(super) fn of_key(text: &str, path: &str) -> usize {
    let Ok(root) = DeTable::parse(text) else { return 0 };
    let mut place = 0;
    let mut table = root.get_ref();
    for name in path.split('.') {
        let Some((key, value)) = table.get_key_value(name) else { break };
        match value.get_ref() {
            DeValue::Table(inner) => {
                // A section that is only named on the way to its subsections has no place of its own.
                place = if value.span().is_empty() { key.span().start } else { value.span().start };
                table = inner;
            }
            _ => return key.span().start,
        }
    }
    place
}

/// Whether a key such as `mail.login` is written.
pub(super) fn is_written(text: &str, path: &str) -> bool {
    let Ok(root) = DeTable::parse(text) else { return false };
    let mut names = path.split('.').peekable();
    let mut table = root.get_ref();
    while let Some(name) = names.next() {
        match (table.get(name).map(Spanned::get_ref), names.peek()) {
            (Some(_), None) => return true,
            (Some(DeValue::Table(inner)), Some(_)) => table = inner,
            _ => return false,
        }
    }
    false
}

/// Where the fault is that an error of [`Settings`] is about.
pub(super) fn of_error(text: &str, error: &toml::de::Error) -> usize {
    let Some(span) = error.span() else { return 0 };
    let within = DeTable::parse(text).ok().and_then(|root| key_at_fault(&root, span.start, error.message()));
    within.unwrap_or(span.start)
}

/// The key without which the section that begins at `start` is not refused for the same reason.
fn key_at_fault(root: &Spanned<DeTable<'_>>, start: usize, message: &str) -> Option<usize> {
    let path = path_of_section(root.get_ref(), start)?;
    let mut root = root.clone();
    let section = section(root.get_mut(), &path)?.clone();
    // The choosing key comes last: without it, every section is refused for another reason.
    let (choosing, others): (Vec<_>, Vec<_>) =
        section.keys().partition(|key| CHOOSING_KEYS.contains(&key.get_ref().as_ref()));
    if choosing.is_empty() || message.starts_with("missing field") {
        return None;
    }
    for key in others.into_iter().chain(choosing) {
        let mut without = root.clone();
        self::section(without.get_mut(), &path)?.remove(key.get_ref().as_ref());
        let refused = Settings::deserialize(Deserializer::from(without)).err();
        if refused.is_none_or(|error| error.message() != message) {
            return Some(key.span().start);
        }
    }
    None
}

fn path_of_section(table: &DeTable<'_>, start: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let DeValue::Table(inner) = value.get_ref() else { return None };
        let mut path = match value.span().start == start {
            true => Vec::new(),
            false => path_of_section(inner, start)?,
        };
        path.insert(0, key.get_ref().to_string());
        Some(path)
    })
}

fn section<'a, 'i>(mut table: &'a mut DeTable<'i>, path: &[String]) -> Option<&'a mut DeTable<'i>> {
    for name in path {
        let DeValue::Table(inner) = table.get_mut(name.as_str())?.get_mut() else { return None };
        table = inner;
    }
    Some(table)
}

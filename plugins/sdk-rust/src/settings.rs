//! The component's own section of the site's settings, and the files of its folder.

use std::collections::BTreeMap;
use std::fmt;

pub use crate::bindings::host::usher::plugin::settings::{Value, file, files};

use crate::bindings::host::usher::plugin::settings;

/// The component's settings, read once. Tables are flattened: `subject` in the table `welcome` is
/// `welcome.subject`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    entries: BTreeMap<String, Value>,
}

impl Settings {
    /// Asks the host for the section.
    #[must_use]
    pub fn load() -> Self {
        settings::all().into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    /// The text of a key; none where the site has not set it.
    ///
    /// # Errors
    /// When the value is not a text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, SettingError> {
        self.read(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The whole number of a key; none where the site has not set it.
    ///
    /// # Errors
    /// When the value is not a whole number.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, SettingError> {
        self.read(key, "a whole number", |value| match value {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        })
    }

    /// The number of a key, whole or not; none where the site has not set it.
    ///
    /// # Errors
    /// When the value is not a number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, SettingError> {
        self.read(key, "a number", |value| match value {
            Value::Number(number) => Some(*number),
            // Settings hold sizes and counts, far below the 2^53 from which on this would round.
            Value::Integer(integer) => Some(*integer as f64),
            _ => None,
        })
    }

    /// Whether a key is true; none where the site has not set it.
    ///
    /// # Errors
    /// When the value is neither true nor false.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, SettingError> {
        self.read(key, "true or false", |value| match value {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        })
    }

    /// The texts of a key, where a single text counts as a list of one; empty where the site has not set it.
    ///
    /// # Errors
    /// When the value is neither a text nor a list of texts.
    pub fn texts(&self, key: &str) -> Result<&[String], SettingError> {
        let texts = self.read(key, "a list of texts", |value| match value {
            Value::Texts(texts) => Some(texts.as_slice()),
            Value::Text(text) => Some(std::slice::from_ref(text)),
            _ => None,
        })?;
        Ok(texts.unwrap_or_default())
    }

    /// The keys and values of a table, with the table's name taken off the keys.
    pub fn table(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let prefix = format!("{name}.");
        self.entries.iter().filter_map(move |(key, value)| Some((key.strip_prefix(&prefix)?, value)))
    }

    /// Every key with its value, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    fn read<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, SettingError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        match convert(value) {
            Some(converted) => Ok(Some(converted)),
            None => Err(SettingError::new(key, expected, value)),
        }
    }
}

impl FromIterator<(String, Value)> for Settings {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

/// A value of another type than the component needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The key, as in the component's section.
    pub key: String,
    expected: &'static str,
    found: &'static str,
}

impl SettingError {
    /// An error about the value of `key`, which is not what was `expected` ("a text", "a whole number").
    #[must_use]
    pub fn new(key: &str, expected: &'static str, value: &Value) -> Self {
        let found = match value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a whole number",
            Value::Number(_) => "a number with a fraction",
            Value::Boolean(_) => "true or false",
            Value::Texts(_) => "a list of texts",
        };
        Self { key: key.to_owned(), expected, found }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, expected, found } = self;
        write!(formatter, "the plugin's setting `{key}` has to be {expected}, and is {found}")
    }
}

impl std::error::Error for SettingError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        [
            ("quiet", Value::Boolean(true)),
            ("welcome.cc", Value::Text("staff@example.org".to_owned())),
            ("welcome.size", Value::Integer(7)),
            ("welcomed", Value::Number(0.5)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    #[test]
    fn reads_values_of_the_right_type() {
        let settings = settings();
        assert_eq!(settings.boolean("quiet"), Ok(Some(true)));
        assert_eq!(settings.texts("welcome.cc"), Ok(&["staff@example.org".to_owned()][..]));
        assert_eq!(settings.number("welcome.size"), Ok(Some(7.0)));
        assert_eq!(settings.text("absent"), Ok(None));
        assert_eq!(settings.texts("absent"), Ok(&[][..]));
    }

    #[test]
    fn says_what_is_wrong_with_a_value() {
        let error = settings().integer("welcome.cc").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the plugin's setting `welcome.cc` has to be a whole number, and is a text"
        );
    }

    #[test]
    fn a_table_ends_at_the_full_stop() {
        let settings = settings();
        let keys: Vec<&str> = settings.table("welcome").map(|(key, _)| key).collect();
        assert_eq!(keys, ["cc", "size"]);
    }
}

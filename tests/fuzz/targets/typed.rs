//! What somebody typed, to be read back.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// The fields of the form.
#[derive(Deserialize)]
pub struct Fields {
    pin: Option<SecretString>,
    password: Option<SecretString>,
    confirm_password: Option<SecretString>,
}

impl Fields {
    /// What each holds.
    pub fn texts(&self) -> [Option<&str>; 3] {
        [&self.pin, &self.password, &self.confirm_password]
            .map(|field| field.as_ref().map(|text| text.expose_secret()))
    }
}

/// A PIN and a password.
pub struct Typed<'a> {
    pub pin: &'a str,
    pub password: &'a str,
}

impl<'a> Typed<'a> {
    /// The text before and after the first line break.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (pin, password) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        Some(Self { pin, password })
    }

    /// Whether it was read as it was typed.
    pub fn assert_read(&self, fields: &Fields) {
        assert_eq!(fields.texts(), [Some(self.pin), Some(self.password), Some(self.password)]);
    }
}

/// A refusal is one of the few sentences that there are, and holds nothing of the body.
pub fn assert_quotes_nothing(refusal: &str) {
    let known = ["a form", "a form in UTF-8", "a JSON object whose values are strings"];
    let known = known.map(|what| format!("the body cannot be read as {what}"));
    assert!(known.iter().any(|sentence| sentence == refusal), "{refusal}");
}

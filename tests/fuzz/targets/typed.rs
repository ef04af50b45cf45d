//! What somebody typed, to be read back from each body that setpass takes: the types are the host's own.

use secrecy::{ExposeSecret as _, SecretString};

use crate::bodies::{PutToken, RequestReset, SetPassword};

/// A PIN, and a password or an address.
pub struct Typed<'a> {
    pub pin: &'a str,
    pub words: &'a str,
}

impl<'a> Typed<'a> {
    /// The text before and after the first line break.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (pin, words) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        Some(Self { pin, words })
    }
}

/// A body that setpass takes.
pub trait Body: serde::de::DeserializeOwned {
    /// The fields that the operation has, by their names, with what was typed in each.
    fn typed<'a>(typed: &Typed<'a>) -> Vec<(&'static str, &'a str)>;

    /// What each field holds, in the same order. One that is not there holds nothing.
    fn texts(&self) -> Vec<&str>;

    /// Whether it was read as it was typed.
    fn assert_read(&self, typed: &Typed<'_>) {
        let expected: Vec<&str> = Self::typed(typed).into_iter().map(|(_, text)| text).collect();
        assert_eq!(self.texts(), expected);
    }
}

impl Body for SetPassword {
    fn typed<'a>(typed: &Typed<'a>) -> Vec<(&'static str, &'a str)> {
        vec![("pin", typed.pin), ("password", typed.words), ("confirm_password", typed.words)]
    }

    fn texts(&self) -> Vec<&str> {
        [&self.pin, &self.password, &self.confirm_password].map(text).into()
    }
}

impl Body for RequestReset {
    fn typed<'a>(typed: &Typed<'a>) -> Vec<(&'static str, &'a str)> {
        vec![("name", typed.pin), ("email", typed.words), ("confirm_email", typed.words), ("pin", typed.pin)]
    }

    fn texts(&self) -> Vec<&str> {
        vec![&self.name, &self.email, self.confirm_email.as_deref().unwrap_or_default(), text(&self.pin)]
    }
}

impl Body for PutToken {
    fn typed<'a>(typed: &Typed<'a>) -> Vec<(&'static str, &'a str)> {
        vec![("password", typed.words), ("pin", typed.pin)]
    }

    fn texts(&self) -> Vec<&str> {
        [&self.password, &self.pin].map(text).into()
    }
}

fn text(field: &Option<SecretString>) -> &str {
    field.as_ref().map_or("", |text| text.expose_secret())
}

/// A refusal is one of the few sentences that there are, and holds nothing of the body.
pub fn assert_quotes_nothing(refusal: &str) {
    let known = ["a form", "a form in UTF-8", "a JSON object whose values are strings"];
    let known = known.map(|what| format!("the body cannot be read as {what}"));
    assert!(known.iter().any(|sentence| sentence == refusal), "{refusal}");
}

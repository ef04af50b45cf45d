//! The fields that a request brings, as a form or as JSON.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::IntoParams;

/// The query of the form.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TokenQuery {
    /// The token of the link.
    #[param(value_type = Option<String>, example = "T0kenThatNobodyCouldGuess")]
    token: Option<SecretString>,
    /// The language of the answer, in place of what `Accept-Language` says: `en`, `de`, `id` or `ja`.
    #[expect(
        dead_code,
        reason = "who is answered is found out for every request, not only for those with a token"
    )]
    lang: Option<String>,
}

impl TokenQuery {
    /// The token, if there is one.
    pub(super) fn token(self) -> Option<SecretString> {
        self.token
    }
}

/// The field of a query that asks for what was done to be told again. Whoever adds it where nothing was done is told the same.
pub(super) const DONE: &str = "done";

/// Whether what was done is to be told again.
pub(super) struct TellAgain(pub(super) bool);

impl<S: Sync> FromRequestParts<S> for TellAgain {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(query(&parts.uri).any(|(name, _)| name == DONE)))
    }
}

/// The token in the query of an address, if there is one.
pub(super) fn token_in(address: &Uri) -> Option<SecretString> {
    let token = query(address).find(|(name, _)| name == "token").map(|(_, token)| token);
    token.filter(|token| !token.is_empty()).map(|token| SecretString::from(&*token))
}

fn query(address: &Uri) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(address.query().unwrap_or_default().as_bytes())
}

/// No query is refused: one without a usable token has none.
impl<S: Sync> FromRequestParts<S> for TokenQuery {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { token: token_in(&parts.uri), lang: None })
    }
}

/// A body that is neither a form nor JSON with the fields that are expected. Never quotes it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the body cannot be read as {0}")]
pub(super) struct UnreadableBody(&'static str);

/// Reads a body that is JSON, whatever its content type says. Nothing but blanks reads as `{}`.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, UnreadableBody> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let unreadable = UnreadableBody("a JSON object whose values are strings");
    // A list would be taken for the fields in the order in which they are declared.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(unreadable);
    }
    serde_json::from_slice(body).map_err(|_| unreadable)
}

/// Reads a body that is JSON if it begins as an object does, and else a form.
///
/// A field's name cannot begin with a bare brace in a form: browsers escape it.
pub(super) fn read_fields<T: DeserializeOwned>(body: &[u8]) -> Result<T, UnreadableBody> {
    if body.trim_ascii_start().starts_with(b"{") {
        return read_json(body);
    }
    let fields = form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned()));
    let fields = serde_json::Map::from_iter(fields.map(|(name, value)| (name, value.into())));
    // Bytes that are not UTF-8 were replaced: a password with them would not be what was typed.
    if fields.values().any(|value| value.as_str().is_some_and(|text| text.contains('\u{fffd}'))) {
        return Err(UnreadableBody("a form in UTF-8"));
    }
    T::deserialize(serde_json::Value::Object(fields)).map_err(|_| UnreadableBody("a form"))
}

/// A field that is there and not empty.
pub(super) fn given(field: Option<SecretString>) -> Option<SecretString> {
    field.filter(|value| !value.expose_secret().is_empty())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fields {
        pin: Option<SecretString>,
    }

    fn pin(read: Result<Fields, UnreadableBody>) -> Option<String> {
        read.unwrap().pin.map(|pin| pin.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn a_query_has_the_first_token_or_none() {
        for (query, token) in [
            ("/?token=a%2Bb", Some("a+b")),
            ("/?lang=de&token=a&token=b", Some("a")),
            ("/?token=%FF", Some("\u{fffd}")),
            ("/?token=", None),
            ("/?tokens=a", None),
            ("/", None),
        ] {
            let (mut parts, ()) = axum::http::Request::get(query).body(()).unwrap().into_parts();
            let found = TokenQuery::from_request_parts(&mut parts, &()).await.unwrap().token();
            assert_eq!(found.as_ref().map(ExposeSecret::expose_secret), token, "{query}");
        }
    }

    #[test]
    fn forms_and_json_give_the_same_fields() {
        for body in ["pin=%C3%A4+b&other=1", "{\"pin\": \"ä b\", \"other\": 1}", "  {\"pin\":\"ä b\"}"] {
            assert_eq!(pin(read_fields(body.as_bytes())).as_deref(), Some("ä b"), "{body}");
        }
        for body in ["", "pinn=1", "{}", "{\"pin\": null}"] {
            assert_eq!(pin(read_fields(body.as_bytes())), None, "{body}");
        }
    }

    #[test]
    fn a_form_in_another_encoding_is_unreadable() {
        for body in [b"pin=%E4".as_slice(), b"pin=\xe4", b"pin=1&password=%FF"] {
            assert!(read_fields::<Fields>(body).is_err());
        }
    }

    #[test]
    fn other_json_is_unreadable() {
        for body in
            ["[]", "[\"4711\"]", "null", "\"pin\"", "{\"pin\": 4711}", "{\"pin\": ", "{} {}", "\u{feff}{}"]
        {
            assert!(read_json::<Fields>(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(pin(read_json(b" \n")), None);
    }
}

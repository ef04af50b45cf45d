//! Queries: any bytes that a URL can hold are read, and the token of a link is read as it was made.

#![no_main]

#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;

use axum::extract::FromRequestParts as _;
use axum::http::{Request, Uri};
use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use secrecy::{ExposeSecret as _, SecretString};

/// The token that is read from a URL. Reading waits for nothing, and refuses nothing.
fn token(uri: Uri) -> Option<SecretString> {
    let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
    let Ok(query) = fields::TokenQuery::from_request_parts(&mut parts, &()).now_or_never().unwrap();
    query.token()
}

fuzz_target!(|bytes: &[u8]| {
    let path = [b"/?".as_slice(), bytes].concat();
    if let Ok(uri) = Uri::try_from(path) {
        let _ = token(uri);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let query = url::form_urlencoded::Serializer::for_suffix("/?".to_owned(), 2).append_pair("token", text).finish();
    let Ok(uri) = Uri::try_from(query) else { return };
    assert_eq!(token(uri).as_ref().map_or("", |token| token.expose_secret()), text);
});

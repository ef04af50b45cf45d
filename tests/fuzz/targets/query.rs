//! Queries: any bytes that a URL can hold are read or refused, and the token of a link is read as it was made.

#![no_main]

#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;

use axum::extract::Query;
use axum::http::Uri;
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret as _;

fuzz_target!(|bytes: &[u8]| {
    let path = [b"/?".as_slice(), bytes].concat();
    if let Ok(uri) = Uri::try_from(path) {
        match Query::<fields::TokenQuery>::try_from_uri(&uri) {
            Ok(Query(query)) => {
                let _ = query.token();
            }
            // The reason goes to whoever asked. It names fields, and never what they hold.
            Err(refused) => assert!(refused.body_text().len() < 200, "{}", refused.body_text()),
        }
    }
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let query = url::form_urlencoded::Serializer::for_suffix("/?".to_owned(), 2).append_pair("token", token).finish();
    let Ok(uri) = Uri::try_from(query) else { return };
    let Query(query) = Query::<fields::TokenQuery>::try_from_uri(&uri).unwrap();
    let read = query.token();
    assert_eq!(read.as_ref().map_or("", |token| token.expose_secret()), token);
});

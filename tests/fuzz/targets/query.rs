//! Queries: any bytes that a URL can hold are read, the token of a link is read as it was made, and the language is one
//! of those that there are.

#![no_main]

#[path = "../../../host/src/http/audience.rs"]
#[allow(dead_code, reason = "what the rest of the host uses")]
mod audience;
#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;
#[path = "../../../host/src/http/language.rs"]
#[allow(dead_code, reason = "what the rest of the host uses")]
mod language;

use axum::extract::FromRequestParts as _;
use axum::http::{Request, Uri};
use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use audience::Audience;

/// The token that is read from a URL, and the language of the answer where the URL chooses one. Reading waits for nothing,
/// and refuses nothing.
fn read(uri: &Uri) -> (Option<SecretString>, Option<&'static str>) {
    let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
    let Ok(query) = fields::TokenQuery::from_request_parts(&mut parts, &()).now_or_never().unwrap();
    let Ok(audience) = Audience::from_request_parts(&mut parts, &()).now_or_never().unwrap();
    (query.token(), audience.has_chosen.then_some(audience.language.tag))
}

/// The languages that a query names, in its order.
fn named(uri: &Uri) -> Vec<String> {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.filter(|(name, _)| name == "lang").map(|(_, tag)| tag.to_ascii_lowercase()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let path = [b"/?".as_slice(), bytes].concat();
    if let Ok(uri) = Uri::try_from(path) {
        let (_, chosen) = read(&uri);
        let known = ["en", "de", "id", "ja"];
        assert_eq!(chosen, named(&uri).iter().find_map(|tag| known.into_iter().find(|known| known == tag)));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut query = form_urlencoded::Serializer::for_suffix("/?".to_owned(), 2);
    let query = query.append_pair("lang", text).append_pair("token", text).append_pair("lang", "ja").finish();
    let Ok(uri) = Uri::try_from(query) else { return };
    let (token, chosen) = read(&uri);
    assert_eq!(token.as_ref().map_or("", |token| token.expose_secret()), text);
    assert!(chosen.is_some(), "the one that there is: {chosen:?}");
});

//! Something that pages load: public and the same for everybody, so that browsers may keep it a while, and ask
//! afterwards only whether it is still the same.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// Content below this gains less from compressing than the headers about it take.
const WORTH_COMPRESSING: usize = 1024;

/// Something that pages load.
#[derive(Clone, Debug)]
pub(super) struct Asset {
    kind: &'static str,
    plain: Variant,
    /// Compressed, where that makes it shorter.
    compressed: Option<Variant>,
}

#[derive(Clone, Debug)]
struct Variant {
    content: Bytes,
    tag: HeaderValue,
}

impl Asset {
    /// Prepares content of a media type.
    pub(super) fn new(kind: &'static str, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let hash = hex::encode(&Sha256::digest(&content)[..12]);
        let variant = |content: Bytes, suffix: &str| Variant {
            content,
            tag: HeaderValue::try_from(format!("\"{hash}{suffix}\"")).expect("digits and letters in quotes"),
        };
        let compressed = compress(&content).map(|compressed| variant(compressed, "-gz"));
        Self { kind, plain: variant(content, ""), compressed }
    }

    /// The content, compressed for those who take it; 304 for those who have it.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let compressed = self.compressed.as_ref().filter(|_| takes_gzip(headers));
        let variant = compressed.unwrap_or(&self.plain);
        let about = [
            (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
            (ETAG, variant.tag.clone()),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if has(headers, &variant.tag) {
            return (StatusCode::NOT_MODIFIED, about).into_response();
        }
        let kind = [(CONTENT_TYPE, self.kind)];
        let encoding = compressed.map(|_| [(CONTENT_ENCODING, "gzip")]);
        match encoding {
            Some(encoding) => (about, kind, encoding, variant.content.clone()).into_response(),
            None => (about, kind, variant.content.clone()).into_response(),
        }
    }
}

fn compress(content: &[u8]) -> Option<Bytes> {
    if content.len() < WORTH_COMPRESSING {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; if it did, the content would go out as it is.
    encoder.write_all(content).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < content.len() / 10 * 9).then(|| compressed.into())
}

/// Whether the client names gzip without refusing it.
fn takes_gzip(headers: &HeaderMap) -> bool {
    list(headers, &ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().trim_start_matches(['q', 'Q', '=']).parse().unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}

/// Whether the client has what the tag names.
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    list(headers, &IF_NONE_MATCH)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given).as_bytes() == tag.as_bytes())
}

fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    async fn answer(asset: &Asset, headers: &[(HeaderName, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let (parts, body) = asset.answer(&headers).into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn who_takes_gzip_gets_the_same_content_compressed() {
        let content = "something that is said again and again; ".repeat(100);
        let asset = Asset::new("text/plain", content.clone());
        for (accepted, compressed) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("", false),
        ] {
            let (status, headers, body) = answer(&asset, &[(ACCEPT_ENCODING, accepted)]).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(headers[VARY], "accept-encoding");
            assert_eq!(headers.get(CONTENT_ENCODING).is_some(), compressed, "{accepted}");
            let mut read = String::new();
            match compressed {
                true => flate2::read::GzDecoder::new(body.as_slice()).read_to_string(&mut read).unwrap(),
                false => body.as_slice().read_to_string(&mut read).unwrap(),
            };
            assert_eq!(read, content);
            assert!(!compressed || body.len() * 10 < content.len());
        }
    }

    #[tokio::test]
    async fn who_has_it_is_told_that_it_is_the_same_and_who_has_another_gets_it() {
        let (asset, other) =
            (Asset::new("text/plain", "a".repeat(2000)), Asset::new("text/plain", "b".repeat(2000)));
        for accepted in ["gzip", "identity"] {
            let (_, headers, _) = answer(&asset, &[(ACCEPT_ENCODING, accepted)]).await;
            let tag = headers[ETAG].to_str().unwrap();
            for given in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
                let asked = [(ACCEPT_ENCODING, accepted), (IF_NONE_MATCH, given.as_str())];
                let (status, headers, body) = answer(&asset, &asked).await;
                assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{given}");
                assert!(headers.contains_key(CACHE_CONTROL) && headers[ETAG] == tag);
            }
            let asked = [(ACCEPT_ENCODING, accepted), (IF_NONE_MATCH, tag)];
            assert_eq!(answer(&other, &asked).await.0, StatusCode::OK);
        }
        let tag = async |encoding| answer(&asset, &[(ACCEPT_ENCODING, encoding)]).await.1[ETAG].clone();
        assert_ne!(tag("gzip").await, tag("identity").await, "the bytes differ, so do their names");
    }
}

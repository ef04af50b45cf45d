//! Requests that change something come from our own pages, or from clients that are no browsers.

use axum::extract::Request;
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use url::Url;

use super::Services;
use super::answer::{NextStep, Notice};
use super::audience::Audience;

/// The answer to a POST request that another site's page made a browser send.
pub(super) fn refusal(services: &Services, request: &Request, audience: &Audience) -> Option<Response> {
    if request.method() != Method::POST || !is_from_elsewhere(request.headers(), &services.public_url) {
        return None;
    }
    let notice = Notice {
        status: StatusCode::FORBIDDEN,
        outcome: "other-site",
        phrase: "other-site".into(),
        next: NextStep::Nothing,
    };
    Some(notice.answer(audience, services))
}

/// Browsers tell with `Sec-Fetch-Site` where a request comes from. Those that do not know it send
/// an `Origin`, which is `null` for our own pages because of their `Referrer-Policy`. So it is for any page that hides
/// where it is, which such a browser cannot be kept from: what it would send lacks the token and the PIN, and here is
/// nobody's login to abuse. Clients that are no browsers send neither.
fn is_from_elsewhere(headers: &HeaderMap, public_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("").to_owned());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site.as_str(), "same-origin" | "none");
    }
    text(ORIGIN.as_str())
        .is_some_and(|origin| origin != "null" && origin != public_url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_and_clients_without_the_headers_may_post() {
        let public_url = Url::parse("https://cloud.example.org/setpass/").unwrap();
        for (name, value, elsewhere) in [
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "none", false),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "", true),
            ("origin", "https://cloud.example.org", false),
            ("origin", "null", false),
            ("origin", "http://cloud.example.org", true),
            ("origin", "https://evil.example.com", true),
            ("x-other", "https://evil.example.com", false),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(is_from_elsewhere(&headers, &public_url), elsewhere, "{name}: {value}");
        }
    }
}

use axum::body::Body;
use axum::routing::get;
use axum::{Router, middleware};
use serde::Deserialize;
use tower::ServiceExt as _;

use super::*;
use crate::http::tests::Served;

fn trusted() -> TrustedProxies {
    #[derive(Deserialize)]
    struct Section {
        proxies: TrustedProxies,
    }
    let text = "proxies = [\"192.0.2.1\", \"10.0.0.0/8\", \"2001:db8:aa::/48\"]";
    toml::from_str::<Section>(text).unwrap().proxies
}

#[track_caller]
fn expect(peer: &str, header: ForwardedHeader, lines: &[(&str, &str)], client: &str) {
    let headers: HeaderMap = lines
        .iter()
        .map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.as_bytes().try_into().unwrap())
        })
        .collect();
    let found = behind(peer.parse().unwrap(), &headers, &trusted(), header);
    assert_eq!(found.to_string(), client, "{peer}: {lines:?}");
}

#[test]
fn of_x_forwarded_for_only_what_trusted_proxies_wrote_counts() {
    for (peer, lines, client) in [
        ("203.0.113.5", &[][..], "203.0.113.5"),
        ("192.0.2.1", &[], "192.0.2.1"),
        ("203.0.113.5", &["198.51.100.7"], "203.0.113.5"),
        ("192.0.2.1", &["198.51.100.7"], "198.51.100.7"),
        ("::ffff:192.0.2.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", &["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", &["198.51.100.7, 10.1.1.1,10.1.1.2"], "198.51.100.7"),
        ("192.0.2.1", &["198.51.100.7", "10.1.1.1", "2001:db8:aa::1"], "198.51.100.7"),
        ("192.0.2.1", &["10.1.1.1, 10.1.1.2"], "10.1.1.1"),
        ("192.0.2.1", &["198.51.100.7:4711"], "198.51.100.7"),
        ("192.0.2.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        ("192.0.2.1", &["2001:db8::7"], "2001:db8::7"),
        ("192.0.2.1", &["1.2.3.4, unknown"], "192.0.2.1"),
        ("192.0.2.1", &["1.2.3.4, unknown, 10.1.1.1"], "10.1.1.1"),
        ("192.0.2.1", &["1.2.3.4,"], "192.0.2.1"),
        ("192.0.2.1", &["\u{e4} \", 198.51.100.7"], "198.51.100.7"),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        expect(peer, ForwardedHeader::XForwardedFor, &lines, client);
    }
}

#[test]
fn of_forwarded_only_what_trusted_proxies_wrote_counts() {
    for (peer, lines, client) in [
        ("203.0.113.5", &["for=198.51.100.7"][..], "203.0.113.5"),
        ("192.0.2.1", &["for=198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", &["For=\"198.51.100.7:80\";proto=https;by=192.0.2.1"], "198.51.100.7"),
        ("192.0.2.1", &["proto=https; for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
        ("192.0.2.1", &["for=1.2.3.4, for=198.51.100.7, for=10.1.1.1"], "198.51.100.7"),
        ("192.0.2.1", &["for=1.2.3.4", "for=198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", &["for=1.2.3.4, for=_hidden"], "192.0.2.1"),
        ("192.0.2.1", &["for=1.2.3.4, proto=https"], "192.0.2.1"),
        ("192.0.2.1", &["for=\"1.2.3.4, for=198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", &["for=1.2.3.4;x=\", for=\"[2001:db8::7]\""], "2001:db8::7"),
        ("192.0.2.1", &["for=198.51.100.7;host=\"a,b;for=1.2.3.4\""], "198.51.100.7"),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        expect(peer, ForwardedHeader::Forwarded, &lines, client);
    }
}

/// A proxy passes the header that it does not write on as the client wrote it.
#[test]
fn the_header_that_the_proxies_do_not_write_is_ignored() {
    let lines = [("forwarded", "for=1.2.3.4"), ("x-forwarded-for", "198.51.100.7"), ("x-real-ip", "1.2.3.4")];
    expect("192.0.2.1", ForwardedHeader::XForwardedFor, &lines, "198.51.100.7");
    expect("192.0.2.1", ForwardedHeader::Forwarded, &lines, "1.2.3.4");
}

#[test]
fn a_client_is_one_address_of_ipv4_and_64_bits_of_ipv6() {
    for (address, network) in [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:3::", "2001:db8:1:3::"),
    ] {
        assert_eq!(ClientAddress(address.parse().unwrap()).network().to_string(), network);
    }
}

#[tokio::test]
async fn handlers_are_told_the_address_and_an_unspecified_one_where_there_is_no_connection() {
    let served = Served::new().await;
    let services = Services { trusted_proxies: trusted(), ..served.services };
    let router = Router::new()
        .route("/", get(async |ClientAddress(address): ClientAddress| address.to_string()))
        .layer(middleware::map_request(move |mut request: axum::extract::Request| {
            note(&services, &mut request);
            std::future::ready(request)
        }));
    for (peer, told) in [
        (None, "0.0.0.0"),
        (Some("192.0.2.1:50000"), "198.51.100.7"),
        (Some("[::ffff:203.0.113.5]:50000"), "203.0.113.5"),
    ] {
        let mut request =
            Request::get("/").header("x-forwarded-for", "198.51.100.7").body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
        }
        let response = router.clone().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body, told, "{peer:?}");
    }
}

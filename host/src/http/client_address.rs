//! Who asks: the address of the client, also where a trusted proxy asks for it.
//!
//! Only what a trusted proxy says counts, and of that only what trusted proxies wrote: each of them appends whom it
//! was asked by, so the list is read from its end, up to the first address that is no trusted proxy's. What
//! stands before that was written by the client, and may be anything.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::header::{FORWARDED, HeaderName};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

use super::Services;
use crate::client_network;
use crate::settings::setpass::proxies::{ForwardedHeader, TrustedProxies};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address; the unspecified one where it is not known. One of IPv4 is never written as one of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// The address that stands for all that one client may use.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        client_network::of(self.0)
    }

    /// The address, where it is known.
    #[must_use]
    pub fn known(self) -> Option<IpAddr> {
        (self != Self::UNKNOWN).then_some(self.0)
    }

    pub(super) fn of_extensions(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self::UNKNOWN)
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of_extensions(&parts.extensions))
    }
}

/// Finds out the client's address, for the extractor.
pub(super) fn note(services: &Services, request: &mut Request) {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address =
            behind(peer.ip(), request.headers(), &services.trusted_proxies, services.forwarded_header);
        request.extensions_mut().insert(ClientAddress(address));
    }
}

fn behind(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
    written_in: ForwardedHeader,
) -> IpAddr {
    let mut address = peer.to_canonical();
    if !trusted.contain(address) {
        return address;
    }
    let name = match written_in {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => FORWARDED,
    };
    let lines: Vec<_> =
        headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let hops = lines.iter().rev().flat_map(|line| from_the_end(line, ','));
    for hop in hops {
        let node = match written_in {
            ForwardedHeader::XForwardedFor => Some(hop.trim()),
            ForwardedHeader::Forwarded => forwarded_for(hop),
        };
        // Who cannot be told apart counts as the last proxy that can.
        let Some(found) = node.and_then(node_address) else { break };
        address = found;
        if !trusted.contain(address) {
            break;
        }
    }
    address
}

/// The parts between separators, the last one first. A separator within quotes is none.
///
/// Read from the end, what a client left open in its own part cannot swallow what a proxy appended to it. Proxies
/// write no escaped quotes, as an address has none.
fn from_the_end(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let cut = text.char_indices().rev().find(|(_, c)| {
            is_quoted ^= *c == '"';
            *c == separator && !is_quoted
        });
        rest = cut.map(|(at, _)| &text[..at]);
        Some(cut.map_or(text, |(at, _)| &text[at + separator.len_utf8()..]))
    })
}

/// The node that an element of `Forwarded` says it asks for.
fn forwarded_for(element: &str) -> Option<&str> {
    from_the_end(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// The address of a node, which may have a port. None for `unknown` and for made-up names.
fn node_address(node: &str) -> Option<IpAddr> {
    let in_brackets = || node.strip_prefix('[')?.split_once(']')?.0.parse::<Ipv6Addr>().ok();
    let found: IpAddr = node
        .parse()
        .ok()
        .or_else(|| in_brackets().map(IpAddr::V6))
        .or_else(|| node.split_once(':')?.0.parse().ok().map(IpAddr::V4))?;
    Some(found.to_canonical())
}

#[cfg(test)]
mod tests;

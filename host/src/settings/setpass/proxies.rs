//! `setpass.trusted_proxies` and `setpass.forwarded_header`: whose word counts about where a request comes from.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The proxies in front of setpass, as addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The header in which the proxies write for whom they ask.
///
/// One and not both: a proxy that writes one of them passes the other on as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// What nearly every proxy writes.
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl TrustedProxies {
    /// Whether one of the proxies has this address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| parse(text).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Self)
    }
}

fn parse(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_| {
        "expected IP addresses and networks of them, such as [\"192.0.2.10\", \"2001:db8::/32\"]".to_owned()
    })?;
    match network == network.trunc() {
        // Addresses are compared as IPv4 where they are that: such a network would contain none.
        true if matches!(network, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some()) => {
            Err("this is a network of IPv4 written as IPv6; write it as IPv4".to_owned())
        }
        true => Ok(network),
        // Who writes so may mean the address or the network: the wrong guess would trust too many.
        false => Err(format!(
            "this is an address within a network; write the address alone, or the network as {}",
            network.trunc()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Section {
        proxies: TrustedProxies,
    }

    #[test]
    fn addresses_and_networks_are_read_and_nothing_else() {
        let Section { proxies } = toml::from_str(
            "proxies = [\"192.0.2.10\", \"10.0.0.0/8\", \"2001:db8::/32\", \"::ffff:198.51.100.7\"]",
        )
        .unwrap();
        for (address, trusted) in [
            ("192.0.2.10", true),
            ("192.0.2.11", false),
            ("10.255.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("11.0.0.1", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("198.51.100.7", true),
        ] {
            assert_eq!(proxies.contain(address.parse().unwrap()), trusted, "{address}");
        }
        for wrong in ["proxy.example.org", "10.0.0.0/33", "10.0.0.1:80", "", "*"] {
            let error = toml::from_str::<Section>(&format!("proxies = [{wrong:?}]")).unwrap_err();
            assert!(error.message().contains("expected IP addresses"), "{wrong}: {error}");
        }
        let error = toml::from_str::<Section>("proxies = [\"10.1.2.3/8\"]").unwrap_err();
        assert!(error.message().contains("10.0.0.0/8"), "{error}");
    }
}

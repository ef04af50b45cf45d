//! How the audit trail names those who send requests.

use std::net::{IpAddr, Ipv6Addr};

use super::Inner;
use crate::settings::setpass::RecordedClient;

/// Other than what limits are counted by: nobody finds in the trail whom a limit is about.
const PSEUDONYM_PURPOSE: &str = "setpass/audit-client";

/// How many bytes of the keyed name are enough to be nobody else's by chance.
const PSEUDONYM_LENGTH: usize = 8;

impl Inner {
    /// What is recorded of an address.
    pub(super) fn client_to_record(&self, client: Option<IpAddr>) -> Option<String> {
        let client = client?.to_canonical();
        match self.recorded_client {
            RecordedClient::Pseudonym => {
                let name = self.keys.fingerprint(PSEUDONYM_PURPOSE, &network(client).to_string());
                Some(hex::encode(&name[..PSEUDONYM_LENGTH]))
            }
            RecordedClient::Address => Some(client.to_string()),
            RecordedClient::Nothing => None,
        }
    }
}

/// What one client has for itself: an address of IPv4, or a network of 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_one_household_are_one_client() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}

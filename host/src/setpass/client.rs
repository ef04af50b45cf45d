//! How the audit trail names those who send requests.

use std::net::IpAddr;

use super::Inner;
use crate::client_network;
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
                let name = self.keys.fingerprint(PSEUDONYM_PURPOSE, &client_network::of(client).to_string());
                Some(hex::encode(&name[..PSEUDONYM_LENGTH]))
            }
            RecordedClient::Address => Some(client.to_string()),
            RecordedClient::Nothing => None,
        }
    }
}

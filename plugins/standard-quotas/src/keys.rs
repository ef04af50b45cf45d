//! The quota keys of OpenStack, and which service keeps each.

use usher_plugin::types::QuotaService;

use crate::similar::nearest;

const NETWORK: [&str; 9] = [
    "floatingip",
    "network",
    "port",
    "rbac_policy",
    "router",
    "security_group",
    "security_group_rule",
    "subnet",
    "subnetpool",
];

const COMPUTE: [&str; 8] = [
    "cores",
    "injected_file_content_bytes",
    "injected_file_path_bytes",
    "injected_files",
    "instances",
    "key_pairs",
    "metadata_items",
    "ram",
];

const VOLUME: [&str; 6] =
    ["backup_gigabytes", "backups", "gigabytes", "per_volume_gigabytes", "snapshots", "volumes"];

const SERVICES: [(QuotaService, &[&str]); 3] =
    [(QuotaService::Network, &NETWORK), (QuotaService::Compute, &COMPUTE), (QuotaService::Volume, &VOLUME)];

/// A key by its name, with the service that keeps it.
///
/// # Errors
/// When no service does: a sentence that names the key and, where there is one, a similar key.
pub fn find(name: &str) -> Result<(&'static str, QuotaService), String> {
    let all = SERVICES.iter().flat_map(|(service, keys)| keys.iter().map(|key| (*key, *service)));
    all.into_iter().find(|(key, _)| *key == name).ok_or_else(|| match similar_to(name) {
        Some(similar) => format!("no service has a quota `{name}` (did you mean `{similar}`?)"),
        None => format!("no service has a quota `{name}`"),
    })
}

/// The key that somebody may have meant with another word.
pub fn similar_to(word: &str) -> Option<&'static str> {
    nearest(word, SERVICES.iter().flat_map(|(_, keys)| keys.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_service() {
        let service = |key| find(key).map(|(_, service)| service);
        assert_eq!(service("floatingip"), Ok(QuotaService::Network));
        assert_eq!(service("key_pairs"), Ok(QuotaService::Compute));
        assert_eq!(service("per_volume_gigabytes"), Ok(QuotaService::Volume));
        assert_eq!(SERVICES.iter().map(|(_, keys)| keys.len()).sum::<usize>(), 23);
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_one() {
        for (word, key) in [
            ("instance", "instances"),
            ("networks", "network"),
            ("floating_ips", "floatingip"),
            ("gigabites", "gigabytes"),
            ("security_groups", "security_group"),
        ] {
            assert_eq!(find(word), Err(format!("no service has a quota `{word}` (did you mean `{key}`?)")));
        }
        assert_eq!(find("happiness"), Err("no service has a quota `happiness`".to_owned()));
    }
}

//! The quota keys of OpenStack, and which service keeps each.

use usher_plugin::types::QuotaService;

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

/// The service that keeps a key.
///
/// # Errors
/// When no service does: a sentence that names the key and, where there is one, a similar key.
pub fn service(key: &str) -> Result<QuotaService, String> {
    let keeper = SERVICES.iter().find(|(_, keys)| keys.contains(&key));
    keeper.map(|&(service, _)| service).ok_or_else(|| match nearest(key) {
        Some(similar) => format!("no service has a quota `{key}` (did you mean `{similar}`?)"),
        None => format!("no service has a quota `{key}`"),
    })
}

/// The key that differs from a word in the fewest letters, if these are few.
fn nearest(word: &str) -> Option<&'static str> {
    let keys = SERVICES.iter().flat_map(|(_, keys)| keys.iter().copied());
    let (distance, key) = keys.map(|key| (edits(word, key), key)).min_by_key(|&(distance, _)| distance)?;
    (distance <= 1 + word.len() / 5).then_some(key)
}

/// The number of letters to insert, delete or replace that turn one word into another (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_service() {
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
            assert_eq!(
                service(word),
                Err(format!("no service has a quota `{word}` (did you mean `{key}`?)"))
            );
        }
        assert_eq!(service("happiness"), Err("no service has a quota `happiness`".to_owned()));
    }

    #[test]
    fn counts_edits() {
        assert_eq!([edits("", "abc"), edits("kitten", "sitting"), edits("same", "same")], [3, 3, 0]);
    }
}

//! Which service keeps a key, and which key was meant where none does.
//!
//! What counts is what the services of this cloud report, not a list of ours: versions and drivers differ.

use super::Limit;
use crate::registration::QuotaService;

/// A key that no service of the cloud keeps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no service of this cloud keeps a quota called {key}; {}", remedy(.nearest.as_deref(), .known))]
pub struct UnknownKey {
    /// The key.
    pub key: String,
    /// The known key that is most like it, if it is at all.
    pub nearest: Option<String>,
    /// All known keys.
    pub known: Vec<String>,
}

fn remedy(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("those that there are: {}", known.join(", ")),
    }
}

/// The service that keeps a key.
///
/// # Errors
/// Where no service does.
pub fn keeper(key: &str, limits: &[Limit]) -> Result<QuotaService, UnknownKey> {
    limits.iter().find(|limit| limit.key == key).map(|limit| limit.service).ok_or_else(|| UnknownKey {
        key: key.to_owned(),
        nearest: nearest_key(key, limits).map(str::to_owned),
        known: limits.iter().map(|limit| limit.key.clone()).collect(),
    })
}

/// The key that differs from a word in the fewest letters, if these are few.
#[must_use]
pub fn nearest_key<'a>(word: &str, limits: &'a [Limit]) -> Option<&'a str> {
    let word = word.trim().to_lowercase().replace('-', "_");
    limits
        .iter()
        .map(|limit| (strsim::levenshtein(&word, &limit.key), limit.key.as_str()))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, _)| distance <= 1 + word.len() / 5)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Vec<Limit> {
        let limit = |service, key: &str| Limit {
            service,
            key: key.to_owned(),
            limit: 1,
            in_use: 0,
            reserved: 0,
            default: None,
        };
        vec![
            limit(QuotaService::Compute, "instances"),
            limit(QuotaService::Network, "floatingip"),
            limit(QuotaService::Network, "network"),
            limit(QuotaService::Volume, "gigabytes"),
        ]
    }

    #[test]
    fn a_key_belongs_to_the_service_that_reports_it() {
        assert_eq!(keeper("instances", &limits()), Ok(QuotaService::Compute));
        assert_eq!(keeper("gigabytes", &limits()), Ok(QuotaService::Volume));
    }

    #[test]
    fn an_unknown_key_is_told_with_the_nearest_one_or_with_all() {
        for (word, meant) in [
            ("instance", "instances"),
            ("networks", "network"),
            ("Floating-IPs", "floatingip"),
            ("gigabites", "gigabytes"),
        ] {
            let error = keeper(word, &limits()).unwrap_err().to_string();
            assert!(error.contains(&format!("called {word}; did you mean {meant}?")), "{error}");
        }
        let error = keeper("happiness", &limits()).unwrap_err();
        assert_eq!(error.nearest, None);
        assert!(error.to_string().contains("instances, floatingip, network, gigabytes"), "{error}");
    }
}

//! Where each service keeps its quotas.
//!
//! Catalogs differ: with and without the API's version, with and without the caller's project at
//! the end, with and without a slash after it.

use url::Url;

use crate::keystone::below;
use crate::registration::QuotaService;

/// The service's own name, for errors.
pub(super) fn name(service: QuotaService) -> &'static str {
    match service {
        QuotaService::Compute => "Nova",
        QuotaService::Network => "Neutron",
        QuotaService::Volume => "Cinder",
    }
}

/// The types under which catalogs list the service, the one that fits best first.
pub(super) fn types(service: QuotaService) -> &'static [&'static str] {
    match service {
        QuotaService::Compute => &["compute"],
        QuotaService::Network => &["network"],
        QuotaService::Volume => &["block-storage", "volumev3", "volume"],
    }
}

/// The URL of a project's quotas below the catalog's endpoint.
pub(super) fn quotas_of(endpoint: &Url, project_id: &str, service: QuotaService) -> Url {
    let collection = match service {
        QuotaService::Compute | QuotaService::Volume => "os-quota-sets",
        QuotaService::Network => "quotas",
    };
    versioned(endpoint, service, &[collection, project_id])
}

/// The URL of Neutron's list of ports below the catalog's endpoint.
pub(super) fn ports(endpoint: &Url) -> Url {
    versioned(endpoint, QuotaService::Network, &["ports"])
}

/// A URL below the API's version, which is put in where the endpoint lacks it.
fn versioned(endpoint: &Url, service: QuotaService, segments: &[&str]) -> Url {
    let version = match service {
        QuotaService::Compute => "v2.1",
        QuotaService::Network => "v2.0",
        QuotaService::Volume => "v3",
    };
    let has_version = endpoint.path_segments().is_some_and(|mut segments| segments.any(is_version));
    match has_version {
        true => below(endpoint, segments),
        false => below(&below(endpoint, &[version]), segments),
    }
}

/// `v2`, `v2.1`, `v3`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_endpoint_leads_to_the_quotas() {
        use QuotaService::{Compute, Network, Volume};
        for (service, endpoint, expected) in [
            (Compute, "http://h:8774/v2.1", "http://h:8774/v2.1/os-quota-sets/p1"),
            (Compute, "http://h:8774/v2.1/", "http://h:8774/v2.1/os-quota-sets/p1"),
            (Compute, "http://h:8774/v2.1/abc", "http://h:8774/v2.1/abc/os-quota-sets/p1"),
            (Compute, "https://h/compute", "https://h/compute/v2.1/os-quota-sets/p1"),
            (Network, "http://h:9696", "http://h:9696/v2.0/quotas/p1"),
            (Network, "http://h:9696/", "http://h:9696/v2.0/quotas/p1"),
            (Network, "https://h/networking/v2.0/", "https://h/networking/v2.0/quotas/p1"),
            (Volume, "http://h:8776/v3/abc", "http://h:8776/v3/abc/os-quota-sets/p1"),
            (Volume, "http://h:8776/v3/abc/", "http://h:8776/v3/abc/os-quota-sets/p1"),
            (Volume, "http://h:8776/v3", "http://h:8776/v3/os-quota-sets/p1"),
            (Volume, "https://h/volume/", "https://h/volume/v3/os-quota-sets/p1"),
        ] {
            assert_eq!(quotas_of(&Url::parse(endpoint).unwrap(), "p1", service).as_str(), expected);
        }
    }

    #[test]
    fn ports_are_below_the_version_too() {
        for (endpoint, expected) in [
            ("http://h:9696", "http://h:9696/v2.0/ports"),
            ("https://h/networking/v2.0/", "https://h/networking/v2.0/ports"),
        ] {
            assert_eq!(ports(&Url::parse(endpoint).unwrap()).as_str(), expected);
        }
    }

    #[test]
    fn a_path_that_only_looks_like_a_version_is_none() {
        assert!(is_version("v3") && is_version("v2.1"));
        assert!(!is_version("volume") && !is_version("v") && !is_version("v3x"));
    }
}

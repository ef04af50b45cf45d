//! The catalog: which services there are, and where.

use std::collections::BTreeSet;

use serde::Deserialize;
use url::Url;

use crate::settings::keystone::Interface;

/// The catalog, as it comes with a token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Catalog(Vec<Service>);

#[derive(Clone, Debug, Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    interface: String,
    region_id: Option<String>,
    /// The older name of `region_id`.
    region: Option<String>,
    url: String,
}

impl Endpoint {
    fn region(&self) -> Option<&str> {
        self.region_id.as_deref().or(self.region.as_deref())
    }
}

/// What the catalog says about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It is there.
    Found(Url),
    /// There is no such service in the region, or not at the interface.
    Absent,
    /// It is in several regions, and none is chosen.
    Several(Vec<String>),
    /// The catalog's URL is none.
    Unusable(String),
}

impl Catalog {
    /// Where the service of the first of these types that the catalog has is.
    pub(crate) fn endpoint(&self, types: &[&str], region: Option<&str>, interface: Interface) -> Lookup {
        let interface = match interface {
            Interface::Public => "public",
            Interface::Internal => "internal",
            Interface::Admin => "admin",
        };
        let fitting = types
            .iter()
            .map(|kind| {
                self.0
                    .iter()
                    .filter(|service| service.kind == **kind)
                    .flat_map(|service| &service.endpoints)
                    .filter(|endpoint| endpoint.interface == interface)
                    .filter(|endpoint| region.is_none() || endpoint.region() == region)
                    .collect::<Vec<_>>()
            })
            .find(|endpoints| !endpoints.is_empty())
            .unwrap_or_default();
        let regions: BTreeSet<&str> = fitting.iter().filter_map(|endpoint| endpoint.region()).collect();
        if regions.len() > 1 {
            return Lookup::Several(regions.into_iter().map(str::to_owned).collect());
        }
        match fitting.first() {
            None => Lookup::Absent,
            Some(endpoint) => match Url::parse(&endpoint.url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => Lookup::Found(url),
                _ => Lookup::Unusable(endpoint.url.clone()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalog() -> Catalog {
        let endpoint = |interface: &str, region: &str, url: &str| json!({ "id": "x", "interface": interface, "region_id": region, "region": region, "url": url });
        serde_json::from_value(json!([
            { "type": "compute", "name": "nova", "id": "1", "endpoints": [
                endpoint("public", "east", "http://east/v2.1"),
                endpoint("public", "west", "http://west/v2.1"),
                endpoint("internal", "east", "http://inside/v2.1"),
            ] },
            { "type": "volume", "endpoints": [endpoint("public", "east", "http://old/v1")] },
            { "type": "volumev3", "endpoints": [endpoint("public", "east", "http://east/v3")] },
            { "type": "network", "endpoints": [endpoint("public", "east", "not a url")] },
            { "type": "empty", "endpoints": [] },
        ]))
        .unwrap()
    }

    fn found(url: &str) -> Lookup {
        Lookup::Found(Url::parse(url).unwrap())
    }

    #[test]
    fn region_and_interface_choose_the_endpoint() {
        let catalog = catalog();
        let compute = |region, interface| catalog.endpoint(&["compute"], region, interface);
        assert_eq!(compute(Some("west"), Interface::Public), found("http://west/v2.1"));
        assert_eq!(compute(None, Interface::Internal), found("http://inside/v2.1"));
        assert_eq!(compute(Some("west"), Interface::Internal), Lookup::Absent);
        assert_eq!(compute(None, Interface::Admin), Lookup::Absent);
    }

    #[test]
    fn several_regions_are_not_guessed_between() {
        let several = Lookup::Several(vec!["east".to_owned(), "west".to_owned()]);
        assert_eq!(catalog().endpoint(&["compute"], None, Interface::Public), several);
    }

    #[test]
    fn the_first_type_that_is_there_wins() {
        let types = ["block-storage", "volumev3", "volume"];
        assert_eq!(catalog().endpoint(&types, None, Interface::Public), found("http://east/v3"));
    }

    #[test]
    fn what_is_not_there_is_absent_and_what_is_no_url_is_told() {
        let catalog = catalog();
        assert_eq!(catalog.endpoint(&["dns"], None, Interface::Public), Lookup::Absent);
        assert_eq!(catalog.endpoint(&["empty"], None, Interface::Public), Lookup::Absent);
        assert!(matches!(catalog.endpoint(&["network"], None, Interface::Public), Lookup::Unusable(_)));
    }
}

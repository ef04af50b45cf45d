//! Ports that no instance holds: those of routers, DHCP servers and load balancers, and those that
//! users made and have not attached.

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::{QuotaError, Quotas, address};
use crate::keystone::Request;
use crate::registration::QuotaService;

/// What the owner of an instance's port begins with; an availability zone follows.
const OF_AN_INSTANCE: &str = "compute:";

#[derive(Deserialize)]
struct Page {
    ports: Vec<Port>,
    #[serde(default)]
    ports_links: Vec<Link>,
}

#[derive(Deserialize)]
struct Port {
    device_owner: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    href: String,
}

impl Quotas {
    /// How many ports of a project no instance holds. One call for each page of Neutron's list, which
    /// most clouds give on one page.
    ///
    /// # Errors
    /// [`QuotaError::Absent`] where the cloud does not have Neutron; else where a call fails.
    pub async fn ports_not_held_by_instances(&self, project_id: &str) -> Result<u64, QuotaError> {
        let service = QuotaService::Network;
        let list = address::ports(&self.endpoint(service).await?);
        let mut count = 0;
        let mut marker: Option<String> = None;
        loop {
            let mut url = list.clone();
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("project_id", project_id);
                query.append_pair("fields", "id").append_pair("fields", "device_owner");
                if let Some(marker) = &marker {
                    query.append_pair("marker", marker);
                }
            }
            let answer = self.keystone.call(Request::new(address::name(service), Method::GET, url)).await?;
            let page: Page = answer.json()?;
            let is_free =
                |port: &&Port| !port.device_owner.as_deref().unwrap_or_default().starts_with(OF_AN_INSTANCE);
            count += page.ports.iter().filter(is_free).fold(0_u64, |sum, _| sum + 1);
            let next = page.ports_links.iter().find(|link| link.rel == "next");
            match next.and_then(|link| next_marker(&link.href)) {
                Some(next) if marker.as_ref() != Some(&next) => marker = Some(next),
                _ => return Ok(count),
            }
        }
    }
}

/// Where the next page starts. Only the marker is taken of the link: its host is what Neutron believes
/// to be its own, which the token must not follow.
fn next_marker(link: &str) -> Option<String> {
    let link = Url::parse(link).ok()?;
    link.query_pairs().find(|(key, _)| key == "marker").map(|(_, marker)| marker.into_owned())
}

//! Quotas of compute, network and volume, through each service's own API.
//!
//! Finds the services in the catalog. Knows nothing of quota requests or policies: it reads limits
//! with their usage, and sets limits.

mod address;
mod error;
mod keys;
mod ports;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::keystone::{Keystone, KeystoneError, Lookup, Request};
use crate::registration::QuotaService;

pub use error::QuotaError;
pub use keys::{UnknownKey, keeper, nearest_key};
pub use read::{AllLimits, Limit};

/// The services that keep quotas. Clones share Keystone's session.
#[derive(Clone, Debug)]
pub struct Quotas {
    keystone: Keystone,
}

impl Quotas {
    /// Quotas of the cloud that this Keystone belongs to.
    #[must_use]
    pub fn new(keystone: Keystone) -> Self {
        Self { keystone }
    }

    /// The services that the cloud has.
    ///
    /// # Errors
    /// Where Keystone does not give a token, or the catalog is wrong.
    pub async fn services(&self) -> Result<BTreeSet<QuotaService>, QuotaError> {
        let mut services = BTreeSet::new();
        for service in QuotaService::ALL {
            match self.endpoint(service).await {
                Ok(_) => {
                    services.insert(service);
                }
                Err(QuotaError::Absent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(services)
    }

    /// Sets limits of a project, all in one call, which is safe to repeat; -1 means unlimited. Without
    /// limits, nothing is called.
    ///
    /// # Errors
    /// [`QuotaError::Absent`] where the cloud does not have the service; the service refuses unknown
    /// keys and, Nova and newer versions of Neutron, limits below what is in use.
    pub async fn set(
        &self,
        project_id: &str,
        service: QuotaService,
        limits: &[(&str, i64)],
    ) -> Result<(), QuotaError> {
        self.put(project_id, service, limits, false).await
    }

    /// Sets limits as [`Quotas::set`] does, also below what is in use.
    ///
    /// # Errors
    /// As above, but for limits below what is in use.
    pub async fn set_even_below_use(
        &self,
        project_id: &str,
        service: QuotaService,
        limits: &[(&str, i64)],
    ) -> Result<(), QuotaError> {
        match service {
            // It does not look at what is in use.
            QuotaService::Volume => self.put(project_id, service, limits, false).await,
            QuotaService::Compute => self.put(project_id, service, limits, true).await,
            QuotaService::Network => match self.put(project_id, service, limits, true).await {
                // Versions that do not know the word do not look at what is in use either.
                Err(QuotaError::Call(KeystoneError::Refused { status: 400, message, .. }))
                    if message.contains("force") =>
                {
                    self.put(project_id, service, limits, false).await
                }
                outcome => outcome,
            },
        }
    }

    async fn put(
        &self,
        project_id: &str,
        service: QuotaService,
        sent: &[(&str, i64)],
        force: bool,
    ) -> Result<(), QuotaError> {
        if sent.is_empty() {
            return Ok(());
        }
        let url = self.quotas_of(project_id, service).await?;
        let limits: BTreeMap<&str, i64> = sent.iter().copied().collect();
        let mut limits = json!(limits);
        if force {
            limits["force"] = true.into();
        }
        let body = match service {
            QuotaService::Network => json!({ "quota": limits }),
            QuotaService::Compute | QuotaService::Volume => json!({ "quota_set": limits }),
        };
        let request = Request::new(address::name(service), Method::PUT, url).body(body);
        let answer = self.keystone.call(request).await?;
        // Nova with unified limits takes the call and sets nothing. An answer that does not name a limit says nothing.
        let set = answer.json::<read::Body>()?.quota_set;
        let keys: Vec<String> = sent
            .iter()
            .filter(|(key, wanted)| {
                set.get(*key).and_then(Value::as_i64).is_some_and(|limit| limit != *wanted)
            })
            .map(|(key, _)| (*key).to_owned())
            .collect();
        match keys.is_empty() {
            true => Ok(()),
            false => Err(QuotaError::NotTaken { service, keys }),
        }
    }

    async fn quotas_of(&self, project_id: &str, service: QuotaService) -> Result<Url, QuotaError> {
        Ok(address::quotas_of(&self.endpoint(service).await?, project_id, service))
    }

    async fn endpoint(&self, service: QuotaService) -> Result<Url, QuotaError> {
        match self.keystone.endpoint(address::types(service)).await? {
            Lookup::Found(url) => Ok(url),
            Lookup::Absent => Err(QuotaError::Absent(service)),
            Lookup::Several(regions) => Err(QuotaError::SeveralRegions { service, regions }),
            Lookup::Unusable(url) => Err(QuotaError::CatalogUrl { service, url }),
        }
    }
}

#[cfg(test)]
mod tests;

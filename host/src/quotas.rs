//! Quotas of compute, network and volume, through each service's own API.
//!
//! Finds the services in the catalog. Knows nothing of quota requests or policies: it reads limits
//! with their usage, and sets limits.

mod address;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::keystone::{Keystone, KeystoneError, Lookup, Request, below};
use crate::registration::QuotaService;

/// The services that keep quotas. Clones share Keystone's session.
#[derive(Clone, Debug)]
pub struct Quotas {
    keystone: Keystone,
}

/// Why quotas could not be read or set.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QuotaError {
    /// The cloud does not have the service.
    #[error(
        "the catalog has no {} service in this region and at this interface; \
         see keystone.region and keystone.interface", .0.name()
    )]
    Absent(QuotaService),
    /// The service is in several regions.
    #[error(
        "the catalog has the {} service in several regions: {}; choose one as keystone.region",
        service.name(), regions.join(", ")
    )]
    SeveralRegions {
        /// The service.
        service: QuotaService,
        /// The regions.
        regions: Vec<String>,
    },
    /// The catalog is wrong.
    #[error("the catalog's URL of the {} service is none: {url}", service.name())]
    CatalogUrl {
        /// The service.
        service: QuotaService,
        /// What stands in the catalog.
        url: String,
    },
    /// The call failed.
    #[error(transparent)]
    Call(#[from] KeystoneError),
}

impl QuotaError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_passing())
    }

    /// Whether nothing answers where the service should be, so that other calls need not try.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_unreachable())
    }
}

/// The answer of Nova and Cinder, and of Neutron.
#[derive(Deserialize)]
struct Body {
    #[serde(alias = "quota")]
    quota_set: Map<String, Value>,
}

/// One limit with its usage: `in_use` with Nova and Cinder, `used` with Neutron.
#[derive(Deserialize)]
struct Detail {
    limit: i64,
    #[serde(alias = "used")]
    in_use: i64,
    #[serde(default)]
    reserved: i64,
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
    /// keys and, Nova and Cinder, limits below what is in use.
    pub async fn set(
        &self,
        project_id: &str,
        service: QuotaService,
        limits: &[(&str, i64)],
    ) -> Result<(), QuotaError> {
        if limits.is_empty() {
            return Ok(());
        }
        let url = self.quotas_of(project_id, service).await?;
        let limits: BTreeMap<&str, i64> = limits.iter().copied().collect();
        let body = match service {
            QuotaService::Network => json!({ "quota": limits }),
            QuotaService::Compute | QuotaService::Volume => json!({ "quota_set": limits }),
        };
        self.keystone.call(Request::new(address::name(service), Method::PUT, url).body(body)).await?;
        Ok(())
    }

    /// The limits of a project, each with its key, the limit (-1 for unlimited), and what is in use
    /// or reserved. One call.
    ///
    /// # Errors
    /// [`QuotaError::Absent`] where the cloud does not have the service; else where the call fails.
    pub async fn get(
        &self,
        project_id: &str,
        service: QuotaService,
    ) -> Result<Vec<(String, i64, i64)>, QuotaError> {
        let quotas = self.quotas_of(project_id, service).await?;
        let url = match service {
            QuotaService::Compute => below(&quotas, &["detail"]),
            QuotaService::Network => below(&quotas, &["details.json"]),
            QuotaService::Volume => {
                let mut url = quotas;
                url.query_pairs_mut().append_pair("usage", "true");
                url
            }
        };
        let answer = self.keystone.call(Request::new(address::name(service), Method::GET, url)).await?;
        let mut limits = Vec::new();
        for (key, value) in answer.json::<Body>()?.quota_set {
            if key == "id" {
                continue;
            }
            let detail: Detail = serde_json::from_value(value)
                .map_err(|_| answer.unintelligible(format!("the limit {key} lacks its usage")))?;
            limits.push((key, detail.limit, detail.in_use.saturating_add(detail.reserved)));
        }
        Ok(limits)
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
mod tests {
    use axum::Json;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;
    use crate::keystone::fake::{Fake, with_catalog, with_token};

    #[tokio::test]
    async fn a_cloud_without_the_service_says_so() {
        let fake = Fake::start(with_token()).await;
        let quotas = Quotas::new(fake.keystone());
        assert!(quotas.services().await.unwrap().is_empty());
        let error = quotas.get("p1", QuotaService::Volume).await.unwrap_err();
        assert!(matches!(error, QuotaError::Absent(QuotaService::Volume)) && !error.is_passing(), "{error}");
        assert!(error.to_string().contains("keystone.region"), "{error}");
    }

    /// A server on which `answer` is what Nova says.
    async fn nova(answer: (StatusCode, Value)) -> (Fake, Fake) {
        let nova = Fake::start(
            axum::Router::new()
                .route("/v2.1/os-quota-sets/p1/detail", get(async move || (answer.0, Json(answer.1)))),
        )
        .await;
        let keystone = Fake::start(with_catalog(json!([{ "type": "compute", "endpoints": [
            { "interface": "public", "region_id": "east", "url": format!("{}/v2.1/", nova.url()) },
        ] }])))
        .await;
        (keystone, nova)
    }

    #[tokio::test]
    async fn limits_are_read_with_what_is_in_use_and_reserved() {
        let body =
            json!({ "quota_set": { "id": "p1", "cores": { "limit": 20, "in_use": 3, "reserved": 1 } } });
        let (keystone, nova) = nova((StatusCode::OK, body)).await;
        let quotas = Quotas::new(keystone.keystone());
        assert_eq!(quotas.services().await.unwrap(), BTreeSet::from([QuotaService::Compute]));
        let limits = quotas.get("p1", QuotaService::Compute).await.unwrap();
        assert_eq!(limits, [("cores".to_owned(), 20, 4)]);
        assert_eq!(nova.calls("GET /v2.1/os-quota-sets/p1/detail"), 1);
    }

    #[tokio::test]
    async fn errors_name_the_service_and_its_words() {
        let body = json!({ "badRequest": { "code": 400, "message": "no such project" } });
        let (keystone, _nova) = nova((StatusCode::BAD_REQUEST, body)).await;
        let error = Quotas::new(keystone.keystone()).get("p1", QuotaService::Compute).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("Nova refuses (400") && text.contains("no such project"), "{text}");
    }

    #[tokio::test]
    async fn an_answer_without_usage_is_not_taken_for_none_in_use() {
        let body = json!({ "quota_set": { "cores": 20 } });
        let (keystone, _nova) = nova((StatusCode::OK, body)).await;
        let error = Quotas::new(keystone.keystone()).get("p1", QuotaService::Compute).await.unwrap_err();
        assert!(error.to_string().contains("cores"), "{error}");
    }
}

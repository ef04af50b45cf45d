//! Reading limits: what is in force, what is in use, and what a project has for which nothing was set.

use std::collections::BTreeMap;

use futures::future::join_all;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{QuotaError, Quotas, address};
use crate::keystone::{Request, below};
use crate::registration::QuotaService;

/// What Nova still names, without keeping it any more: the network's quotas are Neutron's.
const NOT_KEPT_BY_NOVA: [&str; 5] =
    ["fixed_ips", "floating_ips", "networks", "security_group_rules", "security_groups"];

/// A limit as a service reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit; -1 means unlimited.
    pub limit: i64,
    /// How much is in use.
    pub in_use: i64,
    /// How much is reserved besides.
    pub reserved: i64,
    /// What a project has for which nothing was set; none where the service does not say so, or was
    /// not asked.
    pub default: Option<i64>,
}

impl Limit {
    /// What is in use or reserved.
    #[must_use]
    pub fn taken(&self) -> i64 {
        self.in_use.saturating_add(self.reserved)
    }

    /// Whether this value as the limit would be below what is in use or reserved.
    #[must_use]
    pub fn is_below_use(&self, limit: i64) -> bool {
        limit >= 0 && limit < self.taken()
    }
}

/// The limits of a project with every service that the cloud has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllLimits {
    /// The limits, by service and key.
    pub limits: Vec<Limit>,
    /// The services that the catalog does not have.
    pub absent: Vec<QuotaService>,
}

/// The answer of Nova and Cinder, and of Neutron.
#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(alias = "quota")]
    pub quota_set: Map<String, Value>,
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
    /// The limits of a project with one service, in the order of their keys, with usage and defaults.
    /// Two calls, at the same time.
    ///
    /// # Errors
    /// [`QuotaError::Absent`] where the cloud does not have the service; else where a call fails.
    pub async fn get(&self, project_id: &str, service: QuotaService) -> Result<Vec<Limit>, QuotaError> {
        let (limits, defaults) =
            tokio::try_join!(self.limits(project_id, service), self.defaults(project_id, service))?;
        Ok(limits
            .into_iter()
            .map(|limit| Limit { default: defaults.get(&limit.key).copied(), ..limit })
            .collect())
    }

    /// The limits of a project with all services that the cloud has, as [`Quotas::get`]. Two calls for
    /// each service, all at the same time.
    ///
    /// # Errors
    /// Where a call fails. A service that the catalog does not have is no error.
    pub async fn all(&self, project_id: &str) -> Result<AllLimits, QuotaError> {
        let read = QuotaService::ALL.map(|service| self.get(project_id, service));
        let mut all = AllLimits::default();
        for outcome in join_all(read).await {
            match outcome {
                Ok(limits) => all.limits.extend(limits),
                Err(QuotaError::Absent(service)) => all.absent.push(service),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The limits of a project with one service, in the order of their keys, with their usage and
    /// without defaults. One call.
    ///
    /// # Errors
    /// [`QuotaError::Absent`] where the cloud does not have the service; else where the call fails.
    pub async fn limits(&self, project_id: &str, service: QuotaService) -> Result<Vec<Limit>, QuotaError> {
        let mut url = self.quotas_of(project_id, service).await?;
        match service {
            QuotaService::Compute => url = below(&url, &["detail"]),
            QuotaService::Network => url = below(&url, &["details.json"]),
            QuotaService::Volume => {
                url.query_pairs_mut().append_pair("usage", "true");
            }
        }
        let answer = self.keystone.call(Request::new(address::name(service), Method::GET, url)).await?;
        let mut limits = Vec::new();
        for (key, value) in answer.json::<Body>()?.quota_set {
            if !is_limit(service, &key) {
                continue;
            }
            let Detail { limit, in_use, reserved } = serde_json::from_value(value)
                .map_err(|_| answer.unintelligible(format!("the limit {key} lacks its usage")))?;
            limits.push(Limit { service, key, limit, in_use, reserved, default: None });
        }
        limits.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(limits)
    }

    /// What a project has with one service where nothing was set for it, by key. One call.
    ///
    /// # Errors
    /// [`QuotaError::Absent`] where the cloud does not have the service; else where the call fails.
    pub async fn defaults(
        &self,
        project_id: &str,
        service: QuotaService,
    ) -> Result<BTreeMap<String, i64>, QuotaError> {
        let last = match service {
            QuotaService::Compute | QuotaService::Volume => "defaults",
            QuotaService::Network => "default",
        };
        let url = below(&self.quotas_of(project_id, service).await?, &[last]);
        let answer = self.keystone.call(Request::new(address::name(service), Method::GET, url)).await?;
        let mut defaults = BTreeMap::new();
        for (key, value) in answer.json::<Body>()?.quota_set {
            if !is_limit(service, &key) {
                continue;
            }
            let default = value
                .as_i64()
                .ok_or_else(|| answer.unintelligible(format!("the default of {key} is no number")))?;
            defaults.insert(key, default);
        }
        Ok(defaults)
    }
}

/// Whether a key of an answer names a limit that the service keeps.
fn is_limit(service: QuotaService, key: &str) -> bool {
    key != "id" && (service != QuotaService::Compute || !NOT_KEPT_BY_NOVA.contains(&key))
}

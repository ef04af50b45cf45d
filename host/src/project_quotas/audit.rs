//! Which limits nobody has decided: neither the services' defaults, nor what the quota policy gives a new project,
//! nor what was last recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;

use super::reading::notice_of_absence;
use super::{NamedProject, ProjectQuotaError};
use crate::app::App;
use crate::database::LimitValues;
use crate::keystone::Project;
use crate::plugin::{Decision, QuotaContext, QuotaPolicy};
use crate::quotas::{Limit, QuotaError};
use crate::registration::QuotaService;

/// What an audit found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Audit {
    /// How many projects there are.
    pub projects: usize,
    /// The limits that nobody has decided.
    pub unexpected: Vec<UnexpectedLimit>,
    /// What could not be looked at.
    pub failures: Vec<AuditFailure>,
    /// What the operator should know, such as which services the cloud does not have.
    pub notices: Vec<String>,
}

/// A limit that nobody has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnexpectedLimit {
    /// The project.
    pub project: NamedProject,
    /// The service that keeps the limit.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit; -1 means unlimited.
    pub limit: i64,
    /// What a project has for which nothing was set.
    pub default: Option<i64>,
    /// What the quota policy gives such a project when it is new, where it gives anything.
    pub policy: Option<i64>,
    /// What was last decided and applied, where anything was.
    pub recorded: Option<i64>,
}

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditFailure {
    /// The project; none for all that are left.
    pub project: Option<NamedProject>,
    /// The service; none where it is the quota policy that failed.
    pub service: Option<QuotaService>,
    /// Why.
    pub error: String,
}

/// What is the same for all projects.
struct Common<'a> {
    app: &'a App,
    policy: QuotaPolicy,
    services: Vec<ServiceDefaults>,
    recorded: BTreeMap<String, LimitValues>,
}

struct ServiceDefaults {
    service: QuotaService,
    /// What a project has for which nothing was set: with every service that is the same for all.
    defaults: BTreeMap<String, i64>,
    /// Whether nothing answers any more, so that the projects that are left need not try.
    is_down: AtomicBool,
}

/// What one project comes to.
#[derive(Default)]
struct Findings {
    unexpected: Vec<UnexpectedLimit>,
    failures: Vec<AuditFailure>,
    notices: Vec<String>,
}

/// Looks at every project of the domain, as many at a time as the limit of calls allows. What fails for one project
/// leaves the others alone.
///
/// # Errors
/// Where Keystone or the records cannot be read, or the quota policy cannot be loaded.
pub async fn audit(app: &App) -> Result<Audit, ProjectQuotaError> {
    let mut audit = Audit { projects: 0, unexpected: Vec::new(), failures: Vec::new(), notices: Vec::new() };
    let own_project = app.keystone.whoami().await?.project_id;
    let mut projects = app.keystone.projects().await?;
    projects.sort_by_key(|project| project.name.to_lowercase());
    audit.projects = projects.len();
    let mut services = Vec::new();
    let asked =
        QuotaService::ALL.map(async |service| (service, app.quotas.defaults(&own_project, service).await));
    for (service, outcome) in join_all(asked).await {
        match outcome {
            Ok(defaults) => {
                services.push(ServiceDefaults { service, defaults, is_down: AtomicBool::new(false) });
            }
            Err(QuotaError::Absent(service)) => audit.notices.push(notice_of_absence(service)),
            Err(error) => audit.failures.push(failure(None, service, &error)),
        }
    }
    let policy = app.quota_policy().await?;
    let recorded = app.database.last_applied_limits_of_all().await?;
    let common = Common { app, policy, services, recorded };
    let at_a_time = app.keystone.most_calls_at_a_time();
    let mut found = futures::stream::iter(projects.into_iter().map(|project| common.look_at(project)))
        .buffered(at_a_time);
    let mut said = BTreeSet::new();
    while let Some(findings) = found.next().await {
        audit.unexpected.extend(findings.unexpected);
        audit.failures.extend(findings.failures);
        // A policy says the same of every project.
        audit.notices.extend(findings.notices.into_iter().filter(|notice| said.insert(notice.clone())));
    }
    Ok(audit)
}

impl Common<'_> {
    async fn look_at(&self, project: Project) -> Findings {
        let mut findings = Findings::default();
        let context = QuotaContext::new_project(&project.name, &project.description);
        let project = NamedProject::from(project);
        let mut of_policy = LimitValues::new();
        match self.policy.decide(&context).await {
            Ok(Decision::Granted { limits, notices }) => {
                of_policy.extend(limits.into_iter().map(|limit| ((limit.service, limit.key), limit.limit)));
                findings.notices = notices;
            }
            // Such a project would not be made today; the defaults and the records hold all the same.
            Ok(Decision::Denied(_) | Decision::LeftToPeople) => {}
            Err(error) => findings.failures.push(AuditFailure {
                project: Some(project.clone()),
                service: None,
                error: error.to_string(),
            }),
        }
        let nothing = LimitValues::new();
        let recorded = self.recorded.get(&project.id).unwrap_or(&nothing);
        let read = self.services.iter().map(async |known| (known, self.limits(&project, known).await));
        for (known, outcome) in join_all(read).await {
            match outcome {
                Ok(limits) => {
                    findings.unexpected.extend(limits.into_iter().filter_map(|limit| {
                        unexpected(&project, limit, &known.defaults, &of_policy, recorded)
                    }));
                }
                Err(failure) => findings.failures.extend(failure),
            }
        }
        findings
    }

    /// The limits of one service, or why there are none; no reason again where nothing answers there.
    async fn limits(
        &self,
        project: &NamedProject,
        known: &ServiceDefaults,
    ) -> Result<Vec<Limit>, Option<AuditFailure>> {
        if known.is_down.load(Ordering::Relaxed) {
            return Err(None);
        }
        match self.app.quotas.limits(&project.id, known.service).await {
            Ok(limits) => Ok(limits),
            Err(error) if error.is_unreachable() => {
                Err((!known.is_down.swap(true, Ordering::Relaxed))
                    .then(|| failure(None, known.service, &error)))
            }
            Err(error) => Err(Some(failure(Some(project), known.service, &error))),
        }
    }
}

fn failure(project: Option<&NamedProject>, service: QuotaService, error: &QuotaError) -> AuditFailure {
    AuditFailure { project: project.cloned(), service: Some(service), error: error.to_string() }
}

fn unexpected(
    project: &NamedProject,
    limit: Limit,
    defaults: &BTreeMap<String, i64>,
    of_policy: &LimitValues,
    recorded: &LimitValues,
) -> Option<UnexpectedLimit> {
    let default = defaults.get(&limit.key).copied();
    let key = (limit.service, limit.key);
    let (policy, recorded) = (of_policy.get(&key).copied(), recorded.get(&key).copied());
    let is_expected = [default, policy, recorded].contains(&Some(limit.limit));
    let (service, key) = key;
    (!is_expected).then(|| UnexpectedLimit {
        project: project.clone(),
        service,
        key,
        limit: limit.limit,
        default,
        policy,
        recorded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_expected_by_default_by_policy_or_by_record() {
        let project = NamedProject { id: "p1".to_owned(), name: "Physics".to_owned() };
        let key = || (QuotaService::Volume, "volumes".to_owned());
        let defaults = BTreeMap::from([("volumes".to_owned(), 10)]);
        let (of_policy, recorded) = (LimitValues::from([(key(), 5)]), LimitValues::from([(key(), 40)]));
        let look = |limit, of_policy: &LimitValues, recorded: &LimitValues| {
            let (service, key) = key();
            let limit = Limit { service, key, limit, in_use: 0, reserved: 0, default: None };
            unexpected(&project, limit, &defaults, of_policy, recorded)
        };
        for limit in [10, 5, 40] {
            assert_eq!(look(limit, &of_policy, &recorded), None, "{limit}");
        }
        let found = look(-1, &of_policy, &recorded).unwrap();
        assert_eq!((found.default, found.policy, found.recorded), (Some(10), Some(5), Some(40)));
        let nothing = LimitValues::new();
        assert!(look(5, &nothing, &recorded).is_some() && look(40, &of_policy, &nothing).is_some());
        // The same key of another service says nothing.
        let other = LimitValues::from([((QuotaService::Compute, "volumes".to_owned()), 7)]);
        assert!(look(7, &other, &other).is_some());
    }
}

//! What the cloud says of the projects that requests are about.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use crate::app::App;
use crate::batch::BatchError;
use crate::batch::report::counted;
use crate::database::RecordedQuotaDecision;
use crate::keystone::{Project, User};
use crate::mailer;
use crate::quotas::{AllLimits, QuotaError};
use crate::registration::{QuotaService, fold, same_name};

/// What the cloud says of a project, and who belongs to it.
pub(super) struct ProjectFacts {
    /// The project.
    pub project: Project,
    /// Its limits, with their usage; or why they, or its ports, cannot be read.
    pub limits: Result<AllLimits, String>,
    /// Its ports that no instance holds.
    pub ports_not_held_by_instances: u64,
    /// Who has a role there, directly or through a group.
    pub members: Vec<User>,
    /// What was decided about its quotas before.
    pub history: Vec<RecordedQuotaDecision>,
}

impl ProjectFacts {
    /// Whether a person with this address has a role in the project.
    pub(super) fn has_member(&self, address: &str) -> bool {
        let is_hers = |user: &&User| {
            same_name(&user.name, address)
                || user.email.as_deref().is_some_and(|email| same_name(email, address))
        };
        self.members.iter().any(|user| is_hers(&user))
    }

    /// The addresses of the members besides `requester`, each once. Some users have none.
    fn addresses_besides(&self, requester: &str) -> Vec<String> {
        let mut seen = BTreeSet::from([fold(requester)]);
        let enabled = self.members.iter().filter(|user| user.enabled);
        enabled
            .filter_map(|user| user.email.as_deref().map(str::trim))
            .filter(|email| !email.is_empty() && seen.insert(fold(email)))
            .map(str::to_owned)
            .collect()
    }

    /// The members who get a copy. Who does not belong to a project must not learn who does.
    pub(super) fn copies(&self, requester: &str, warnings: &mut Vec<String>) -> Vec<String> {
        if !self.has_member(requester) {
            warnings.push(format!(
                "{requester} has no role in the project {}, so its members get no copy of the mail",
                self.project.name
            ));
            return Vec::new();
        }
        let addresses = self.addresses_besides(requester);
        // One whose address is none must not cost the others their mail.
        let (good, bad): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|address| mailer::check_recipient(address).is_ok());
        if !bad.is_empty() {
            warnings.push(format!(
                "{} in the project {} got no copy of the mail: their addresses are none",
                counted(bad.len(), "member", "members"),
                self.project.name
            ));
        }
        good
    }
}

/// Reads the projects of these names, and those with these ids. What does not exist is left out.
///
/// # Errors
/// Where Keystone or the records fail. What else fails for one project stays with that project.
pub(super) async fn read(
    app: &App,
    names: &BTreeSet<&str>,
    ids: &BTreeSet<&str>,
) -> Result<Vec<ProjectFacts>, BatchError> {
    let named = try_join_all(names.iter().map(|name| app.keystone.find_project(name))).await?;
    let mut projects: BTreeMap<String, Project> =
        named.into_iter().flatten().map(|project| (project.id.clone(), project)).collect();
    let missing = ids.iter().filter(|id| !projects.contains_key(**id));
    let with_id = try_join_all(missing.map(|id| app.keystone.project(id))).await?;
    projects.extend(with_id.into_iter().flatten().map(|project| (project.id.clone(), project)));
    try_join_all(projects.into_values().map(|project| facts(app, project))).await
}

async fn facts(app: &App, project: Project) -> Result<ProjectFacts, BatchError> {
    let (limits, ports_not_held_by_instances) = match limits(app, &project.id).await {
        Ok((limits, ports)) => (Ok(limits), ports),
        Err(error) => (Err(error.to_string()), 0),
    };
    let assignments = app.keystone.roles_on_project(&project.id).await?;
    let ids: BTreeSet<&str> = assignments.iter().map(|assignment| assignment.user_id.as_str()).collect();
    let members = try_join_all(ids.into_iter().map(|id| app.keystone.user(id))).await?;
    let members = members.into_iter().flatten().collect();
    let history = app.database.quota_decisions_of_project(&project.id).await?;
    Ok(ProjectFacts { project, limits, ports_not_held_by_instances, members, history })
}

async fn limits(app: &App, project_id: &str) -> Result<(AllLimits, u64), QuotaError> {
    let limits = app.quotas.all(project_id).await?;
    let ports = match limits.absent.contains(&QuotaService::Network) {
        true => 0,
        false => app.quotas.ports_not_held_by_instances(project_id).await?,
    };
    Ok((limits, ports))
}

//! What the cloud says of the projects that requests are about.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use crate::app::App;
use crate::batch::BatchError;
use crate::keystone::{Project, User};
use crate::quotas::AllLimits;
use crate::registration::{QuotaService, fold, same_name};

/// What the cloud says of a project, and who belongs to it.
pub(super) struct ProjectFacts {
    /// The project.
    pub project: Project,
    /// Its limits, with their usage; or why they cannot be read.
    pub limits: Result<AllLimits, String>,
    /// Its ports that no instance holds.
    pub ports_not_held_by_instances: u64,
    /// Who has a role there, directly or through a group.
    pub members: Vec<User>,
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
    pub(super) fn addresses_besides(&self, requester: &str) -> Vec<String> {
        let mut seen = BTreeSet::from([fold(requester)]);
        let enabled = self.members.iter().filter(|user| user.enabled);
        enabled
            .filter_map(|user| user.email.as_deref().map(str::trim))
            .filter(|email| !email.is_empty() && seen.insert(fold(email)))
            .map(str::to_owned)
            .collect()
    }
}

/// Reads the projects of these names; those that do not exist are left out. By folded name.
///
/// # Errors
/// Where a service cannot be reached. What a service refuses for one project stays with that project.
pub(super) async fn read(
    app: &App,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, ProjectFacts>, BatchError> {
    let found = try_join_all(names.iter().map(|name| project(app, name))).await?;
    Ok(found.into_iter().flatten().map(|facts| (fold(&facts.project.name), facts)).collect())
}

async fn project(app: &App, name: &str) -> Result<Option<ProjectFacts>, BatchError> {
    let Some(project) = app.keystone.find_project(name).await? else { return Ok(None) };
    let limits = match app.quotas.all(&project.id).await {
        Ok(limits) => Ok(limits),
        Err(error) if error.is_passing() => return Err(error.into()),
        Err(error) => Err(error.to_string()),
    };
    let has_network = limits.as_ref().is_ok_and(|limits| !limits.absent.contains(&QuotaService::Network));
    let ports_not_held_by_instances = match has_network {
        true => app.quotas.ports_not_held_by_instances(&project.id).await?,
        false => 0,
    };
    let assignments = app.keystone.roles_on_project(&project.id).await?;
    let ids: BTreeSet<&str> = assignments.iter().map(|assignment| assignment.user_id.as_str()).collect();
    let members = try_join_all(ids.into_iter().map(|id| app.keystone.user(id))).await?;
    let members = members.into_iter().flatten().collect();
    Ok(Some(ProjectFacts { project, limits, ports_not_held_by_instances, members }))
}

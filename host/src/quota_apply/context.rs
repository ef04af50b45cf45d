//! What the quota policy is told.

use jiff::civil::Date;

use super::facts::ProjectFacts;
use super::plan::Work;
use crate::plugin::{CurrentLimit, QuotaContext, QuotaOccasion, QuotaProject, RequestedChange};
use crate::quotas::Limit;

/// What the policy is told.
pub(super) fn context(project: &ProjectFacts, current: &[Limit], work: &Work, today: Date) -> QuotaContext {
    let current = current.iter().cloned().map(CurrentLimit::from);
    QuotaContext {
        occasion: QuotaOccasion::Request(Box::new(RequestedChange {
            request: work.request.clone(),
            is_approved: !work.without_approval,
            requester_is_member: project.has_member(&work.request.email),
            today,
        })),
        project: QuotaProject {
            id: Some(project.project.id.clone()),
            name: project.project.name.clone(),
            description: project.project.description.clone(),
            enabled: project.project.enabled,
            members: project.members.len(),
        },
        current: current.collect(),
        ports_not_held_by_instances: project.ports_not_held_by_instances,
    }
}

//! The role of deciding about quotas.

use std::collections::BTreeSet;

use jiff::civil;

use crate::quotas::Limit;
use crate::registration::{DecidedLimit, QuotaRequest, QuotaService};

use super::bindings::interfaces::types as wit;
use super::bindings::quota_policy::QuotaPolicyPre;
use super::error::PluginError;
use super::local_time::date_to_wit;
use super::role::Role;

const DECIDE: &str = "decide";

/// The component that decides about quotas.
#[derive(Clone)]
pub struct QuotaPolicy {
    role: Role,
}

/// What a policy decides on.
#[derive(Clone, Debug)]
pub struct QuotaContext {
    /// Why quotas are decided.
    pub occasion: QuotaOccasion,
    /// The project.
    pub project: QuotaProject,
    /// The limits in force; empty for a new project.
    pub current: Vec<CurrentLimit>,
    /// Ports of the project that no instance holds.
    pub ports_not_held_by_instances: u64,
}

impl QuotaContext {
    /// A project that is to be created.
    #[must_use]
    pub fn new_project(name: &str, description: &str) -> Self {
        Self {
            occasion: QuotaOccasion::NewProject,
            project: QuotaProject {
                id: None,
                name: name.to_owned(),
                description: description.to_owned(),
                enabled: true,
                members: 0,
            },
            current: Vec::new(),
            ports_not_held_by_instances: 0,
        }
    }
}

/// The project that quotas are decided for.
#[derive(Clone, Debug)]
pub struct QuotaProject {
    /// Keystone's id; none for a project that is to be created.
    pub id: Option<String>,
    /// Name.
    pub name: String,
    /// Description; may be blank.
    pub description: String,
    /// Whether it can be used.
    pub enabled: bool,
    /// How many users have a role there, directly or through a group.
    pub members: usize,
}

/// Why quotas are decided.
#[derive(Clone, Debug)]
pub enum QuotaOccasion {
    /// A project is being created.
    NewProject,
    /// Somebody asks for changes.
    Request(Box<RequestedChange>),
}

/// Somebody asks for changes.
#[derive(Clone, Debug)]
pub struct RequestedChange {
    /// The request.
    pub request: QuotaRequest,
    /// Whether people have approved it; else nobody has decided yet.
    pub is_approved: bool,
    /// Whether the requester has a role in the project.
    pub requester_is_member: bool,
    /// The day of the decision, in the site's time zone.
    pub today: civil::Date,
}

/// A limit as a service reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentLimit {
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
    /// What a project has for which nothing was set, where the service says so.
    pub default: Option<i64>,
}

impl From<Limit> for CurrentLimit {
    fn from(limit: Limit) -> Self {
        let Limit { service, key, limit, in_use, reserved, default } = limit;
        Self { service, key, limit, in_use, reserved, default }
    }
}

/// What a policy decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Limits are to be set.
    Granted {
        /// The limits. What is not listed stays as it is.
        limits: Vec<DecidedLimit>,
        /// What the operator should know.
        notices: Vec<String>,
    },
    /// The request is refused, in words for the requester.
    Denied(String),
    /// People are to decide on a request that waits.
    LeftToPeople,
}

impl QuotaPolicy {
    pub(super) fn new(role: Role) -> Self {
        Self { role }
    }

    /// Decides.
    ///
    /// # Errors
    /// Where the component fails, or decides what cannot be.
    pub async fn decide(&self, context: &QuotaContext) -> Result<Decision, PluginError> {
        let callee = self.role.callee().await;
        let (_place, mut store) = callee.store().await;
        let is_waiting = matches!(&context.occasion, QuotaOccasion::Request(change) if !change.is_approved);
        let context = to_wit(context);
        let decided = callee
            .within_deadline(async {
                let guest = QuotaPolicyPre::new(callee.pre.clone())?.instantiate_async(&mut store).await?;
                guest.call_decide(&mut store, &context).await
            })
            .await
            .map_err(|error| callee.explain(&error, DECIDE, &store))?;
        let decision =
            decision_from_wit(decided).map_err(|reason| callee.bad_answer(DECIDE, None, reason))?;
        match (&decision, is_waiting) {
            (Decision::LeftToPeople, false) => {
                let reason = "the decision is left to people where there is no request that waits for them";
                Err(callee.bad_answer(DECIDE, None, reason.to_owned()))
            }
            _ => Ok(decision),
        }
    }

    /// SHA-256 of the component that runs.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.role.sha256()
    }
}

fn check(granted: &wit::GrantedLimits) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for limit in &granted.limits {
        let service = service_from_wit(limit.service);
        if limit.key.trim().is_empty() {
            return Err("a limit without a key".to_owned());
        }
        if limit.limit < -1 {
            return Err(format!(
                "the limit {} for {}; expected -1 (unlimited) or more",
                limit.limit, limit.key
            ));
        }
        if !seen.insert((service, &limit.key)) {
            return Err(format!("two limits for {} of {}", limit.key, service.name()));
        }
    }
    Ok(())
}

fn decision_from_wit(decision: wit::QuotaDecision) -> Result<Decision, String> {
    match decision {
        wit::QuotaDecision::LeftToPeople => Ok(Decision::LeftToPeople),
        wit::QuotaDecision::Denied(wit::Denial { reason }) if reason.trim().is_empty() => {
            Err("a refusal without a reason".to_owned())
        }
        wit::QuotaDecision::Denied(wit::Denial { reason }) => Ok(Decision::Denied(reason)),
        wit::QuotaDecision::Granted(granted) => {
            check(&granted)?;
            let limits = granted.limits.into_iter().map(|limit| DecidedLimit {
                service: service_from_wit(limit.service),
                key: limit.key,
                limit: limit.limit,
                reason: limit.reason,
            });
            Ok(Decision::Granted { limits: limits.collect(), notices: granted.notices })
        }
    }
}

fn to_wit(context: &QuotaContext) -> wit::QuotaContext {
    wit::QuotaContext {
        occasion: match &context.occasion {
            QuotaOccasion::NewProject => wit::QuotaOccasion::NewProject,
            QuotaOccasion::Request(change) => wit::QuotaOccasion::Request(wit::RequestedChange {
                request: request_to_wit(&change.request),
                approval: match change.is_approved {
                    true => wit::Approval::Approved,
                    false => wit::Approval::Waiting,
                },
                requester_is_member: change.requester_is_member,
                today: date_to_wit(change.today),
            }),
        },
        project: wit::QuotaProject {
            id: context.project.id.clone(),
            name: context.project.name.clone(),
            description: context.project.description.clone(),
            enabled: context.project.enabled,
            members: u32::try_from(context.project.members).unwrap_or(u32::MAX),
        },
        current: context
            .current
            .iter()
            .map(|current| wit::CurrentLimit {
                service: service_to_wit(current.service),
                key: current.key.clone(),
                limit: current.limit,
                in_use: current.in_use,
                reserved: current.reserved,
                default: current.default,
            })
            .collect(),
        ports_not_held_by_instances: context.ports_not_held_by_instances,
    }
}

fn request_to_wit(request: &QuotaRequest) -> wit::QuotaRequest {
    wit::QuotaRequest {
        email: request.email.clone(),
        first_name: request.first_name.clone(),
        last_name: request.last_name.clone(),
        organisation: request.organisation.clone(),
        project: request.project.clone(),
        term: match request.until {
            None => wit::QuotaTerm::Permanent,
            Some(day) => wit::QuotaTerm::Temporary(date_to_wit(day)),
        },
        size: request.size.clone(),
        limits: request
            .limits
            .iter()
            .map(|(key, limit)| wit::WantedLimit { key: key.clone(), limit: *limit })
            .collect(),
        comment: request.comment.clone(),
        notes: request.notes.clone(),
    }
}

fn service_from_wit(service: wit::QuotaService) -> QuotaService {
    match service {
        wit::QuotaService::Compute => QuotaService::Compute,
        wit::QuotaService::Network => QuotaService::Network,
        wit::QuotaService::Volume => QuotaService::Volume,
    }
}

fn service_to_wit(service: QuotaService) -> wit::QuotaService {
    match service {
        QuotaService::Compute => wit::QuotaService::Compute,
        QuotaService::Network => wit::QuotaService::Network,
        QuotaService::Volume => wit::QuotaService::Volume,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(key: &str, limit: i64) -> wit::DecidedLimit {
        wit::DecidedLimit {
            service: wit::QuotaService::Compute,
            key: key.to_owned(),
            limit,
            reason: String::new(),
        }
    }

    #[test]
    fn a_decision_has_sound_limits_each_once() {
        let check = |limits| check(&wit::GrantedLimits { limits, notices: Vec::new() });
        assert_eq!(check(vec![decided("cores", -1), decided("ram", 0)]), Ok(()));
        assert!(check(vec![decided("cores", -2)]).unwrap_err().contains("-2"));
        assert!(check(vec![decided("", 1)]).is_err());
        assert!(check(vec![decided("cores", 1), decided("cores", 1)]).unwrap_err().contains("two limits"));
    }
}

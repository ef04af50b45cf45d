//! What a project may use, what it uses, and what was decided about it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::reading::{self, notice_of_absence};
use super::{NamedProject, ProjectQuotaError, find_project};
use crate::app::App;
use crate::database::{QuotaOutcome, RecordedQuotaDecision};
use crate::quota_decisions::goes_back_to;
use crate::quotas::Limit;
use crate::registration::QuotaService;

/// A project's quotas.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProjectQuotas {
    /// The project.
    pub project: NamedProject,
    /// The limits of each service that the cloud has.
    pub services: Vec<ServiceQuotas>,
    /// Changes in force that are to be undone.
    pub temporary: Vec<TemporaryChange>,
    /// What was decided, the latest first.
    pub decisions: Vec<PastDecision>,
    /// What the operator should know, such as which services the cloud does not have.
    pub notices: Vec<String>,
}

/// The limits of one service.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServiceQuotas {
    /// The service.
    pub service: QuotaService,
    /// The limits; none where the service could not be asked.
    pub limits: Vec<ShownLimit>,
    /// Why it could not be asked.
    pub error: Option<String>,
    /// Whether asking again may help.
    #[serde(skip)]
    pub is_passing: bool,
}

/// A limit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownLimit {
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

/// A change in force that is to be undone.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TemporaryChange {
    /// The service that keeps the limit.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit before; -1 means unlimited.
    pub old: i64,
    /// The limit until it is undone.
    pub new: i64,
    /// From when it is to be undone.
    #[schemars(with = "String")]
    pub ends: Timestamp,
    /// Whether the limit was changed since, and will be left at that.
    pub changed_since: bool,
}

/// What was decided about the project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PastDecision {
    /// When.
    #[schemars(with = "String")]
    pub decided: Timestamp,
    /// `granted` or `denied`.
    pub outcome: &'static str,
    /// Who approved it: `people`, `policy` or `operator`.
    pub approved_by: &'static str,
    /// The denial's words, or the operator's; may be blank.
    pub reason: String,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// The limits.
    pub changes: Vec<PastChange>,
    /// From when it is, or was, to be undone.
    #[schemars(with = "Option<String>")]
    pub ends: Option<Timestamp>,
    /// When all of it was in force.
    #[schemars(with = "Option<String>")]
    pub applied: Option<Timestamp>,
    /// When it was undone.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
}

/// A limit that was decided.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PastChange {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit before; -1 means unlimited.
    pub old: i64,
    /// The limit that was decided.
    pub new: i64,
    /// Why; may be blank.
    pub reason: String,
    /// At the end of a temporary change: `restored`, or `kept` where it was changed meanwhile.
    pub fate: Option<&'static str>,
}

/// Reads a project's quotas. A service that fails is told beside the others.
///
/// # Errors
/// Where there is no such project, or Keystone or the records cannot be read.
pub async fn show(app: &App, project: &str) -> Result<ProjectQuotas, ProjectQuotaError> {
    let project = find_project(app, project).await?;
    let decisions = app.database.quota_decisions_of_project(&project.id).await?;
    let reading = reading::read(&app.quotas, &project.id).await;
    let temporary = temporary(&decisions, &reading.limits());
    let notices = reading.absent.iter().map(|service| notice_of_absence(*service)).collect();
    let answered = reading.read.into_iter().map(|(service, limits)| ServiceQuotas {
        service,
        limits: limits.into_iter().map(shown).collect(),
        error: None,
        is_passing: false,
    });
    let failed = reading.failed.into_iter().map(|(service, error)| ServiceQuotas {
        service,
        limits: Vec::new(),
        error: Some(error.to_string()),
        is_passing: error.is_passing(),
    });
    let mut services: Vec<_> = answered.chain(failed).collect();
    services.sort_by_key(|quotas| quotas.service);
    let decisions = decisions.into_iter().map(past).collect();
    Ok(ProjectQuotas { project, services, temporary, decisions, notices })
}

fn shown(limit: Limit) -> ShownLimit {
    let Limit { service: _, key, limit, in_use, reserved, default } = limit;
    ShownLimit { key, limit, in_use, reserved, default }
}

fn temporary(decisions: &[RecordedQuotaDecision], limits: &[Limit]) -> Vec<TemporaryChange> {
    let in_force = decisions.iter().filter(|recorded| {
        recorded.decision.outcome == QuotaOutcome::Granted
            && recorded.applied.is_some()
            && recorded.ended.is_none()
    });
    let mut temporary = Vec::new();
    for recorded in in_force {
        let Some(ends) = recorded.decision.ends else { continue };
        for change in &recorded.decision.changes {
            let limit =
                limits.iter().find(|limit| limit.service == change.service && limit.key == change.key);
            temporary.push(TemporaryChange {
                service: change.service,
                key: change.key.clone(),
                old: goes_back_to(change, recorded, decisions),
                new: change.new,
                ends,
                changed_since: limit.is_some_and(|limit| limit.limit != change.new),
            });
        }
    }
    temporary.sort_by(|left, right| {
        (left.ends, left.service, &left.key).cmp(&(right.ends, right.service, &right.key))
    });
    temporary
}

fn past(recorded: RecordedQuotaDecision) -> PastDecision {
    let decision = recorded.decision;
    let changes = decision.changes.into_iter().map(|change| PastChange {
        service: change.service,
        key: change.key,
        old: change.old,
        new: change.new,
        reason: change.reason,
        fate: change.fate.map(crate::database::ChangeFate::name),
    });
    PastDecision {
        decided: decision.decided,
        outcome: decision.outcome.name(),
        approved_by: decision.approved_by.name(),
        reason: decision.reason,
        notices: decision.notices,
        changes: changes.collect(),
        ends: decision.ends,
        applied: recorded.applied,
        ended: recorded.ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{QuotaApproval, QuotaChange, QuotaDecision};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn recorded(key: &str, ends: Option<i64>, applied: bool, ended: bool) -> RecordedQuotaDecision {
        let change = QuotaChange {
            service: QuotaService::Compute,
            key: key.to_owned(),
            old: 10,
            new: 20,
            reason: String::new(),
            fate: None,
        };
        let decision = QuotaDecision {
            request: None,
            project_id: "p1".to_owned(),
            project: "Physics".to_owned(),
            requester_email: String::new(),
            requester_name: String::new(),
            decided: at(1),
            outcome: QuotaOutcome::Granted,
            wish: String::new(),
            approved_by: QuotaApproval::People,
            reason: String::new(),
            notices: Vec::new(),
            policy: None,
            ends: ends.map(at),
            changes: vec![change],
        };
        let (applied, ended) = (applied.then(|| at(2)), ended.then(|| at(3)));
        RecordedQuotaDecision { id: 1, decision, applied, warned: None, ended }
    }

    #[test]
    fn temporary_are_changes_in_force_that_end_and_those_changed_since_say_so() {
        let decisions = [
            recorded("cores", Some(900), true, false),
            recorded("ram", Some(800), true, false),
            recorded("instances", None, true, false),
            recorded("key_pairs", Some(900), false, false),
            recorded("server_groups", Some(900), true, true),
        ];
        let limit = |key: &str, limit| Limit {
            service: QuotaService::Compute,
            key: key.to_owned(),
            limit,
            in_use: 0,
            reserved: 0,
            default: None,
        };
        let found = temporary(&decisions, &[limit("cores", 20), limit("ram", 30)]);
        let found: Vec<_> =
            found.iter().map(|change| (change.key.as_str(), change.ends, change.changed_since)).collect();
        assert_eq!(found, [("ram", at(800), true), ("cores", at(900), false)]);
    }
}

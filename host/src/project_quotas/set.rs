//! An operator's own change of a project's limits.
//!
//! It is recorded before anything is set, and marked as applied when all of it is in force. Where a service fails,
//! or the program is killed, the same change made again goes on with the same record, and finishes.

use std::collections::BTreeSet;

use super::reading::{self, Reading};
use super::{BelowUse, NamedProject, ProjectQuotaError, WantedLimit, find_project};
use crate::app::App;
use crate::database::{
    LimitValues, QuotaApproval, QuotaChange, QuotaDecision, QuotaOutcome, RecordedQuotaDecision,
};
use crate::fail_point;
use crate::quota_decisions::is_temporary;
use crate::quotas::{Limit, keeper};
use crate::registration::QuotaService;

/// What is to be set.
#[derive(Clone, Debug)]
pub struct Change {
    /// The project.
    pub project: NamedProject,
    /// The limits that are wanted, by service and key.
    pub limits: Vec<ChangedLimit>,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// Whether limits may be below what is in use.
    force: bool,
    /// The record of the same change, which was not finished.
    unfinished: Option<i64>,
    /// Whether all of it is in force and recorded already.
    pub is_done: bool,
}

/// A limit that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedLimit {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit in force; -1 means unlimited.
    pub old: i64,
    /// The limit that is wanted.
    pub new: i64,
}

/// What became of the limits of one service.
#[derive(Debug)]
pub struct ServiceOutcome {
    /// The service.
    pub service: QuotaService,
    /// Why its limits could not be set; none where they are in force.
    pub error: Option<crate::quotas::QuotaError>,
}

/// Finds out what a change comes to. Nothing is written anywhere.
///
/// # Errors
/// Where there is no such project, no service keeps one of the keys, a limit would be below what is in use
/// (unless forced), or a service that may keep one of the keys cannot be read.
pub async fn plan(
    app: &App,
    project: &str,
    wanted: &[WantedLimit],
    force: bool,
) -> Result<Change, ProjectQuotaError> {
    let project = find_project(app, project).await?;
    let reading = reading::read(&app.quotas, &project.id).await;
    let limits = resolve(wanted, reading, force)?;
    let recorded = app.database.last_applied_limits(&project.id).await?;
    let history = app.database.quota_decisions_of_project(&project.id).await?;
    // What goes back by itself is not what the operator wants to be in force.
    let lasts = |limit: &ChangedLimit| !is_temporary(limit.service, &limit.key, &history);
    let is_done = limits.iter().all(|(limit, _)| is_done(limit, &recorded) && lasts(limit));
    let below = limits.iter().filter_map(|(limit, current)| below_use(limit, current));
    let notices = below.map(|below| below.notice()).collect();
    let limits: Vec<_> = limits.into_iter().map(|(limit, _)| limit).collect();
    let unfinished = history.iter().find(|last| is_unfinished(last, &limits)).map(|last| last.id);
    Ok(Change { project, limits, notices, force, unfinished, is_done: is_done && unfinished.is_none() })
}

/// Records the change and sets the limits, service by service.
///
/// # Errors
/// Where the records cannot be written. What the services say is in the answer.
pub async fn apply(
    app: &App,
    change: &Change,
    reason: &str,
) -> Result<Vec<ServiceOutcome>, ProjectQuotaError> {
    let decision = match change.unfinished {
        Some(unfinished) => Some(unfinished),
        None => app.database.record_quota_decision(&record(app, change, reason)).await?,
    };
    fail_point::reached(|| "quota change recorded".to_owned());
    let services: BTreeSet<QuotaService> = change.limits.iter().map(|limit| limit.service).collect();
    let mut outcomes = Vec::new();
    for service in services {
        let to_set = change.limits.iter().filter(|limit| limit.service == service && limit.old != limit.new);
        let to_set: Vec<(&str, i64)> = to_set.map(|limit| (limit.key.as_str(), limit.new)).collect();
        let set = match change.force {
            true => app.quotas.set_even_below_use(&change.project.id, service, &to_set).await,
            false => app.quotas.set(&change.project.id, service, &to_set).await,
        };
        fail_point::reached(|| format!("quotas of {} set", service.name()));
        outcomes.push(ServiceOutcome { service, error: set.err() });
    }
    if let Some(decision) = decision
        && outcomes.iter().all(|outcome| outcome.error.is_none())
    {
        app.database.mark_quota_applied(decision, app.clock.now()).await?;
    }
    Ok(outcomes)
}

/// The limits that are wanted, each beside the one in force.
fn resolve(
    wanted: &[WantedLimit],
    reading: Reading,
    force: bool,
) -> Result<Vec<(ChangedLimit, Limit)>, ProjectQuotaError> {
    let known = reading.limits();
    let (mut resolved, mut unknown) = (Vec::new(), Vec::new());
    for WantedLimit { key, limit: new } in wanted {
        match keeper(key, &known) {
            Err(error) => unknown.push(error),
            Ok(service) => {
                let current = known.iter().find(|limit| limit.service == service && limit.key == *key);
                resolved.extend(current.map(|current| {
                    let limit = ChangedLimit { service, key: key.clone(), old: current.limit, new: *new };
                    (limit, current.clone())
                }));
            }
        }
    }
    if !unknown.is_empty() {
        // The service that keeps it may be one that does not answer.
        return Err(match reading.failed.into_iter().next() {
            Some((_, error)) => error.into(),
            None => ProjectQuotaError::UnknownKeys { keys: unknown, absent: reading.absent },
        });
    }
    let below: Vec<_> = resolved.iter().filter_map(|(limit, current)| below_use(limit, current)).collect();
    if !force && !below.is_empty() {
        return Err(ProjectQuotaError::BelowUse(below));
    }
    resolved.sort_by(|(left, _), (right, _)| (left.service, &left.key).cmp(&(right.service, &right.key)));
    Ok(resolved)
}

fn below_use(limit: &ChangedLimit, current: &Limit) -> Option<BelowUse> {
    let is_below = limit.new != limit.old && current.is_below_use(limit.new);
    is_below.then(|| BelowUse { key: limit.key.clone(), wanted: limit.new, taken: current.taken() })
}

/// Whether a limit is in force, and recorded so that an audit knows it is meant.
fn is_done(limit: &ChangedLimit, recorded: &LimitValues) -> bool {
    limit.old == limit.new && recorded.get(&(limit.service, limit.key.clone())) == Some(&limit.new)
}

/// Whether a record is of the same change, of which not all was set.
fn is_unfinished(recorded: &RecordedQuotaDecision, limits: &[ChangedLimit]) -> bool {
    recorded.applied.is_none()
        && recorded.decision.approved_by == QuotaApproval::Operator
        && recorded.decision.wish == fingerprint(limits)
}

fn fingerprint(limits: &[ChangedLimit]) -> String {
    let words = limits.iter().map(|limit| format!("{}.{}={}", limit.service.name(), limit.key, limit.new));
    words.collect::<Vec<_>>().join(" ")
}

fn record(app: &App, change: &Change, reason: &str) -> QuotaDecision {
    let changes = change.limits.iter().map(|limit| QuotaChange {
        service: limit.service,
        key: limit.key.clone(),
        old: limit.old,
        new: limit.new,
        reason: String::new(),
        fate: None,
    });
    QuotaDecision {
        request: None,
        project_id: change.project.id.clone(),
        project: change.project.name.clone(),
        requester_email: String::new(),
        requester_name: String::new(),
        decided: app.clock.now(),
        outcome: QuotaOutcome::Granted,
        wish: fingerprint(&change.limits),
        approved_by: QuotaApproval::Operator,
        reason: reason.to_owned(),
        notices: change.notices.clone(),
        policy: None,
        ends: None,
        changes: changes.collect(),
    }
}

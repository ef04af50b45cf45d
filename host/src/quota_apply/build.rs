//! How rows, journal, cloud and policy become a plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use sha2::{Digest as _, Sha256};

use super::facts::ProjectFacts;
use super::plan::{Action, Change, Fate, Plan, PlannedRow, Work};
use crate::database::{JournalRequest, QuotaOutcome, RecordedQuotaDecision, RequestState};
use crate::mailer;
use crate::plugin::{
    CurrentLimit, Decision, QuotaContext, QuotaOccasion, QuotaPolicy, QuotaProject, RequestedChange,
};
use crate::quotas::{Limit, nearest_key};
use crate::registration::{
    Body, DecidedLimit, Outcome, ParsedRow, QuotaRequest, QuotaService, Request, RowNumber, Stage, fold,
};

/// All that a plan depends on.
pub(super) struct Facts<'a> {
    /// The rows to plan for.
    pub rows: &'a [ParsedRow],
    /// What the journal knows of them, by key.
    pub journal: &'a BTreeMap<String, JournalRequest>,
    /// What was decided about them before, by key.
    pub decisions: &'a BTreeMap<String, RecordedQuotaDecision>,
    /// What the cloud says of the projects, by folded name.
    pub projects: &'a BTreeMap<String, ProjectFacts>,
    /// Who decides.
    pub policy: &'a QuotaPolicy,
    /// The site's time zone.
    pub zone: &'a TimeZone,
    /// The time.
    pub now: Timestamp,
    /// What the operator should know besides.
    pub notices: Vec<String>,
}

/// Plans. The policy is asked about one request after the other, each time with the limits as the requests before
/// will have left them.
pub(super) async fn build(facts: Facts<'_>) -> Plan {
    let mut planning = Planning {
        facts: &facts,
        limits: BTreeMap::new(),
        last_row: BTreeMap::new(),
        first_with_key: BTreeMap::new(),
        notices: Vec::new(),
    };
    let mut rows = Vec::with_capacity(facts.rows.len());
    for row in facts.rows {
        rows.push(planning.row(row).await);
    }
    let said = planning.notices;
    let mut notices = facts.notices;
    for notice in said {
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }
    Plan { rows, notices }
}

/// From when a change is undone that lasts until the end of a day in the site's time zone.
fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = day.checked_add(1.day()).ok()?;
    Some(next.to_zoned(zone.clone()).ok()?.timestamp())
}

/// What is asked for, as a fingerprint: the same for a row whose bookkeeping cells were edited, another one for a
/// row that asks for something else.
fn wish(request: &QuotaRequest) -> String {
    let mut limits = request.limits.clone();
    limits.sort();
    let wish = (fold(&request.project), request.until.map(|day| day.to_string()), &request.size, limits);
    let bytes = serde_json::to_vec(&wish).unwrap_or_default();
    hex(&Sha256::digest(bytes)[..16])
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Planning<'a> {
    facts: &'a Facts<'a>,
    /// Limits as the requests planned so far leave them, by the project's id.
    limits: BTreeMap<&'a str, Vec<Limit>>,
    /// The last row about a project that changes something.
    last_row: BTreeMap<&'a str, RowNumber>,
    first_with_key: BTreeMap<&'a str, RowNumber>,
    notices: Vec<String>,
}

impl<'a> Planning<'a> {
    async fn row(&mut self, row: &'a ParsedRow) -> PlannedRow {
        let mut planned = PlannedRow {
            row: row.number,
            user: String::new(),
            project: String::new(),
            fate: Fate::Denied,
            warnings: row.warnings.clone(),
        };
        let request = match &row.outcome {
            Outcome::Rejected(rejection) => {
                planned.user.clone_from(&rejection.requester);
                planned.fate = Fate::Rejected { reason: rejection.reason.clone() };
                return planned;
            }
            Outcome::Request(request) => request,
        };
        let Body::Quota(wanted) = &request.body else {
            planned.fate = Fate::Rejected { reason: "an access request on the quota sheet".to_owned() };
            return planned;
        };
        planned.user = wanted.email.trim().to_owned();
        planned.project = wanted.project.trim().to_owned();
        planned.fate = match &request.stage {
            Stage::Denied => Fate::Denied,
            Stage::Approved => Fate::Unnotified,
            Stage::Waiting { .. } | Stage::Ready => {
                let fate = self.request(row.number, request, wanted, &mut planned.warnings).await;
                match (fate, &request.stage) {
                    (Ok(fate), _) => fate,
                    // Nobody has asked for it yet; who decides will see what is wrong.
                    (Err(_), Stage::Waiting { .. }) => Fate::Waiting,
                    (Err(reason), _) => Fate::Conflict { reason },
                }
            }
        };
        planned
    }

    /// Plans for one request. Its errors are reasons for a conflict.
    async fn request(
        &mut self,
        row: RowNumber,
        request: &'a Request,
        wanted: &'a QuotaRequest,
        warnings: &mut Vec<String>,
    ) -> Result<Fate, String> {
        let first = *self.first_with_key.entry(&request.key).or_insert(row);
        if first != row {
            return Err(format!("the same submission as row {first}; delete one of the two rows"));
        }
        let journal = self.facts.journal.get(&request.key);
        match journal.map(|journal| (journal.state, journal.run)) {
            Some((RequestState::Moved, run)) => {
                return Err(format!(
                    "this submission was finished by run {run}; the row is a copy, delete it"
                ));
            }
            Some((RequestState::Done, _)) => return Ok(Fate::Move { key: request.key.clone() }),
            Some((RequestState::Open, _)) | None => {}
        }
        mailer::check_recipient(&wanted.email).map_err(|error| error.to_string())?;
        let project = self
            .facts
            .projects
            .get(&fold(&wanted.project))
            .ok_or_else(|| format!("there is no project {}; correct the name", wanted.project.trim()))?;
        let decision = self.facts.decisions.get(&request.key);
        let mut work = Work {
            key: request.key.clone(),
            request: wanted.clone(),
            project_id: project.project.id.clone(),
            project: project.project.name.clone(),
            wish: wish(wanted),
            policy: self.facts.policy.sha256(),
            without_approval: !matches!(request.stage, Stage::Ready),
            ends: None,
            notices: Vec::new(),
            actions: Vec::new(),
            after: self.last_row.get(project.project.id.as_str()).copied().into_iter().collect(),
        };
        if let (Some(journal), Some(decision)) = (journal, decision)
            && decision.decision.outcome == QuotaOutcome::Granted
            && !journal.steps.is_empty()
        {
            return self.go_on(row, project, journal, decision, work);
        }
        work.ends = self.ends(wanted)?;
        self.decide(row, project, decision, work, warnings).await
    }

    /// From when a temporary change is undone.
    fn ends(&self, wanted: &QuotaRequest) -> Result<Option<Timestamp>, String> {
        let Some(day) = wanted.until else { return Ok(None) };
        let ends = end_of(day, self.facts.zone).ok_or_else(|| format!("{day} is no day to end on"))?;
        if ends <= self.facts.now {
            return Err(format!(
                "the change was to end on {day}, which is over; correct the end date, or deny it"
            ));
        }
        Ok(Some(ends))
    }

    /// A request that an earlier run began keeps the decision of that run: what was set since would be taken for
    /// the limits of before.
    fn go_on(
        &mut self,
        row: RowNumber,
        project: &'a ProjectFacts,
        journal: &JournalRequest,
        decision: &RecordedQuotaDecision,
        mut work: Work,
    ) -> Result<Fate, String> {
        let decision = &decision.decision;
        let changes: Vec<Change> = decision.changes.iter().map(Change::from).collect();
        work.ends = decision.ends;
        if journal.steps.contains_key(Action::TAKE_BACK) {
            work.actions.push(Action::TakeBack { changes });
            self.last_row.insert(&project.project.id, row);
            return Ok(Fate::Apply(Box::new(work)));
        }
        if decision.wish != work.wish {
            return Err(format!(
                "run {} began this request as it was before somebody edited it; change the row back so that it can be \
                 finished, and make other wishes a request of their own",
                journal.run
            ));
        }
        self.grant(row, project, changes, &mut work);
        Ok(Fate::Apply(Box::new(work)))
    }

    async fn decide(
        &mut self,
        row: RowNumber,
        project: &'a ProjectFacts,
        before: Option<&RecordedQuotaDecision>,
        mut work: Work,
        warnings: &mut Vec<String>,
    ) -> Result<Fate, String> {
        let limits = project.limits.as_ref().map_err(String::clone)?;
        for service in &limits.absent {
            self.note(format!("the catalog has no {} service: its quotas are not set", service.name()));
        }
        let current = self.limits.entry(&project.project.id).or_insert_with(|| limits.limits.clone()).clone();
        let today = self.facts.now.to_zoned(self.facts.zone.clone()).date();
        let context = context(project, &current, &work, today);
        let decided = self.facts.policy.decide(&context).await.map_err(|error| error.to_string())?;
        match decided {
            Decision::LeftToPeople => Ok(Fate::Waiting),
            Decision::Denied(reason) => {
                let is_told = before.is_some_and(|before| {
                    before.decision.outcome == QuotaOutcome::Denied && before.decision.wish == work.wish
                });
                if !is_told {
                    let to = work.request.email.trim().to_owned();
                    work.actions.push(Action::Refuse { to, reason: reason.clone() });
                }
                Ok(Fate::Refuse { reason, work: Box::new(work) })
            }
            Decision::Granted { limits: granted, notices } => {
                warnings.extend(notices.iter().cloned());
                work.notices = notices;
                let changes = self.changes(&current, granted, &limits.absent, warnings);
                self.grant(row, project, changes, &mut work);
                Ok(Fate::Apply(Box::new(work)))
            }
        }
    }

    /// What differs from the limits in force. Keys that no service knows are warnings.
    fn changes(
        &self,
        current: &[Limit],
        granted: Vec<DecidedLimit>,
        absent: &[QuotaService],
        warnings: &mut Vec<String>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for DecidedLimit { service, key, limit, reason } in granted {
            if absent.contains(&service) {
                warnings.push(format!("{key} is not set: the catalog has no {} service", service.name()));
                continue;
            }
            let Some(before) = current.iter().find(|limit| limit.service == service && limit.key == key)
            else {
                let hint = nearest_key(&key, current)
                    .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                warnings
                    .push(format!("the {} service has no quota {key}{hint}; it is left out", service.name()));
                continue;
            };
            if before.limit != limit {
                changes.push(Change { service, key, old: before.limit, new: limit, reason });
            }
        }
        changes
    }

    fn grant(
        &mut self,
        row: RowNumber,
        project: &'a ProjectFacts,
        mut changes: Vec<Change>,
        work: &mut Work,
    ) {
        changes.sort_by(|left, right| (left.service, &left.key).cmp(&(right.service, &right.key)));
        let limits = self.limits.entry(&project.project.id).or_insert_with(|| {
            project.limits.as_ref().map_or_else(|_| Vec::new(), |limits| limits.limits.clone())
        });
        for change in &changes {
            limits
                .iter_mut()
                .filter(|limit| limit.service == change.service && limit.key == change.key)
                .for_each(|limit| limit.limit = change.new);
        }
        for service in QuotaService::ALL {
            let changes: Vec<Change> =
                changes.iter().filter(|change| change.service == service).cloned().collect();
            if !changes.is_empty() {
                work.actions.push(Action::SetQuotas { service, changes });
            }
        }
        let to = work.request.email.trim().to_owned();
        let cc = project.addresses_besides(&to);
        work.actions.push(Action::Announce { to, cc, changes });
        self.last_row.insert(&project.project.id, row);
    }

    /// The same is said once, however many requests it concerns.
    fn note(&mut self, notice: String) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}

/// What the policy is told.
fn context(project: &ProjectFacts, current: &[Limit], work: &Work, today: Date) -> QuotaContext {
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

/// The names of the projects that somebody has to look up.
pub(super) fn projects<'a>(
    rows: &'a [ParsedRow],
    journal: &BTreeMap<String, JournalRequest>,
) -> BTreeSet<&'a str> {
    let open = |key: &str| journal.get(key).is_none_or(|journal| journal.state == RequestState::Open);
    rows.iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Request(Request {
                key,
                stage: Stage::Ready | Stage::Waiting { .. },
                body: Body::Quota(wanted),
            }) if open(key) => Some(wanted.project.trim()),
            _ => None,
        })
        .collect()
}

//! How rows, journal, cloud and policy become a plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::begun::left_alone;
use super::context::context;
use super::facts::ProjectFacts;
use super::plan::{Action, Change, Fate, Plan, PlannedRow, Work};
use super::wish::{end_of, wish};
use crate::database::{JournalRequest, QuotaOutcome, RecordedQuotaDecision, RequestState};
use crate::mailer;
use crate::plugin::{Decision, QuotaPolicy};
use crate::quota_decisions::is_temporary;
use crate::quotas::{Limit, nearest_key};
use crate::registration::{
    Body, DecidedLimit, Outcome, ParsedRow, QuotaRequest, QuotaService, Request, RowNumber, Stage, same_name,
};

/// All that a plan depends on.
pub(super) struct Facts<'a> {
    /// The rows to plan for.
    pub rows: &'a [ParsedRow],
    /// What the journal knows of them, by key.
    pub journal: &'a BTreeMap<String, JournalRequest>,
    /// What was decided about them before, by key.
    pub decisions: &'a BTreeMap<String, RecordedQuotaDecision>,
    /// What the cloud says of the projects.
    pub projects: &'a [ProjectFacts],
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
        temporary: BTreeSet::new(),
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

struct Planning<'a> {
    facts: &'a Facts<'a>,
    /// Limits as the requests planned so far leave them, by the project's id.
    limits: BTreeMap<&'a str, Vec<Limit>>,
    /// Limits that requests planned so far set for a time: project's id, service, key.
    temporary: BTreeSet<(&'a str, QuotaService, String)>,
    /// The last row about a project that changes something.
    last_row: BTreeMap<&'a str, RowNumber>,
    first_with_key: BTreeMap<&'a str, RowNumber>,
    notices: Vec<String>,
}

impl<'a> Planning<'a> {
    async fn row(&mut self, row: &'a ParsedRow) -> PlannedRow {
        let (mut planned, request) = match PlannedRow::begin(row) {
            Ok(begun) => begun,
            Err(no_request) => return no_request,
        };
        let Body::Quota(wanted) = &request.body else {
            planned.fate = Fate::Rejected { reason: "an access request on the quota sheet".to_owned() };
            return planned;
        };
        planned.user = wanted.email.trim().to_owned();
        planned.project = wanted.project.trim().to_owned();
        let is_begun = self
            .facts
            .journal
            .get(&request.key)
            .is_some_and(|journal| journal.state == RequestState::Open && !journal.steps.is_empty());
        planned.fate = match &request.stage {
            Stage::Denied => Fate::Denied,
            Stage::Approved if !is_begun => Fate::Unnotified,
            // What the parser warns of, people have to look at.
            Stage::Waiting { .. } if !is_begun && !row.warnings.is_empty() => Fate::Waiting,
            stage => {
                let fate = self.request(row.number, request, wanted, &mut planned.warnings).await;
                match fate {
                    Ok(fate) => fate,
                    // Nobody has asked for it yet; who decides will see what is wrong.
                    Err(_) if !is_begun && matches!(stage, Stage::Waiting { .. }) => Fate::Waiting,
                    Err(reason) => Fate::Conflict { reason },
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
        let decision = self.facts.decisions.get(&request.key);
        if let (Some(journal), Some(decision)) = (journal, decision)
            && decision.decision.outcome == QuotaOutcome::Granted
            && !journal.steps.is_empty()
        {
            return self.go_on(row, request, wanted, journal, decision, warnings);
        }
        let project = self
            .project_named(&wanted.project)
            .ok_or_else(|| format!("there is no project {}; correct the name", wanted.project.trim()))?;
        let mut work = self.work(request, wanted, project);
        work.ends = self.ends(wanted)?;
        self.decide(row, project, decision, work, warnings).await
    }

    fn project_named(&self, name: &str) -> Option<&'a ProjectFacts> {
        self.facts.projects.iter().find(|facts| same_name(&facts.project.name, name))
    }

    fn work(&self, request: &Request, wanted: &QuotaRequest, project: &ProjectFacts) -> Work {
        let id = project.project.id.as_str();
        Work {
            key: request.key.clone(),
            request: wanted.clone(),
            project_id: id.to_owned(),
            project: project.project.name.clone(),
            wish: wish(wanted, id),
            policy: self.facts.policy.sha256(),
            without_approval: !matches!(request.stage, Stage::Ready),
            ends: None,
            notices: Vec::new(),
            actions: Vec::new(),
            after: self.last_row.get(id).copied().into_iter().collect(),
        }
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

    /// A request that an earlier run began keeps the decision of that run, and its project, whatever that is called
    /// now: what was set since would be taken for the limits of before.
    fn go_on(
        &mut self,
        row: RowNumber,
        request: &Request,
        wanted: &QuotaRequest,
        journal: &JournalRequest,
        decision: &RecordedQuotaDecision,
        warnings: &mut Vec<String>,
    ) -> Result<Fate, String> {
        let (decision, run) = (&decision.decision, journal.run);
        let id = &decision.project_id;
        if self.project_named(&wanted.project).is_some_and(|named| named.project.id != *id) {
            return Err(format!(
                "run {run} began this request about the project {} with the id {id}, and the row is about another one \
                 now; name that project again so that it can be finished",
                decision.project
            ));
        }
        let project = self.facts.projects.iter().find(|facts| facts.project.id == *id).ok_or_else(|| {
            format!(
                "the project {} is gone, and what run {run} began for this request with it; mark the row as denied",
                decision.project
            )
        })?;
        let mut work = self.work(request, wanted, project);
        work.ends = decision.ends;
        let changes: Vec<Change> = decision.changes.iter().map(Change::from).collect();
        if journal.steps.contains_key(Action::TAKE_BACK) {
            work.actions.push(Action::TakeBack { changes });
            self.last_row.insert(&project.project.id, row);
            return Ok(Fate::Apply(Box::new(work)));
        }
        if decision.wish != work.wish {
            return Err(format!(
                "run {run} began this request as it was before somebody edited it; change the row back so that it can be \
                 finished, and make other wishes a request of their own"
            ));
        }
        let changes = left_alone(changes, project, journal, warnings)?;
        self.grant(row, project, changes, &mut work, warnings);
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
                let changes = self.changes(project, &current, granted, &limits.absent, warnings);
                if changes.is_empty() {
                    return Err(
                        "there is nothing to be set: what it asks for is in force already, or no service of \
                                this cloud keeps it; correct the row, or mark it as denied"
                            .to_owned(),
                    );
                }
                self.grant(row, project, changes, &mut work, warnings);
                Ok(Fate::Apply(Box::new(work)))
            }
        }
    }

    /// What differs from the limits in force, and what only a temporary change keeps in force: deciding it anew keeps
    /// it from going back. Keys that no service knows are warnings.
    fn changes(
        &self,
        project: &ProjectFacts,
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
            let id = project.project.id.as_str();
            let goes_back = is_temporary(service, &key, &project.history)
                || self.temporary.contains(&(id, service, key.clone()));
            if before.limit != limit || goes_back {
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
        warnings: &mut Vec<String>,
    ) {
        let id = project.project.id.as_str();
        changes.sort_by(|left, right| (left.service, &left.key).cmp(&(right.service, &right.key)));
        let limits = self.limits.entry(&project.project.id).or_insert_with(|| {
            project.limits.as_ref().map_or_else(|_| Vec::new(), |limits| limits.limits.clone())
        });
        for change in &changes {
            limits
                .iter_mut()
                .filter(|limit| limit.service == change.service && limit.key == change.key)
                .for_each(|limit| limit.limit = change.new);
            let limit = (id, change.service, change.key.clone());
            match work.ends {
                Some(_) => self.temporary.insert(limit),
                None => self.temporary.remove(&limit),
            };
        }
        for service in QuotaService::ALL {
            let is_to_set = |change: &&Change| change.service == service && change.old != change.new;
            let changes: Vec<Change> = changes.iter().filter(is_to_set).cloned().collect();
            if !changes.is_empty() {
                work.actions.push(Action::SetQuotas { service, changes });
            }
        }
        let to = work.request.email.trim().to_owned();
        let cc = project.copies(&to, warnings);
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

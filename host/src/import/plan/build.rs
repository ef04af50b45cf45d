//! How rows, journal and directory become a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::Batch;
use super::{Action, Announcement, Fate, Link, Plan, PlannedRow, Target, Work};
use crate::database::{JournalRequest, RequestState};
use crate::import::directory::Directory;
use crate::keystone::User;
use crate::mailer;
use crate::registration::{
    AccessRequest, Account, Body, DecidedLimit, ParsedRow, ProjectChoice, QuotaService, Request, RowNumber,
    Stage, UsernameRule, fold, same_name,
};
use crate::setpass;

/// All that a plan depends on.
pub struct Facts<'a> {
    /// The rows to plan for.
    pub rows: &'a [ParsedRow],
    /// What the journal knows of them, by key.
    pub journal: &'a BTreeMap<String, JournalRequest>,
    /// What Keystone knows of the names in them.
    pub directory: &'a Directory,
    /// What the quota policy decided, by the folded name of the new project; or why it refused.
    pub quotas: &'a BTreeMap<String, Result<Vec<DecidedLimit>, String>>,
    /// Which part of an address is the user name.
    pub rule: UsernameRule,
    /// The folded name of a project that nobody joins by the sheet: who has a role there administers the cloud.
    pub closed_project: Option<String>,
    /// What the operator should know besides.
    pub notices: Vec<String>,
}

/// Plans.
#[must_use]
pub fn build(facts: Facts<'_>) -> Plan {
    let batch = Batch::survey(&facts);
    let mut first_with_key = BTreeMap::new();
    let mut rows: Vec<PlannedRow> =
        facts.rows.iter().map(|row| plan_row(&facts, &batch, &mut first_with_key, row)).collect();
    spread_conflicts(&mut rows);
    Plan { rows, notices: facts.notices }
}

fn plan_row<'a>(
    facts: &Facts<'a>,
    batch: &Batch,
    first_with_key: &mut BTreeMap<&'a str, RowNumber>,
    row: &'a ParsedRow,
) -> PlannedRow {
    let (mut planned, request) = match PlannedRow::begin(row) {
        Ok(begun) => begun,
        Err(no_request) => return no_request,
    };
    let Body::Access(access) = &request.body else {
        planned.fate = Fate::Rejected { reason: "a quota request on the access sheet".to_owned() };
        return planned;
    };
    planned.user = access.username(facts.rule).to_owned();
    planned.project = access.project.name().trim().to_owned();
    planned.fate = match &request.stage {
        Stage::Waiting { .. } => Fate::Waiting,
        Stage::Denied => Fate::Denied,
        Stage::Approved => Fate::Unnotified,
        Stage::Ready => {
            let first = *first_with_key.entry(&request.key).or_insert(row.number);
            if first == row.number {
                let planning = Planning { facts, batch, row: row.number, warnings: &mut planned.warnings };
                planning.request(request, access).unwrap_or_else(|reason| Fate::Conflict { reason })
            } else {
                let reason = format!("the same submission as row {first}; delete one of the two rows");
                Fate::Conflict { reason }
            }
        }
    };
    planned
}

/// Planning for one request that is ready. Its errors are reasons for a conflict.
struct Planning<'a, 'w> {
    facts: &'a Facts<'a>,
    batch: &'a Batch,
    row: RowNumber,
    warnings: &'w mut Vec<String>,
}

impl Planning<'_, '_> {
    fn request(mut self, request: &Request, access: &AccessRequest) -> Result<Fate, String> {
        let journal = self.facts.journal.get(&request.key);
        match journal.map(|journal| journal.state) {
            Some(RequestState::Moved) => {
                let run = journal.map_or(0, |journal| journal.run);
                return Err(format!(
                    "this submission was finished by run {run}; the row is a copy, delete it"
                ));
            }
            Some(RequestState::Done) => return Ok(Fate::Move { key: request.key.clone() }),
            Some(RequestState::Open) | None => {}
        }
        mailer::check_recipient(&access.email).map_err(|error| error.to_string())?;
        let user = self.user(access)?;
        let project = self.project(access, journal)?;
        let mut actions = Vec::new();
        self.project_actions(access, &project, &mut actions)?;
        if user == Target::Made {
            actions.push(Action::CreateUser {
                name: self.username(access),
                email: access.email.trim().to_owned(),
                description: access.full_name(),
            });
        }
        let project_name = access.project.name().trim().to_owned();
        actions.push(Action::Grant { user: self.username(access), project: project_name });
        if project == Target::Made {
            self.member_actions(access, &mut actions)?;
        }
        actions.push(announce(access, &user, &project));
        if let Some(journal) = journal {
            check_unchanged(journal, &actions, access, &project)?;
            actions.retain(|action| journal.finished(&action.step()).is_none());
        }
        let after = [&user, &project]
            .into_iter()
            .filter_map(|target| match target {
                Target::MadeBy(row) => Some(*row),
                Target::Known(_) | Target::Made => None,
            })
            .collect();
        let work = Work { key: request.key.clone(), request: access.clone(), actions, after, user, project };
        Ok(Fate::Apply(Box::new(work)))
    }

    fn username(&self, access: &AccessRequest) -> String {
        access.username(self.facts.rule).to_owned()
    }

    fn user(&mut self, access: &AccessRequest) -> Result<Target, String> {
        let name = access.username(self.facts.rule);
        let found = self.facts.directory.user(name)?;
        let maker = self.batch.users.get(&fold(name)).copied();
        match (access.account, found, maker) {
            (Account::New, _, Some(row)) if row == self.row => {
                let pin = access.pin.as_ref().ok_or("a new account needs a PIN")?;
                setpass::check_pin(pin).map_err(|error| format!("the row's PIN cannot be used: {error}"))?;
                Ok(Target::Made)
            }
            (Account::New, _, Some(row)) => Err(format!("row {row} creates the user {name} already")),
            (Account::New, Some(_), None) => Err(format!(
                "the user {name} exists already; if it is the requester, answer the question about an existing account with Yes"
            )),
            (Account::New, None, None) => Err(format!("the user {name} cannot be created")),
            (Account::Existing, Some(user), _) => {
                self.check_owner(access, user)?;
                if !user.enabled {
                    self.warnings.push(format!("the user {name} is disabled"));
                }
                Ok(Target::Known(user.id.clone()))
            }
            (Account::Existing, None, Some(row)) => Ok(Target::MadeBy(row)),
            (Account::Existing, None, None) => {
                Err(format!("the requester says to have an account, but there is no user {name}"))
            }
        }
    }

    /// Where names are parts of addresses, two people may have the same. The account is the requester's only if
    /// its address is.
    fn check_owner(&self, access: &AccessRequest, user: &User) -> Result<(), String> {
        match (self.facts.rule, &user.email) {
            (UsernameRule::LocalPart, Some(email)) if !same_name(email, &access.email) => Err(format!(
                "the user {} has another e-mail address than the requester; ask who of them is meant",
                user.name
            )),
            _ => Ok(()),
        }
    }

    fn project(
        &mut self,
        access: &AccessRequest,
        journal: Option<&JournalRequest>,
    ) -> Result<Target, String> {
        let name = access.project.name().trim();
        if self.facts.closed_project.as_ref() == Some(&fold(name)) {
            return Err(format!(
                "the project {name} is the administrators', whom nobody becomes by the sheet; grant the role by hand \
                 if it is really meant"
            ));
        }
        let found = self.facts.directory.project(name)?;
        let maker = self.batch.projects.get(&fold(name)).copied();
        match (&access.project, found, maker) {
            (ProjectChoice::Create { .. }, _, Some(row)) if row == self.row => Ok(Target::Made),
            (_, None, Some(row)) => {
                if matches!(access.project, ProjectChoice::Create { .. }) {
                    self.warnings
                        .push(format!("row {row} creates the project {name}; this request joins it"));
                }
                Ok(Target::MadeBy(row))
            }
            (ProjectChoice::Create { .. }, Some(project), maker) => {
                // An earlier run may have ended between the request that made the project and this
                // one of the same batch, which was to join it.
                let same_batch = project
                    .marker
                    .as_deref()
                    .and_then(|marker| self.facts.directory.batch_of(marker))
                    .is_some_and(|batch| journal.is_some_and(|journal| journal.first_run == batch));
                match maker {
                    Some(row) => Ok(Target::MadeBy(row)),
                    None if same_batch => Ok(Target::Known(project.id.clone())),
                    None => Err(format!(
                        "the project {name} exists already; choose another name, or ask to join it"
                    )),
                }
            }
            (ProjectChoice::Create { .. }, None, None) => {
                Err(format!("the project {name} cannot be created"))
            }
            (ProjectChoice::Join { .. }, Some(project), _) => {
                if !project.enabled {
                    return Err(format!("the project {name} is disabled"));
                }
                Ok(Target::Known(project.id.clone()))
            }
            (ProjectChoice::Join { .. }, None, None) => {
                Err(format!("there is no project {name}; correct the name, or ask for a new project"))
            }
        }
    }

    fn project_actions(
        &self,
        access: &AccessRequest,
        project: &Target,
        actions: &mut Vec<Action>,
    ) -> Result<(), String> {
        let (Target::Made, ProjectChoice::Create { name, description, .. }) = (project, &access.project)
        else {
            return Ok(());
        };
        actions.push(Action::CreateProject {
            name: name.trim().to_owned(),
            description: description.trim().to_owned(),
        });
        let limits = match self.facts.quotas.get(&fold(name)) {
            Some(decided) => decided.as_ref().map_err(String::clone)?,
            None => return Ok(()),
        };
        for service in QuotaService::ALL {
            let limits: Vec<_> = limits.iter().filter(|limit| limit.service == service).cloned().collect();
            if !limits.is_empty() {
                actions.push(Action::SetQuotas { service, limits });
            }
        }
        Ok(())
    }

    fn member_actions(&mut self, access: &AccessRequest, actions: &mut Vec<Action>) -> Result<(), String> {
        let ProjectChoice::Create { name: project, members, .. } = &access.project else {
            return Ok(());
        };
        for name in members {
            let name = name.trim();
            if same_name(name, access.username(self.facts.rule)) {
                continue;
            }
            let Some(user) = self.facts.directory.user(name)? else {
                self.warnings
                    .push(format!("{name} is to join the project {project}, but there is no such user"));
                continue;
            };
            let grant = Action::GrantMember {
                user: user.name.clone(),
                user_id: user.id.clone(),
                project: project.trim().to_owned(),
            };
            if !actions.contains(&grant) {
                actions.push(grant);
            }
        }
        Ok(())
    }
}

/// What an earlier run did for the row before somebody edited it would be forgotten, or taken for
/// what the row asks for now.
fn check_unchanged(
    journal: &JournalRequest,
    actions: &[Action],
    access: &AccessRequest,
    project: &Target,
) -> Result<(), String> {
    let mut wanted: BTreeSet<String> = actions.iter().map(Action::step).collect();
    // The row may go on asking for the new project and find that another row made it in the meantime. A creation
    // that never took effect binds to nothing.
    let creation = Action::create_project_step(access.project.name());
    if *project != Target::Made && journal.finished(&creation).is_none() {
        wanted.insert(creation);
    }
    match journal.steps.keys().find(|step| Action::binds_row(step) && !wanted.contains(*step)) {
        None => Ok(()),
        Some(step) => Err(format!(
            "run {} began this request with the step {step}, which the row does not ask for any more; \
             change the row back so that it can be finished, and make other wishes a request of their own",
            journal.run
        )),
    }
}

fn announce(access: &AccessRequest, user: &Target, project: &Target) -> Action {
    let mut mails = Vec::new();
    if *project == Target::Made {
        mails.push(Announcement::NewProject);
    }
    let link = if *user == Target::Made {
        mails.extend([Announcement::Welcome, Announcement::Password]);
        Link::New
    } else {
        Link::None
    };
    Action::Announce { to: access.email.trim().to_owned(), mails, link }
}

/// A request that depends on a row in conflict is in conflict too.
fn spread_conflicts(rows: &mut [PlannedRow]) {
    loop {
        let reasons: BTreeMap<RowNumber, String> = rows
            .iter()
            .filter_map(|row| match &row.fate {
                Fate::Conflict { reason } => Some((row.row, reason.clone())),
                _ => None,
            })
            .collect();
        let mut changed = false;
        for row in rows.iter_mut() {
            let Fate::Apply(work) = &row.fate else { continue };
            let blocked = work.after.iter().find_map(|on| reasons.get(on).map(|reason| (*on, reason)));
            if let Some((on, reason)) = blocked {
                let reason = format!("waits for row {on}, which cannot be processed: {reason}");
                row.fate = Fate::Conflict { reason };
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

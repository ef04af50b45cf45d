//! What the rows of one batch make for each other.

use std::collections::BTreeMap;

use super::Facts;
use crate::database::RequestState;
use crate::registration::{
    AccessRequest, Account, Body, Outcome, ParsedRow, ProjectChoice, Request, RowNumber, Stage, fold,
};

/// What the rows of one batch make for each other.
pub(super) struct Batch {
    /// The row that makes a project, by the project's folded name.
    pub(super) projects: BTreeMap<String, RowNumber>,
    /// The row that makes a user, by the user's folded name.
    pub(super) users: BTreeMap<String, RowNumber>,
}

impl Batch {
    /// The first row that names a project or user makes it; later ones find it made.
    pub(super) fn survey(facts: &Facts<'_>) -> Self {
        let mut batch = Self { projects: BTreeMap::new(), users: BTreeMap::new() };
        for row in facts.rows {
            let Some((request, access)) = ready(row) else { continue };
            let journal = facts.journal.get(&request.key);
            if journal.is_some_and(|journal| journal.state != RequestState::Open) {
                continue;
            }
            let marker = journal.map(|journal| journal.marker.as_str());
            if let ProjectChoice::Create { name, .. } = &access.project {
                let found = facts.directory.project(name);
                if found.is_ok_and(|found| found.is_none_or(|p| mine(p.marker.as_deref(), marker))) {
                    batch.projects.entry(fold(name)).or_insert(row.number);
                }
            }
            if access.account == Account::New {
                let name = access.username(facts.rule);
                let found = facts.directory.user(name);
                if found.is_ok_and(|found| found.is_none_or(|u| mine(u.marker.as_deref(), marker))) {
                    batch.users.entry(fold(name)).or_insert(row.number);
                }
            }
        }
        batch
    }
}

/// Whether what carries `found` was made for the request whose marker is `own`.
fn mine(found: Option<&str>, own: Option<&str>) -> bool {
    found.is_some() && found == own
}

fn ready(row: &ParsedRow) -> Option<(&Request, &AccessRequest)> {
    match &row.outcome {
        Outcome::Request(request @ Request { stage: Stage::Ready, body: Body::Access(access), .. }) => {
            Some((request, access))
        }
        _ => None,
    }
}

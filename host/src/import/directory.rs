//! What Keystone knows of the names that a batch mentions, read once and before anything changes.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::database::{Database, DatabaseError};
use crate::keystone::{Keystone, KeystoneError, Project, User};
use crate::registration::{Body, Outcome, ParsedRow, ProjectChoice, Request, Stage, UsernameRule, fold};

/// Users and projects by folded name. A name that stands for several is an error in words.
#[derive(Debug, Default)]
pub struct Directory {
    users: BTreeMap<String, Result<Option<User>, String>>,
    projects: BTreeMap<String, Result<Option<Project>, String>>,
    batches: BTreeMap<String, i64>,
}

/// Why the names could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Keystone did not answer.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// The journal could not be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Directory {
    /// Looks up every name that a ready row mentions, as many at a time as Keystone lets answer.
    ///
    /// # Errors
    /// Where Keystone or the journal does not answer.
    pub async fn read(
        rows: &[ParsedRow],
        keystone: &Keystone,
        database: &Database,
        rule: UsernameRule,
    ) -> Result<Self, DirectoryError> {
        let (users, projects) = names(rows, rule);
        let concurrency = keystone.most_calls_at_a_time();
        let users = stream::iter(users)
            .map(|(folded, name)| async move {
                Ok::<_, KeystoneError>((folded, found(keystone.find_user(&name).await)?))
            })
            .buffer_unordered(concurrency)
            .try_collect()
            .await?;
        let projects: BTreeMap<String, Result<Option<Project>, String>> = stream::iter(projects)
            .map(|(folded, name)| async move {
                Ok::<_, KeystoneError>((folded, found(keystone.find_project(&name).await)?))
            })
            .buffer_unordered(concurrency)
            .try_collect()
            .await?;
        let mut batches = BTreeMap::new();
        let markers: BTreeSet<_> =
            projects.values().flatten().flatten().filter_map(|project| project.marker.clone()).collect();
        for marker in markers {
            if let Some(request) = database.request_by_marker(&marker).await? {
                batches.insert(marker, request.first_run);
            }
        }
        Ok(Self { users, projects, batches })
    }

    /// The user of that name.
    ///
    /// # Errors
    /// Where the name stands for several users.
    pub fn user(&self, name: &str) -> Result<Option<&User>, String> {
        lookup(&self.users, name)
    }

    /// The project of that name.
    ///
    /// # Errors
    /// Where the name stands for several projects.
    pub fn project(&self, name: &str) -> Result<Option<&Project>, String> {
        lookup(&self.projects, name)
    }

    /// The run that first took up the request which left `marker`.
    #[must_use]
    pub fn batch_of(&self, marker: &str) -> Option<i64> {
        self.batches.get(marker).copied()
    }
}

#[cfg(test)]
impl Directory {
    /// What Keystone would have answered.
    pub fn of(users: Vec<User>, projects: Vec<Project>, batches: &[(&str, i64)]) -> Self {
        Self {
            users: users.into_iter().map(|user| (fold(&user.name), Ok(Some(user)))).collect(),
            projects: projects.into_iter().map(|project| (fold(&project.name), Ok(Some(project)))).collect(),
            batches: batches.iter().map(|(marker, run)| ((*marker).to_owned(), *run)).collect(),
        }
    }
}

fn lookup<'a, T>(
    entries: &'a BTreeMap<String, Result<Option<T>, String>>,
    name: &str,
) -> Result<Option<&'a T>, String> {
    match entries.get(&fold(name)) {
        Some(Ok(found)) => Ok(found.as_ref()),
        Some(Err(reason)) => Err(reason.clone()),
        None => Ok(None),
    }
}

/// A name that cannot be told apart concerns its rows alone; any other error the whole import.
fn found<T>(answer: Result<Option<T>, KeystoneError>) -> Result<Result<Option<T>, String>, KeystoneError> {
    match answer {
        Ok(found) => Ok(Ok(found)),
        Err(error @ (KeystoneError::Ambiguous { .. } | KeystoneError::Truncated { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// The names that ready rows mention, by their folded form, so that no name is asked for twice.
fn names(rows: &[ParsedRow], rule: UsernameRule) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut users = BTreeMap::new();
    let mut projects = BTreeMap::new();
    let note = |map: &mut BTreeMap<String, String>, name: &str| {
        if !name.trim().is_empty() {
            map.entry(fold(name)).or_insert_with(|| name.trim().to_owned());
        }
    };
    for row in rows {
        let Outcome::Request(Request { stage: Stage::Ready, body: Body::Access(access), .. }) = &row.outcome
        else {
            continue;
        };
        note(&mut users, access.username(rule));
        note(&mut projects, access.project.name());
        if let ProjectChoice::Create { members, .. } = &access.project {
            for member in members {
                note(&mut users, member);
            }
        }
    }
    (users, projects)
}

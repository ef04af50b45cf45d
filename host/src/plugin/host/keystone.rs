//! `keystone`: looking users, projects and roles up.

use wasmtime::Result;

use crate::keystone::{self as client, Keystone, KeystoneError};
use crate::plugin::bindings::interfaces::keystone::{Error, Host, Project, RoleAssignment, User};
use crate::plugin::capabilities::ABSENT;
use crate::plugin::state::State;

impl Host for State {
    async fn find_user(&mut self, name: String) -> Result<Result<Option<User>, Error>> {
        self.count_host_call()?;
        Ok(find_user(service(self), &name).await)
    }

    async fn find_project(&mut self, name: String) -> Result<Result<Option<Project>, Error>> {
        self.count_host_call()?;
        Ok(find_project(service(self), &name).await)
    }

    async fn roles_of_user(&mut self, user_id: String) -> Result<Result<Vec<RoleAssignment>, Error>> {
        self.count_host_call()?;
        Ok(roles_of_user(service(self), &user_id).await)
    }

    async fn roles_on_project(&mut self, project_id: String) -> Result<Result<Vec<RoleAssignment>, Error>> {
        self.count_host_call()?;
        Ok(roles_on_project(service(self), &project_id).await)
    }
}

async fn find_user(keystone: Result<Keystone, Error>, name: &str) -> Result<Option<User>, Error> {
    Ok(keystone?.find_user(name).await.map_err(|failure| error(&failure))?.map(user))
}

async fn find_project(keystone: Result<Keystone, Error>, name: &str) -> Result<Option<Project>, Error> {
    Ok(keystone?.find_project(name).await.map_err(|failure| error(&failure))?.map(project))
}

async fn roles_of_user(keystone: Result<Keystone, Error>, user: &str) -> Result<Vec<RoleAssignment>, Error> {
    Ok(keystone?
        .roles_of_user(user)
        .await
        .map_err(|failure| error(&failure))?
        .into_iter()
        .map(assignment)
        .collect())
}

async fn roles_on_project(
    keystone: Result<Keystone, Error>,
    project: &str,
) -> Result<Vec<RoleAssignment>, Error> {
    Ok(keystone?
        .roles_on_project(project)
        .await
        .map_err(|failure| error(&failure))?
        .into_iter()
        .map(assignment)
        .collect())
}

/// The client, where this host has one.
pub(super) fn service(state: &State) -> Result<Keystone, Error> {
    state.profile.capabilities.keystone.clone().ok_or_else(|| Error::Unavailable(ABSENT.to_owned()))
}

pub(super) fn user(user: client::User) -> User {
    let client::User { id, name, email, description, enabled, default_project_id, marker: _, options: _ } =
        user;
    User { id, name, email, description, enabled, default_project_id }
}

pub(super) fn project(project: client::Project) -> Project {
    let client::Project { id, name, description, enabled, marker: _ } = project;
    Project { id, name, description, enabled }
}

fn assignment(assignment: client::RoleAssignment) -> RoleAssignment {
    RoleAssignment {
        user_id: assignment.user_id,
        project_id: assignment.project_id,
        role: assignment.role.name,
    }
}

/// A failure in the words of WIT. What is passing becomes `unavailable`, whatever it was.
pub(super) fn error(error: &KeystoneError) -> Error {
    let text = error.to_string();
    match error {
        KeystoneError::NotFound { .. } => Error::NotFound(text),
        KeystoneError::Conflict { .. } => Error::Conflict(text),
        KeystoneError::Forbidden { .. } | KeystoneError::Unauthorized { .. } => Error::Forbidden(text),
        KeystoneError::Refused { .. } | KeystoneError::Ambiguous { .. } => Error::Refused(text),
        KeystoneError::Credentials(_)
        | KeystoneError::Unreachable { .. }
        | KeystoneError::Unavailable { .. }
        | KeystoneError::Unintelligible { .. }
        | KeystoneError::Truncated { .. }
        | KeystoneError::ListCutShort { .. } => Error::Unavailable(text),
    }
}

//! `keystone-admin`: changing users, projects and grants.

use wasmtime::Result;

use crate::keystone::{CreateProject, CreateUser, Keystone};
use crate::plugin::bindings::interfaces::keystone::{Error, Project, User};
use crate::plugin::bindings::interfaces::keystone_admin::{Host, NewUser};
use crate::plugin::rehearsal::REFUSAL;
use crate::plugin::state::State;
use crate::random;

use super::keystone::{error, project, service, user};

impl Host for State {
    async fn create_user(&mut self, new: NewUser) -> Result<Result<User, Error>> {
        self.count_host_call()?;
        Ok(create_user(admin(self), &new).await)
    }

    async fn create_project(&mut self, name: String, description: String) -> Result<Result<Project, Error>> {
        self.count_host_call()?;
        Ok(create_project(admin(self), &name, &description).await)
    }

    async fn grant_role(&mut self, user: String, project: String, role: String) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        Ok(grant_role(admin(self), &user, &project, &role).await)
    }

    async fn revoke_role(
        &mut self,
        user: String,
        project: String,
        role: String,
    ) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        Ok(revoke_role(admin(self), &user, &project, &role).await)
    }

    async fn set_user_enabled(&mut self, user: String, enabled: bool) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        Ok(set_user_enabled(admin(self), &user, enabled).await)
    }
}

/// Keystone, unless nothing is to be changed.
fn admin(state: &State) -> Result<Keystone, Error> {
    if state.rehearsal.is_some() { Err(Error::Unavailable(REFUSAL.to_owned())) } else { service(state) }
}

async fn create_user(keystone: Result<Keystone, Error>, new: &NewUser) -> Result<User, Error> {
    let password = random::password();
    let create = CreateUser {
        name: &new.name,
        email: &new.email,
        description: &new.description,
        password: &password,
        default_project_id: new.default_project_id.as_deref(),
        marker: None,
    };
    keystone?.create_user(&create).await.map(user).map_err(|failure| error(&failure))
}

async fn create_project(
    keystone: Result<Keystone, Error>,
    name: &str,
    description: &str,
) -> Result<Project, Error> {
    let create = CreateProject { name, description, marker: None };
    keystone?.create_project(&create).await.map(project).map_err(|failure| error(&failure))
}

async fn grant_role(
    keystone: Result<Keystone, Error>,
    user: &str,
    project: &str,
    role: &str,
) -> Result<(), Error> {
    let keystone = keystone?;
    let role = role_id(&keystone, role).await?;
    keystone.grant(user, project, &role).await.map_err(|failure| error(&failure))
}

/// Takes a role back. A role that is not there counts as taken back; a role that does not exist is
/// an error all the same, since its name is then probably misspelt.
async fn revoke_role(
    keystone: Result<Keystone, Error>,
    user: &str,
    project: &str,
    role: &str,
) -> Result<(), Error> {
    let keystone = keystone?;
    let role = role_id(&keystone, role).await?;
    match keystone.revoke(user, project, &role).await.map_err(|failure| error(&failure)) {
        Err(Error::NotFound(_)) => Ok(()),
        other => other,
    }
}

async fn set_user_enabled(keystone: Result<Keystone, Error>, user: &str, enabled: bool) -> Result<(), Error> {
    keystone?.set_enabled(user, enabled).await.map_err(|failure| error(&failure))
}

async fn role_id(keystone: &Keystone, name: &str) -> Result<String, Error> {
    let role = keystone.find_role(name).await.map_err(|failure| error(&failure))?;
    role.map(|role| role.id).ok_or_else(|| Error::NotFound(format!("there is no role {name}")))
}

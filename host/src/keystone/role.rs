//! Roles, and who has which where.

use reqwest::Method;
use serde::Deserialize;

use super::error::KeystoneError;
use super::find::Listed;
use super::http::Request;
use super::{Keystone, NAME};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Role {
    /// Keystone's id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A role that a user has on a project, directly, through a group or by inheritance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Id of the user.
    pub user_id: String,
    /// Id of the project.
    pub project_id: String,
    /// The role.
    pub role: Role,
}

impl Listed for Role {
    const KIND: &'static str = "role";
    const PLURAL: &'static str = "roles";

    fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Deserialize)]
struct Assignments {
    role_assignments: Vec<Assignment>,
}

#[derive(Deserialize)]
struct Assignment {
    role: Role,
    user: Option<Id>,
    scope: Scope,
}

/// Roles on a domain or on the whole system have no project.
#[derive(Deserialize)]
struct Scope {
    project: Option<Id>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

impl Keystone {
    /// The role of this name, whatever the case. One call.
    ///
    /// # Errors
    /// [`KeystoneError::Ambiguous`] where several differ only in case; else where the call fails.
    pub async fn find_role(&self, name: &str) -> Result<Option<Role>, KeystoneError> {
        self.find(name, None).await
    }

    /// Gives a user a role on a project. Giving it again changes nothing. One call.
    ///
    /// # Errors
    /// [`KeystoneError::NotFound`] where user, project or role do not exist; else where the call
    /// fails.
    pub async fn grant(&self, user_id: &str, project_id: &str, role_id: &str) -> Result<(), KeystoneError> {
        self.call(self.assignment(Method::PUT, user_id, project_id, role_id)).await.map(drop)
    }

    /// Takes a role on a project back. Taking back what is not there changes nothing. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn revoke(&self, user_id: &str, project_id: &str, role_id: &str) -> Result<(), KeystoneError> {
        match self.call(self.assignment(Method::DELETE, user_id, project_id, role_id)).await {
            Ok(_) | Err(KeystoneError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What roles a user has, on every project. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn roles_of_user(&self, user_id: &str) -> Result<Vec<RoleAssignment>, KeystoneError> {
        self.assignments("user.id", user_id).await
    }

    /// What roles users have on a project. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn roles_on_project(&self, project_id: &str) -> Result<Vec<RoleAssignment>, KeystoneError> {
        self.assignments("scope.project.id", project_id).await
    }

    /// The names of the roles that a user has anywhere: on projects, domains and the system, directly, through a group
    /// or by inheritance. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn role_names_of_user(&self, user_id: &str) -> Result<Vec<String>, KeystoneError> {
        let assignments = self.raw_assignments("user.id", user_id).await?;
        Ok(assignments.into_iter().map(|assignment| assignment.role.name).collect())
    }

    fn assignment(&self, method: Method, user_id: &str, project_id: &str, role_id: &str) -> Request {
        let url = self.url(&["projects", project_id, "users", user_id, "roles", role_id]);
        Request::new(NAME, method, url)
    }

    async fn assignments(&self, key: &str, value: &str) -> Result<Vec<RoleAssignment>, KeystoneError> {
        let assignments = self.raw_assignments(key, value).await?;
        Ok(assignments
            .into_iter()
            .filter_map(|Assignment { role, user, scope }| {
                Some(RoleAssignment { user_id: user?.id, project_id: scope.project?.id, role })
            })
            .collect())
    }

    async fn raw_assignments(&self, key: &str, value: &str) -> Result<Vec<Assignment>, KeystoneError> {
        let mut url = self.url(&["role_assignments"]);
        // Keystone takes the mere presence of the two flags for yes.
        url.query_pairs_mut()
            .append_pair(key, value)
            .append_pair("effective", "1")
            .append_pair("include_names", "1");
        let answer = self.call(Request::new(NAME, Method::GET, url)).await?;
        Ok(answer.json::<Assignments>()?.role_assignments)
    }
}

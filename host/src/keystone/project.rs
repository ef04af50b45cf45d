//! Projects.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::error::KeystoneError;
use super::find::Listed;
use super::http::Request;
use super::{Keystone, NAME};

/// A project, as Keystone has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// Keystone's id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Description; may be blank.
    #[serde(default)]
    pub description: String,
    /// Whether it can be used.
    pub enabled: bool,
    /// Which of Usher's requests created it: the attribute `usher_request`, which Keystone keeps
    /// without knowing it.
    #[serde(rename = "usher_request")]
    pub marker: Option<String>,
}

/// A project that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct CreateProject<'a> {
    /// Name.
    pub name: &'a str,
    /// Description.
    pub description: &'a str,
    /// What [`Project::marker`] will be.
    pub marker: Option<&'a str>,
}

impl Listed for Project {
    const KIND: &'static str = "project";
    const PLURAL: &'static str = "projects";

    fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Deserialize)]
struct Wrapped {
    project: Project,
}

impl Keystone {
    /// The project of this name in the settings' domain, whatever the case. One call.
    ///
    /// # Errors
    /// [`KeystoneError::Ambiguous`] where several differ only in case; else where the call fails.
    pub async fn find_project(&self, name: &str) -> Result<Option<Project>, KeystoneError> {
        self.find(name, Some(&self.domain)).await
    }

    /// Every project of the settings' domain. One call for each page of the list.
    ///
    /// # Errors
    /// [`KeystoneError::ListCutShort`] where Keystone does not give the whole list; else where a call fails.
    pub async fn projects(&self) -> Result<Vec<Project>, KeystoneError> {
        self.list_all(&self.domain).await
    }

    /// The project with this id. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn project(&self, id: &str) -> Result<Option<Project>, KeystoneError> {
        match self.call(Request::new(NAME, Method::GET, self.url(&["projects", id]))).await {
            Ok(answer) => Ok(Some(answer.json::<Wrapped>()?.project)),
            Err(KeystoneError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a project, enabled, in the settings' domain. One call.
    ///
    /// # Errors
    /// [`KeystoneError::Conflict`] where the name is taken. After a passing error the project may
    /// have been created all the same: look for it and compare [`Project::marker`] before trying
    /// again.
    pub async fn create_project(&self, project: &CreateProject<'_>) -> Result<Project, KeystoneError> {
        let mut body = json!({
            "name": project.name,
            "domain_id": &*self.domain,
            "description": project.description,
            "enabled": true,
        });
        if let Some(marker) = project.marker {
            body["usher_request"] = marker.into();
        }
        let request =
            Request::new(NAME, Method::POST, self.url(&["projects"])).body(json!({ "project": body }));
        Ok(self.call(request).await?.json::<Wrapped>()?.project)
    }
}

//! What operators do with the quotas of projects: look at them, set them, and find those that nobody has decided.
//!
//! Knows nothing of sheets and requests but what the records say of them.

pub mod audit;
mod error;
mod reading;
pub mod set;
pub mod show;
mod wish;

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::keystone::Project;

pub use error::{BelowUse, ProjectQuotaError};
pub use wish::{WantedLimit, WishError};

/// A project, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamedProject {
    /// Keystone's id.
    pub id: String,
    /// Name.
    pub name: String,
}

impl From<Project> for NamedProject {
    fn from(project: Project) -> Self {
        Self { id: project.id, name: project.name }
    }
}

/// The project with this name, whatever its case, or else with this id.
async fn find_project(app: &App, name_or_id: &str) -> Result<NamedProject, ProjectQuotaError> {
    let wanted = name_or_id.trim();
    if wanted.is_empty() {
        return Err(ProjectQuotaError::NoSuchProject(wanted.to_owned()));
    }
    let found = match app.keystone.find_project(wanted).await? {
        None => app.keystone.project(wanted).await?,
        found => found,
    };
    found.map(NamedProject::from).ok_or_else(|| ProjectQuotaError::NoSuchProject(wanted.to_owned()))
}

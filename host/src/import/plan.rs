//! The plan of an import as a value: what will become of every row.
//!
//! Planning is a plain function of what was read; it asks nobody and changes nothing.

mod action;
mod batch;
mod build;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

pub use action::{Action, Announcement, Link};
pub use build::{Facts, build};

use crate::batch::plan;
use crate::registration::{AccessRequest, RowNumber};

/// What will become of every row of the access sheet.
pub type Plan = plan::Plan<Work>;

/// One row.
pub type PlannedRow = plan::PlannedRow<Work>;

/// What will become of a row.
pub type Fate = plan::Fate<Work>;

/// What is to be done for one request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Work {
    /// The request's name in the journal.
    #[serde(skip)]
    pub key: String,
    /// The request.
    #[serde(skip)]
    pub request: AccessRequest,
    /// What is to be done, in this order.
    pub actions: Vec<Action>,
    /// Rows that have to be finished first.
    pub after: Vec<RowNumber>,
    /// The user.
    #[serde(skip)]
    pub user: Target,
    /// The project.
    #[serde(skip)]
    pub project: Target,
}

impl plan::Work for Work {
    fn key(&self) -> &str {
        &self.key
    }

    fn after(&self) -> &[RowNumber] {
        &self.after
    }

    fn describe(&self) -> Vec<String> {
        self.actions.iter().map(Action::describe).collect()
    }
}

/// Where the id of a user or project comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is known.
    Known(String),
    /// This request makes it.
    Made,
    /// Another row of the batch makes it.
    MadeBy(RowNumber),
}

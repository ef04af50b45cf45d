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

use crate::registration::{AccessRequest, RowNumber};

/// What will become of every row of the request worksheet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Plan {
    /// The rows, in the order of the sheet.
    pub rows: Vec<PlannedRow>,
    /// What the operator should know about the whole.
    pub notices: Vec<String>,
}

/// One row.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlannedRow {
    /// Its number.
    pub row: RowNumber,
    /// The requester's user name; blank where the row could not be read.
    pub user: String,
    /// The project; blank where the row could not be read.
    pub project: String,
    /// What will become of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// What the approvers should know although the row can be processed.
    pub warnings: Vec<String>,
}

/// What will become of a row.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "fate", rename_all = "kebab-case")]
pub enum Fate {
    /// It is processed.
    Apply(Box<Work>),
    /// Everything was done by an earlier run; only the row has to move.
    Move {
        /// The request's name in the journal.
        #[serde(skip)]
        key: String,
    },
    /// It asks for something that cannot be done.
    Conflict {
        /// Why, and what to do.
        reason: String,
    },
    /// The parser cannot use it.
    Rejected {
        /// Why, and what to correct.
        reason: String,
    },
    /// Nobody has decided on it.
    Waiting,
    /// It was decided against, or set aside.
    Denied,
    /// It is approved, and the helpdesk has not been told.
    Unnotified,
}

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

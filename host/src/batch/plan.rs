//! What will become of every row of a request worksheet, as a value. What is to be done for a row, each kind of
//! batch has a type of its own for.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::apply::Ending;
use crate::registration::{Outcome, ParsedRow, Request, RowNumber};

/// What is to be done for one request.
pub trait Work {
    /// The request's name in the journal.
    fn key(&self) -> &str;

    /// Rows that have to be finished first.
    fn after(&self) -> &[RowNumber];

    /// What is to be done, one entry each, in words.
    fn describe(&self) -> Vec<String>;
}

/// What will become of every row of the request worksheet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Plan<W> {
    /// The rows, in the order of the sheet.
    pub rows: Vec<PlannedRow<W>>,
    /// What the operator should know about the whole.
    pub notices: Vec<String>,
}

/// One row.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlannedRow<W> {
    /// Its number.
    pub row: RowNumber,
    /// The requester's user name; blank where the row could not be read.
    pub user: String,
    /// The project; blank where the row could not be read.
    pub project: String,
    /// What will become of it.
    #[serde(flatten)]
    pub fate: Fate<W>,
    /// What the approvers should know although the row can be processed.
    pub warnings: Vec<String>,
}

/// What will become of a row.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "fate", rename_all = "kebab-case")]
pub enum Fate<W> {
    /// It is processed.
    Apply(Box<W>),
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
    /// The site's policy refuses it, and the requester is told.
    Refuse {
        /// Why, in words for the requester.
        reason: String,
        /// How the requester is told.
        work: Box<W>,
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

impl<W> PlannedRow<W> {
    /// A row of which nothing is planned yet, and its request; or the row as it stays where it holds none.
    pub(crate) fn begin(row: &ParsedRow) -> Result<(Self, &Request), Self> {
        let planned = |user: &str, fate| Self {
            row: row.number,
            user: user.to_owned(),
            project: String::new(),
            fate,
            warnings: row.warnings.clone(),
        };
        match &row.outcome {
            Outcome::Rejected(rejection) => {
                Err(planned(&rejection.requester, Fate::Rejected { reason: rejection.reason.clone() }))
            }
            Outcome::Request(request) => Ok((planned("", Fate::Denied), request)),
        }
    }
}

impl<W: Work> Plan<W> {
    /// What is to be done for the rows that something is done for.
    pub(super) fn works(&self) -> BTreeMap<RowNumber, &W> {
        self.rows
            .iter()
            .filter_map(|row| match &row.fate {
                Fate::Apply(work) | Fate::Refuse { work, .. } => Some((row.row, work.as_ref())),
                _ => None,
            })
            .collect()
    }

    /// Whether what is done for a row is to tell the requester that the request is refused.
    pub(super) fn refuses(&self, row: RowNumber) -> bool {
        // Rows are in the order of the sheet.
        let found = self.rows.binary_search_by_key(&row, |planned| planned.row);
        found.is_ok_and(|index| matches!(self.rows[index].fate, Fate::Refuse { .. }))
    }

    /// The keys of the requests whose rows may move: those that this run finished, and those that an earlier one
    /// did.
    pub(super) fn finished_keys(&self, endings: &BTreeMap<RowNumber, Ending>) -> BTreeSet<String> {
        let finished = |row: &PlannedRow<W>| match &row.fate {
            Fate::Apply(work) if matches!(endings.get(&row.row), Some(Ending::Done)) => {
                Some(work.key().to_owned())
            }
            Fate::Move { key } => Some(key.clone()),
            _ => None,
        };
        self.rows.iter().filter_map(finished).collect()
    }
}

impl<W> Plan<W> {
    /// Whether nothing stands in the way of any row.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.rows.iter().any(|row| {
            matches!(row.fate, Fate::Conflict { .. } | Fate::Refuse { .. } | Fate::Rejected { .. })
        })
    }
}

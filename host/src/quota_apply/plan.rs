//! The plan of a run over the quota sheet as a value: what will become of every request.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::batch::plan;
use crate::database::QuotaChange;
use crate::quota_decisions::in_words;
use crate::registration::{QuotaRequest, QuotaService, RowNumber};

/// What will become of every row of the quota sheet.
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
    pub request: QuotaRequest,
    /// Keystone's id of the project.
    #[serde(skip)]
    pub project_id: String,
    /// The project's name as Keystone has it.
    #[serde(skip)]
    pub project: String,
    /// Fingerprint of what is asked for: an edited row is decided anew.
    #[serde(skip)]
    pub wish: String,
    /// SHA-256 of the component that decided.
    #[serde(skip)]
    pub policy: [u8; 32],
    /// Whether the policy granted it without people's approval.
    pub without_approval: bool,
    /// From when the change is to be undone (RFC 3339, UTC); null for a permanent one.
    #[schemars(with = "Option<String>")]
    pub ends: Option<Timestamp>,
    /// What the policy told the operator.
    pub notices: Vec<String>,
    /// What is to be done, in this order.
    pub actions: Vec<Action>,
    /// Rows that have to be finished first: they are about the same project.
    pub after: Vec<RowNumber>,
}

/// One thing to be done for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Finish what an earlier run began: put limits back that it had set before another service refused its part.
    TakeBack {
        /// All limits of the request.
        changes: Vec<Change>,
    },
    /// Set limits with one service.
    SetQuotas {
        /// The service.
        service: QuotaService,
        /// The limits.
        changes: Vec<Change>,
    },
    /// Tell the requester, and the project's other members.
    Announce {
        /// The requester's address.
        to: String,
        /// The others' addresses.
        cc: Vec<String>,
        /// All limits that change.
        changes: Vec<Change>,
    },
    /// Tell the requester that the request is refused.
    Refuse {
        /// The requester's address.
        to: String,
        /// Why, in words for the requester.
        reason: String,
    },
}

/// A limit before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// Limit before; -1 means unlimited.
    pub old: i64,
    /// Limit after; -1 means unlimited.
    pub new: i64,
    /// Why it has this value.
    pub reason: String,
}

impl plan::Work for Work {
    fn key(&self) -> &str {
        &self.key
    }

    fn after(&self) -> &[RowNumber] {
        &self.after
    }

    fn describe(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.actions.iter().map(Action::describe).collect();
        if self.without_approval {
            lines.insert(0, "granted by the policy without anybody's approval".to_owned());
        }
        lines
    }
}

impl Work {
    /// All limits that the request is about.
    pub(super) fn changes(&self) -> &[Change] {
        let announced = self.actions.iter().find_map(|action| match action {
            Action::Announce { changes, .. } => Some(changes.as_slice()),
            _ => None,
        });
        announced.unwrap_or_default()
    }
}

impl Action {
    /// The name of the step in the journal that sets limits with a service.
    pub(super) fn set_step(service: QuotaService) -> String {
        format!("set-quotas:{}", service.name())
    }

    /// The name of the step in the journal that puts limits back.
    pub(super) const TAKE_BACK: &'static str = "take-back";

    /// The action in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::TakeBack { changes } => format!("take back what was set: {}", reversed(changes)),
            Self::SetQuotas { service, changes } => {
                let changes: Vec<String> = changes.iter().map(Change::describe).collect();
                format!("set {} quotas: {}", service.name(), changes.join(", "))
            }
            Self::Announce { to, cc, .. } if cc.is_empty() => format!("mail {to}: quota-update"),
            Self::Announce { to, cc, .. } => format!("mail {to}: quota-update, copies to {}", cc.join(", ")),
            Self::Refuse { to, .. } => format!("mail {to}: quota-denied"),
        }
    }
}

impl From<&QuotaChange> for Change {
    fn from(recorded: &QuotaChange) -> Self {
        Self {
            service: recorded.service,
            key: recorded.key.clone(),
            old: recorded.old,
            new: recorded.new,
            reason: recorded.reason.clone(),
        }
    }
}

impl Change {
    /// The change as it is recorded.
    pub(super) fn to_record(&self) -> QuotaChange {
        QuotaChange {
            service: self.service,
            key: self.key.clone(),
            old: self.old,
            new: self.new,
            reason: self.reason.clone(),
            fate: None,
        }
    }

    fn describe(&self) -> String {
        let reason = if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) };
        format!("{} {} -> {}{reason}", self.key, in_words(self.old), in_words(self.new))
    }
}

fn reversed(changes: &[Change]) -> String {
    let back: Vec<String> =
        changes.iter().map(|change| format!("{} {}", change.key, in_words(change.old))).collect();
    back.join(", ")
}

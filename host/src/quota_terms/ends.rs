//! What a limit goes back to when a temporary change ends.

use schemars::JsonSchema;
use serde::Serialize;

use crate::database::{ChangeFate, QuotaChange, RecordedQuotaDecision};
use crate::quota_decisions::{goes_back_to, is_decided_anew};
use crate::quotas::Limit;
use crate::registration::QuotaService;

/// A limit at the end of a temporary change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LimitAtEnd {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit of the temporary change; -1 means unlimited.
    pub temporary: i64,
    /// The limit when the change ended; -1 means unlimited.
    pub in_force: i64,
    /// The limit before the change; -1 means unlimited.
    pub before: i64,
    /// What becomes of it.
    pub fate: ChangeFate,
}

impl LimitAtEnd {
    /// Whether there is something to be put back.
    pub(super) fn goes_back(&self) -> bool {
        self.fate == ChangeFate::Restored && self.in_force != self.before
    }

    /// Decides about one limit. `history` are the decisions about the project; `now` are the limits in force.
    pub(super) fn plan(
        change: &QuotaChange,
        decision: &RecordedQuotaDecision,
        history: &[RecordedQuotaDecision],
        now: &[Limit],
    ) -> Self {
        let before = goes_back_to(change, decision, history);
        // A service that does not name the limit any more has none to put back.
        let in_force = now.iter().find(|limit| limit.key == change.key).map_or(before, |limit| limit.limit);
        // An earlier attempt may have put it back and ended before it could note that.
        let is_as_set = in_force == change.new || in_force == before;
        let fate = match is_as_set && !is_decided_anew(change, decision, history) {
            true => ChangeFate::Restored,
            false => ChangeFate::Kept,
        };
        Self {
            service: change.service,
            key: change.key.clone(),
            temporary: change.new,
            in_force,
            before,
            fate,
        }
    }
}

#[cfg(test)]
mod tests;

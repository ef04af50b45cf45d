//! What a limit goes back to when a temporary change ends.

use schemars::JsonSchema;
use serde::Serialize;

use crate::database::{ChangeFate, QuotaChange, RecordedQuotaDecision};
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
    /// Decides about one limit. `history` are the decisions about the project; `now` are the limits in force.
    pub(super) fn plan(
        change: &QuotaChange,
        decision: &RecordedQuotaDecision,
        history: &[RecordedQuotaDecision],
        now: &[Limit],
    ) -> Self {
        let before = before(change, decision, history);
        // A service that does not name the limit any more has none to put back.
        let in_force = now.iter().find(|limit| limit.key == change.key).map_or(before, |limit| limit.limit);
        // An earlier attempt may have put it back and ended before it could note that.
        let is_ours = in_force == change.new || in_force == before;
        let fate = if is_ours { ChangeFate::Restored } else { ChangeFate::Kept };
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

/// What a limit goes back to. It may have been found as another temporary change had left it, which has ended
/// meanwhile and could not put it back because of this one: then it goes back to what that one had found.
pub(super) fn before(
    change: &QuotaChange,
    decision: &RecordedQuotaDecision,
    history: &[RecordedQuotaDecision],
) -> i64 {
    let mut before = change.old;
    let mut earlier: Vec<&RecordedQuotaDecision> =
        history.iter().filter(|other| other.applied.is_some() && other.applied < decision.applied).collect();
    earlier.sort_by_key(|other| std::cmp::Reverse(other.applied));
    for other in earlier {
        let changes = &other.decision.changes;
        let same = changes.iter().find(|same| same.service == change.service && same.key == change.key);
        let Some(same) = same else { continue };
        // Else somebody set it by other means in between, or it is in force.
        if same.new != before || same.fate != Some(ChangeFate::Kept) {
            break;
        }
        before = same.old;
    }
    before
}

#[cfg(test)]
mod tests;

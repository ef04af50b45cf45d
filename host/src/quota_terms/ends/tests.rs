use jiff::Timestamp;

use super::*;
use crate::database::{QuotaApproval, QuotaDecision, QuotaOutcome};

/// A decision that was applied at a second, and what became of its one limit.
fn decision(second: i64, old: i64, new: i64, fate: Option<ChangeFate>) -> RecordedQuotaDecision {
    let moment = Timestamp::from_second(second).unwrap();
    let change = QuotaChange {
        service: QuotaService::Compute,
        key: "cores".to_owned(),
        old,
        new,
        reason: String::new(),
        fate,
    };
    RecordedQuotaDecision {
        id: second,
        decision: QuotaDecision {
            request: Some(second),
            project_id: "p1".to_owned(),
            project: "Project".to_owned(),
            requester_email: "user@example.org".to_owned(),
            requester_name: "User".to_owned(),
            decided: moment,
            outcome: QuotaOutcome::Granted,
            wish: String::new(),
            approved_by: QuotaApproval::People,
            reason: String::new(),
            notices: Vec::new(),
            policy: None,
            ends: None,
            changes: vec![change],
        },
        applied: Some(moment),
        warned: None,
        ended: fate.map(|_| moment),
    }
}

/// What becomes of the last decision's limit when it ends.
fn plan(history: &[RecordedQuotaDecision], in_force: i64) -> (ChangeFate, i64) {
    let now = Limit {
        service: QuotaService::Compute,
        key: "cores".to_owned(),
        limit: in_force,
        in_use: 0,
        reserved: 0,
        default: None,
    };
    let ending = history.last().unwrap();
    let limit = LimitAtEnd::plan(&ending.decision.changes[0], ending, history, &[now]);
    (limit.fate, limit.before)
}

#[test]
fn a_limit_goes_back_to_what_it_was() {
    assert_eq!(plan(&[decision(1, 10, 20, None)], 20), (ChangeFate::Restored, 10));
    assert_eq!(plan(&[decision(1, 10, 20, None)], 10), (ChangeFate::Restored, 10), "after a crash");
}

#[test]
fn a_limit_that_was_changed_meanwhile_is_kept() {
    assert_eq!(plan(&[decision(1, 10, 20, None)], 25).0, ChangeFate::Kept);
}

#[test]
fn of_changes_that_overlap_the_last_one_to_end_goes_back_to_before_the_first() {
    let first = decision(1, 10, 20, Some(ChangeFate::Kept));
    assert_eq!(plan(&[first.clone(), decision(2, 20, 30, None)], 30), (ChangeFate::Restored, 10));
    let second = decision(2, 20, 30, Some(ChangeFate::Kept));
    assert_eq!(plan(&[first, second, decision(3, 30, 40, None)], 40), (ChangeFate::Restored, 10));
    // The first has not ended: it will put its own limit back.
    let lasting = decision(1, 10, 20, None);
    assert_eq!(plan(&[lasting, decision(2, 20, 30, None)], 30), (ChangeFate::Restored, 20));
    // Somebody set another value in between.
    let first = decision(1, 10, 20, Some(ChangeFate::Kept));
    assert_eq!(plan(&[first, decision(2, 25, 30, None)], 30), (ChangeFate::Restored, 25));
}

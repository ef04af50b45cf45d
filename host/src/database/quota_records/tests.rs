use jiff::SignedDuration;

use super::*;
use crate::database::Outlived;
use crate::registration::SheetKind;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn change(key: &str, old: i64, new: i64) -> QuotaChange {
    let reason = "as asked for".to_owned();
    QuotaChange { service: QuotaService::Compute, key: key.to_owned(), old, new, reason, fate: None }
}

fn decision(request: Option<i64>, changes: Vec<QuotaChange>) -> QuotaDecision {
    QuotaDecision {
        request,
        project_id: "p1".to_owned(),
        project: "Physics".to_owned(),
        requester_email: "asks@example.org".to_owned(),
        requester_name: "Who Asks".to_owned(),
        decided: at(100),
        outcome: QuotaOutcome::Granted,
        wish: "w1".to_owned(),
        approved_by: QuotaApproval::People,
        reason: String::new(),
        notices: vec!["one \"thing\"".to_owned()],
        policy: Some("ab".repeat(32)),
        ends: None,
        changes,
    }
}

async fn database() -> (Database, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Database::open(&folder.path().join("usher.sqlite")).await.unwrap(), folder)
}

async fn request(database: &Database, key: &str) -> i64 {
    let run = database.begin_run("quota", at(1)).await.unwrap();
    let keys = [(key, format!("marker-{key}"))];
    database.take_up_requests(SheetKind::Quota, &keys, run, at(1)).await.unwrap()[0].id
}

#[tokio::test]
async fn a_decision_is_read_as_it_was_recorded() {
    let (database, _folder) = database().await;
    let request = request(&database, "a").await;
    let mut wanted = decision(Some(request), vec![change("cores", 20, 40), change("ram", 512, -1)]);
    wanted.ends = Some(at(900));
    assert_eq!(database.quota_decision_of_request(request).await.unwrap(), None);
    let id = database.record_quota_decision(&wanted).await.unwrap().unwrap();
    let read = database.quota_decision_of_request(request).await.unwrap().unwrap();
    let expected = RecordedQuotaDecision { id, decision: wanted, applied: None, warned: None, ended: None };
    assert_eq!(read, expected);

    // An operator's changes have no request, and there may be any number of them.
    let mut own = decision(None, vec![change("cores", 40, 41)]);
    (own.approved_by, own.policy, own.decided) = (QuotaApproval::Operator, None, at(200));
    let own_id = database.record_quota_decision(&own).await.unwrap().unwrap();
    let later_id = database.record_quota_decision(&own).await.unwrap().unwrap();
    let all = database.quota_decisions_of_project("p1").await.unwrap();
    assert_eq!(all.iter().map(|read| read.id).collect::<Vec<_>>(), [later_id, own_id, id]);
    assert_eq!(all[1].decision, own);
    assert!(database.quota_decisions_of_project("p2").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_is_decided_anew_until_it_is_begun() {
    let (database, _folder) = database().await;
    let request = request(&database, "a").await;
    let mut denial = decision(Some(request), Vec::new());
    (denial.outcome, denial.reason) = (QuotaOutcome::Denied, "too much".to_owned());
    let id = database.record_quota_decision(&denial).await.unwrap().unwrap();
    let first = decision(Some(request), vec![change("cores", 20, 40), change("ram", 512, 1024)]);
    assert_eq!(database.record_quota_decision(&first).await.unwrap(), Some(id), "after a denial");
    let second = decision(Some(request), vec![change("cores", 20, 30)]);
    assert_eq!(database.record_quota_decision(&second).await.unwrap(), Some(id), "not begun");
    let recorded = async || database.quota_decision_of_request(request).await.unwrap().unwrap();
    assert_eq!(recorded().await.decision, second);

    let run = database.begin_run("quota", at(2)).await.unwrap();
    database.begin_step(request, "set-quotas:compute", None, run, at(2)).await.unwrap();
    assert_eq!(database.record_quota_decision(&first).await.unwrap(), None, "begun");
    assert_eq!(recorded().await.decision, second);
}

#[tokio::test]
async fn an_applied_decision_stands_and_a_denial_with_steps_does_not() {
    let (database, _folder) = database().await;
    let (applied, denied) = (request(&database, "a").await, request(&database, "b").await);
    let granted = decision(Some(applied), vec![change("cores", 20, 40)]);
    let id = database.record_quota_decision(&granted).await.unwrap().unwrap();
    database.mark_quota_applied(id, at(300)).await.unwrap();
    database.mark_quota_applied(id, at(400)).await.unwrap();
    assert_eq!(database.record_quota_decision(&granted).await.unwrap(), None);
    let read = database.quota_decision_of_request(applied).await.unwrap().unwrap();
    assert_eq!(read.applied, Some(at(300)), "the first time counts");

    let mut denial = decision(Some(denied), Vec::new());
    denial.outcome = QuotaOutcome::Denied;
    let id = database.record_quota_decision(&denial).await.unwrap();
    let run = database.begin_run("quota", at(2)).await.unwrap();
    database.begin_step(denied, "mail-denial", None, run, at(2)).await.unwrap();
    let anew = decision(Some(denied), vec![change("cores", 20, 21)]);
    assert_eq!(database.record_quota_decision(&anew).await.unwrap(), id);
}

#[tokio::test]
async fn nothing_is_kept_of_a_transaction_that_is_given_up() {
    let (database, _folder) = database().await;
    let mut transaction = database.begin().await.unwrap();
    record_quota_decision_in(&mut transaction, &decision(None, vec![change("cores", 1, 2)])).await.unwrap();
    drop(transaction);
    assert!(database.quota_decisions_of_project("p1").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_temporary_change_is_warned_of_once_and_ended_once() {
    let (database, _folder) = database().await;
    let end = at(10_000);
    let mut temporary = decision(None, vec![change("cores", 20, 40), change("ram", 512, 1024)]);
    temporary.ends = Some(end);
    let id = database.record_quota_decision(&temporary).await.unwrap().unwrap();
    // Permanent changes never end.
    let permanent = database.record_quota_decision(&decision(None, Vec::new())).await.unwrap().unwrap();
    database.mark_quota_applied(permanent, at(200)).await.unwrap();
    let ids = |found: Vec<RecordedQuotaDecision>| found.iter().map(|found| found.id).collect::<Vec<_>>();
    let to_warn = async |until| ids(database.quota_decisions_to_warn(until).await.unwrap());
    let to_end = async |now| ids(database.quota_decisions_to_end(now).await.unwrap());
    assert!(to_warn(end).await.is_empty() && to_end(end).await.is_empty(), "it is not applied");
    database.mark_quota_applied(id, at(200)).await.unwrap();

    let before = end - SignedDuration::from_secs(1);
    assert!(to_warn(before).await.is_empty() && to_end(before).await.is_empty());
    assert_eq!((to_warn(end).await, to_end(end).await), (vec![id], vec![id]));
    let mut transaction = database.begin().await.unwrap();
    mark_quota_warned_in(&mut transaction, id, before).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((to_warn(end).await, to_end(end).await), (vec![], vec![id]));

    let fates = [ended("cores", ChangeFate::Restored, 20), ended("ram", ChangeFate::Kept, 2)];
    let mut transaction = database.begin().await.unwrap();
    assert!(record_quota_fates_and_end_in(&mut transaction, id, &fates, end).await.unwrap());
    transaction.commit().await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    assert!(!record_quota_fates_and_end_in(&mut transaction, id, &fates, end).await.unwrap());
    drop(transaction);
    assert!(to_end(end).await.is_empty());
    let read = database.quota_decisions_of_project("p1").await.unwrap();
    let read = read.iter().find(|read| read.id == id).unwrap();
    assert_eq!((read.warned, read.ended), (Some(before), Some(end)));
    let fates: Vec<_> = read.decision.changes.iter().map(|change| change.fate).collect();
    assert_eq!(fates, [Some(ChangeFate::Restored), Some(ChangeFate::Kept)]);
}

fn ended(key: &str, fate: ChangeFate, before: i64) -> EndedLimit<'_> {
    EndedLimit { service: QuotaService::Compute, key, fate, before }
}

#[tokio::test]
async fn the_last_value_that_was_applied_is_what_a_limit_should_be() {
    let (database, _folder) = database().await;
    let record = async |decision: QuotaDecision, applied| {
        let id = database.record_quota_decision(&decision).await.unwrap().unwrap();
        if let Some(applied) = applied {
            database.mark_quota_applied(id, applied).await.unwrap();
        }
        id
    };
    record(decision(None, vec![change("cores", 10, 20), change("ram", 1, 2)]), Some(at(110))).await;
    let mut temporary =
        decision(None, vec![change("cores", 20, 40), change("ram", 2, 3), change("key_pairs", 5, 6)]);
    temporary.ends = Some(at(500));
    let temporary = record(temporary, Some(at(120))).await;
    record(decision(None, vec![change("cores", 40, 99)]), None).await;
    let value = |key: &str, value| ((QuotaService::Compute, key.to_owned()), value);
    let last = database.last_applied_limits("p1").await.unwrap();
    assert_eq!(last, LimitValues::from([value("cores", 40), value("ram", 3), value("key_pairs", 6)]));

    // Somebody changes one meanwhile; at the end the others are as before.
    record(decision(None, vec![change("ram", 3, 7)]), Some(at(400))).await;
    let fates = [
        ended("cores", ChangeFate::Restored, 20),
        ended("key_pairs", ChangeFate::Restored, 5),
        ended("ram", ChangeFate::Kept, 2),
    ];
    let mut transaction = database.begin().await.unwrap();
    record_quota_fates_and_end_in(&mut transaction, temporary, &fates, at(500)).await.unwrap();
    transaction.commit().await.unwrap();
    // What key pairs were before, nobody has decided.
    let expected = LimitValues::from([value("cores", 20), value("ram", 7)]);
    assert_eq!(database.last_applied_limits("p1").await.unwrap(), expected);
    assert_eq!(
        database.last_applied_limits_of_all().await.unwrap(),
        BTreeMap::from([("p1".to_owned(), expected)])
    );
    assert!(database.last_applied_limits("p2").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_denied_request_whose_name_was_erased_is_the_same_one_when_its_row_is_approved_again() {
    let (database, _folder) = database().await;
    let erases = async |now| database.erase_outlived(Outlived::Requests, at(now)).await.unwrap();
    let (denied, open) = (request(&database, "a").await, request(&database, "b").await);
    let mut denial = decision(Some(denied), Vec::new());
    denial.outcome = QuotaOutcome::Denied;
    database.record_quota_decision(&denial).await.unwrap().unwrap();
    assert_eq!(erases(2).await, 1, "the open one stays");
    assert_eq!(database.known_requests(SheetKind::Quota, &["a"]).await.unwrap()["a"].id, denied);
    // The row is approved again: it is worked on under its name, and erased once more when that is over.
    assert_eq!(request(&database, "a").await, denied);
    let names: Vec<String> =
        database.open_requests(SheetKind::Quota).await.unwrap().into_iter().map(|open| open.key).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(erases(2).await, 1);
    assert_eq!(request(&database, "b").await, open);
    let known = database.known_requests(SheetKind::Quota, &["a", "b"]).await.unwrap();
    assert_eq!((known["a"].id, known["b"].id), (denied, open));
}

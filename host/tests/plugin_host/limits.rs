//! Hostile components: each is stopped within its limits with an error that says what happened, and the
//! same host then serves a good one.

use std::time::{Duration, Instant};

use crate::fixture::{Hostile, guest, host, rows};
use usher::plugin::{PluginError, RowParser};
use usher::registration::SheetKind;
use usher::settings::plugins::Limits;

/// Limits that make the tests quick. On a busy machine, whoever has another fault must come to it before the deadline.
const LIMITS: Limits =
    Limits { memory_mib: 32, deadline: Duration::from_secs(3), answer_mib: 4, host_calls: 100 };

/// Has the hostile parser read three rows in a mode, then has the same host serve a good parser.
async fn fails_in(mode: &str) -> PluginError {
    let host = host(LIMITS);
    let good = host.row_parser(&guest("hostile-rows")).await.unwrap();
    let hostile = host.row_parser(&Hostile::mode(mode).plugin()).await.unwrap();
    let started = Instant::now();
    let error = hostile.parse_rows(SheetKind::Access, &rows(3)).await.unwrap_err();
    let took = started.elapsed();
    assert!(took < LIMITS.deadline * 4, "{mode} took {took:?}");
    serves(&good).await;
    error
}

async fn serves(parser: &RowParser) {
    let parsed = parser.parse_rows(SheetKind::Access, &rows(3)).await.unwrap();
    assert_eq!(parsed.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(parsed.rows[0].warnings, ["call 1"], "nothing passes from one call to the next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_ends_at_the_deadline() {
    let error = fails_in("loop").await;
    assert!(matches!(error, PluginError::Deadline { .. }), "{error}");
    assert!(error.is_passing());
    assert!(error.to_string().starts_with("hostile-rows: parse-rows"), "{error}");
}

/// More calls than there are places wait for their turn, also behind those that never end by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_for_a_place() {
    let host = host(LIMITS);
    let good = host.row_parser(&guest("hostile-rows")).await.unwrap();
    let looping = host.row_parser(&Hostile::mode("loop").plugin()).await.unwrap();
    let rows = rows(1);
    let endless = (0..20).map(|_| looping.parse_rows(SheetKind::Access, &rows));
    let others = (0..40).map(|_| serves(&good));
    let (endless, _) = tokio::join!(futures::future::join_all(endless), futures::future::join_all(others));
    assert!(endless.iter().all(|ended| matches!(ended, Err(PluginError::Deadline { .. }))));
}

#[tokio::test]
async fn an_endless_loop_does_not_hold_up_a_single_thread() {
    let host = host(LIMITS);
    let hostile = host.row_parser(&Hostile::mode("loop").plugin()).await.unwrap();
    let rows = rows(1);
    let mut ticks = 0;
    let ticking = async {
        loop {
            tokio::task::yield_now().await;
            ticks += 1;
        }
    };
    tokio::select! {
        result = hostile.parse_rows(SheetKind::Access, &rows) => {
            assert!(matches!(result, Err(PluginError::Deadline { .. })));
        }
        () = ticking => unreachable!("it never ends"),
    }
    assert!(ticks > 5, "other work got {ticks} turns");
}

#[tokio::test]
async fn a_component_that_takes_all_memory_is_stopped() {
    let error = fails_in("memory").await;
    assert!(matches!(error, PluginError::OutOfMemory { limit_mib: 32, .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_taken() {
    let host = host(LIMITS);
    let hostile = host.row_parser(&Hostile::mode("answer").plugin()).await.unwrap();
    let error = hostile.parse_rows(SheetKind::Access, &rows(8)).await.unwrap_err();
    assert!(matches!(error, PluginError::AnswerTooLarge { limit_mib: 4, .. }), "{error}");
    assert_eq!(error.call().unwrap().row, None, "all rows together are too large");
    let parsed = hostile.parse_rows(SheetKind::Access, &rows(2)).await.unwrap();
    assert_eq!(parsed.rows.len(), 2, "2 MiB are within the limit");
}

#[tokio::test]
async fn a_log_line_that_is_too_large_is_not_taken() {
    let host = host(Limits { memory_mib: 256, ..LIMITS });
    let hostile = host.row_parser(&Hostile::mode("long-line").plugin()).await.unwrap();
    let error = hostile.parse_rows(SheetKind::Access, &rows(1)).await.unwrap_err();
    assert!(matches!(error, PluginError::AnswerTooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_trap_tells_nothing_of_the_data() {
    let error = fails_in("trap").await;
    let PluginError::Trap { call, .. } = &error else { panic!("{error}") };
    assert_eq!((call.plugin.as_str(), call.function), ("hostile-rows", "parse-rows"));
    let all = format!("{error} {error:?}");
    assert!(!all.contains("secret") && !all.contains("user3@example.org"), "{all}");
}

#[tokio::test]
async fn a_recursion_without_end_exhausts_the_stack_of_the_component_only() {
    let error = fails_in("recursion").await;
    assert!(matches!(error, PluginError::StackExhausted { .. }), "{error}");
}

#[tokio::test]
async fn calls_to_the_host_are_counted() {
    let error = fails_in("host-calls").await;
    assert!(matches!(error, PluginError::HostCalls { limit: 100, .. }), "{error}");
}

#[tokio::test]
async fn the_row_at_which_a_component_traps_is_named() {
    for mode in ["trap", "loop", "recursion", "memory"] {
        let host = host(LIMITS);
        let hostile = Hostile::mode(mode).only("user700@example.org");
        let hostile = host.row_parser(&hostile.plugin()).await.unwrap();
        let error = hostile.parse_rows(SheetKind::Access, &rows(2_000)).await.unwrap_err();
        assert_eq!(error.call().unwrap().row, Some(701), "{mode}: {error}");
        assert!(error.to_string().contains("(row 701)"), "{error}");
    }
}

#[tokio::test]
async fn writing_too_much_to_the_log_is_no_error() {
    let host = host(Limits { host_calls: 10_000, ..LIMITS });
    let chatty = host.row_parser(&Hostile::mode("log").plugin()).await.unwrap();
    serves(&chatty).await;
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_names_its_row() {
    let host = host(LIMITS);
    for (mode, row, words) in [
        ("left-out", 4, "left out"),
        ("twice", 4, "twice"),
        ("no-key", 2, "without a key"),
        ("bad-date", 2, "2026-13-1"),
    ] {
        let hostile = host.row_parser(&Hostile::mode(mode).plugin()).await.unwrap();
        let error = hostile.parse_rows(SheetKind::Access, &rows(3)).await.unwrap_err();
        let PluginError::BadAnswer { call, reason } = &error else { panic!("{mode}: {error}") };
        assert_eq!(call.row, Some(row), "{mode}: {error}");
        assert!(reason.contains(words), "{mode}: {error}");
    }
    let hostile = host.row_parser(&Hostile::mode("same-worksheet").plugin()).await.unwrap();
    assert!(matches!(hostile.describe().await, Err(PluginError::BadAnswer { .. })));
}

#[tokio::test]
async fn a_sheet_without_the_layout_is_unreadable() {
    let error = fails_in("unreadable").await;
    let PluginError::Unreadable { reason, .. } = &error else { panic!("{error}") };
    assert_eq!(reason, "the column E-mail is missing");
}

//! A try that comes to nothing does the same whatever the reason: the same statements in the same order, and no call
//! to Keystone. Nothing here depends on how long anything takes.

use serde_json::json;

use crate::database::statements::recorded;
use crate::http::tests::Served;
use crate::setpass::fixture::{PIN, WRONG_PIN, text};

const CHOSEN: &str = "correct horse battery staple";

#[tokio::test]
async fn unknown_wrong_expired_locked_and_locked_for_today_run_the_same_statements_and_ask_nobody() {
    let served = Served::with("max_attempts_per_client = 1000").await;
    let fixture = &served.fixture;
    let expired = fixture.link_of("expired").await;
    fixture.clock.advance(jiff::SignedDuration::from_hours(1));
    let wrong = fixture.link_of("wrong").await;
    let locked = fixture.link_of("locked").await;
    for _ in 0..5 {
        fixture.redeem(&locked.token, WRONG_PIN, CHOSEN).await.unwrap_err();
    }
    for _ in 0..5 {
        let used_up = fixture.link_of("today").await;
        let _ = fixture.redeem(&used_up.token, WRONG_PIN, CHOSEN).await;
        let _ = fixture.redeem(&used_up.token, WRONG_PIN, CHOSEN).await;
    }
    let today = fixture.link_of("today").await;
    let kinds = [
        ("unknown", "unknown-link", "unknown-unknown-unknown-unknown-unknown-unk", PIN),
        ("wrong PIN", "wrong-pin", text(&wrong.token), WRONG_PIN),
        ("expired", "expired", text(&expired.token), PIN),
        ("locked", "locked", text(&locked.token), PIN),
        ("locked for today", "locked-for-today", text(&today.token), PIN),
    ];
    let calls = fixture.all_calls_of_keystone();
    let mut first: Option<Vec<String>> = None;
    for (kind, outcome, token, pin) in kinds {
        let fields = json!({ "pin": pin, "password": CHOSEN, "confirm_password": CHOSEN });
        let (answer, statements) = recorded(served.post_json(&format!("/?token={token}"), &fields)).await;
        assert_eq!(answer.outcome(), outcome, "{kind}");
        assert!(statements.iter().any(|sql| sql.contains("FROM setpass_link")), "{kind}: {statements:?}");
        assert_eq!(&statements, first.get_or_insert_with(|| statements.clone()), "{kind}");
    }
    assert_eq!(fixture.all_calls_of_keystone(), calls, "Keystone is asked nothing before the PIN is right");
}

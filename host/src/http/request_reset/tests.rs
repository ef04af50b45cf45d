use std::time::Instant;

use jiff::SignedDuration;
use serde_json::json;

use crate::database::ClaimedRequest;
use crate::database::statements::recorded;
use crate::http::tests::Served;
use crate::setpass::fixture::PIN;

fn form<'a>(email: &'a str, pin: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("name", "New User Example"), ("email", email), ("pin", pin)]
}

/// What was recorded since this was asked last.
async fn requests(served: &Served) -> Vec<ClaimedRequest> {
    let (database, now) = (&served.fixture.database, served.fixture.clock.now());
    let mut requests = Vec::new();
    let until = now + SignedDuration::from_hours(1000);
    while let Some(request) = database.claim_reset_request("test", now, until, |_| false).await.unwrap() {
        requests.push(request);
    }
    requests
}

#[tokio::test]
async fn a_request_is_recorded_with_nothing_readable_in_it() {
    let served = Served::new().await;
    assert_eq!(served.get("/reset").await.status, 200);
    let answer = served.post("/reset", &form("user@example.org", "830274")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for secret in ["830274", "user@example.org", "New User Example"] {
        assert!(!served.fixture.is_on_disk(secret), "{secret} is on disk");
    }
    let [request] = requests(&served).await.try_into().unwrap();
    let asker = served.fixture.setpass.open_asker(&request.who).unwrap();
    assert_eq!((asker.name.as_str(), asker.email.as_str()), ("New User Example", "user@example.org"));
    assert!(served.fixture.keys.verify_pin(&"830274".into(), &request.pin_hash).unwrap());
}

#[tokio::test]
async fn the_answer_is_the_same_for_everybody_also_when_all_together_ask_too_often() {
    for mode in ["helpdesk", "self-service"] {
        let served = Served::with(&format!(
            "[reset]\nmode = \"{mode}\"\nmax_in_total = 3\nmax_per_client_per_day = 9"
        ))
        .await;
        let first = served.post("/reset", &form("user@example.org", "830274")).await;
        for email in ["nobody@example.org", "user@example.org", "user@example.org", "other@example.org"] {
            let answer = served.post("/reset", &form(email, "830274")).await;
            assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{email}");
        }
        assert_eq!(requests(&served).await.len(), 3);
        served.fixture.clock.advance(SignedDuration::from_hours(24));
        served.post("/reset", &form("user@example.org", "830274")).await;
        assert_eq!(requests(&served).await.len(), 1, "the window has passed");
    }
}

/// Whole requests, without a look at the time.
#[tokio::test]
async fn a_request_for_an_account_that_exists_and_for_one_that_does_not_are_answered_and_worked_alike() {
    for mode in ["helpdesk", "self-service"] {
        let served = Served::with(&format!("[reset]\nmode = \"{mode}\"")).await;
        let calls = served.fixture.all_calls_of_keystone();
        let mut first = None;
        for email in ["user@example.org", "none@example.org", "user@example.org"] {
            let (answer, statements) = recorded(served.post("/reset", &form(email, "830274"))).await;
            assert!(statements.iter().any(|sql| sql.contains("INTO reset_request")), "{statements:?}");
            let answer = (answer.status, answer.headers, answer.body, statements);
            assert_eq!(&answer, first.get_or_insert_with(|| answer.clone()), "{mode}: {email}");
        }
        assert_eq!(
            served.fixture.all_calls_of_keystone(),
            calls,
            "whether there is one, the page does not ask"
        );
    }
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let served = Served::with("[reset]\nmax_per_client = 2").await;
    for _ in 0..2 {
        assert_eq!(served.post("/reset", &form("user@example.org", "830274")).await.status, 200);
        assert_eq!(
            served.post("/reset", &form("user@example.org", "123456")).await.status,
            400,
            "no request"
        );
        served.fixture.clock.advance(SignedDuration::from_mins(10));
    }
    let refused = served.post("/reset", &form("user@example.org", "830274")).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.headers["retry-after"], "2400");
    assert!(refused.body.contains("Please wait a while"), "{}", refused.body);
    assert_eq!(requests(&served).await.len(), 2);
    served.fixture.clock.advance(SignedDuration::from_mins(40));
    assert_eq!(served.post("/reset", &form("user@example.org", "830274")).await.status, 200);
}

/// However patient one client is, most of what all together may ask is left to others.
#[tokio::test]
async fn one_client_asks_for_a_part_of_all_links_in_a_day_and_is_told_to_come_back_tomorrow() {
    let served = Served::with("[reset]\nmax_per_client = 2\nmax_in_total = 50").await;
    let mut taken = 0;
    for hour in 0..24 {
        for _ in 0..3 {
            let answer = served.post("/reset", &form("user@example.org", "830274")).await;
            taken += i32::from(answer.status == 200);
            if hour == 3 {
                assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (429, "75600"));
                assert!(answer.body.contains("Please come back tomorrow"), "{}", answer.body);
            }
        }
        served.fixture.clock.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(taken, 5, "a tenth of all");
    assert_eq!(served.post("/reset", &form("user@example.org", "830274")).await.status, 200);
}

#[tokio::test]
async fn where_nobody_answers_requests_none_are_taken() {
    let served = Served::with("[reset]\nmode = \"off\"").await;
    for answer in
        [served.get("/reset").await, served.post("/reset", &form("user@example.org", "830274")).await]
    {
        assert_eq!(answer.status, 404);
        assert!(answer.body.contains("Write to the address below"), "{}", answer.body);
    }
    assert!(requests(&served).await.is_empty());
}

#[tokio::test]
async fn the_page_says_who_answers_and_what_a_pin_is_like() {
    let helpdesk = Served::new().await.get("/reset").await.body;
    assert!(helpdesk.contains("The helpdesk will look") && helpdesk.contains("name=\"name\""), "{helpdesk}");
    assert!(helpdesk.contains("[0-9]{6,12}") && helpdesk.contains("6 digits or more"), "{helpdesk}");
    let served = Served::with("[reset]\nmode = \"self-service\"\npin_digits = 4").await;
    let page = served.get("/reset").await.body;
    assert!(page.contains("Your present password works until") && !page.contains("name=\"name\""), "{page}");
    assert!(page.contains("[0-9]{4,12}") && page.contains("4 digits or more"), "{page}");
    let received = served.post("/reset", &form("user@example.org", PIN)).await;
    assert_eq!(received.status, 200);
    assert!(received.body.contains("a mail with a link is on its way"), "{}", received.body);
}

#[tokio::test]
async fn what_cannot_be_used_is_400_and_shows_the_form_again() {
    let served = Served::new().await;
    for fields in [
        form("", "830274"),
        form("user", "830274"),
        form("user@example.org, other@example.org", "830274"),
        form("user@example.org\nBcc: other@example.org", "830274"),
        form("user@example.org", ""),
        form("user@example.org", "123"),
        form("user@example.org", PIN),
        form("user@example.org", "83027"),
        form("user@example.org", "12x456"),
        form("user@example.org", "123456"),
        form("user@example.org", "0000"),
        form("user@example.org", "1987"),
        form("user@example.org", "830830"),
        form("user@example.org", "170462"),
        [form("user@example.org", "830274"), vec![("confirm_email", "usre@example.org")]].concat(),
    ] {
        let answer = served.post("/reset", &fields).await;
        assert_eq!(answer.status, 400, "{fields:?}");
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("New User Example"));
        assert!(!answer.body.contains("830274"), "the PIN came back");
    }
    assert!(requests(&served).await.is_empty());
}

#[tokio::test]
async fn a_form_of_the_older_page_and_json_are_taken_too() {
    let served = Served::new().await;
    let older = [form("user@example.org", "830274"), vec![("confirm_email", "user@example.org")]].concat();
    assert_eq!(served.post("/reset", &older).await.status, 200);
    let answer = served.post_json("/reset", &json!({"email": "other@example.org", "pin": "830274"})).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "received"));
    assert_eq!(requests(&served).await.len(), 2);
}

#[tokio::test]
async fn what_strangers_type_is_escaped() {
    let served = Served::new().await;
    let answer = served.post("/reset", &[("name", "<script>"), ("email", "\"><b>"), ("pin", "830274")]).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.body.contains("<script>") && !answer.body.contains("\"><b>"), "{}", answer.body);
}

/// The three take their turns, so that what else the machine does is the same for all. A look-up before the answer
/// takes a millisecond at least, which is a good part of what the rest takes once the PIN is hashed: the chance that a
/// request of one kind takes longer than one of another would be far from one half.
#[tokio::test]
async fn the_time_does_not_tell_accounts_from_strangers_nor_from_those_who_ask_too_often() {
    const ROUNDS: usize = 150;
    let served =
        Served::with("[reset]\nmode = \"self-service\"\nmax_per_client = 100000\nmax_per_client_per_day = 100000\nmax_in_total = 100000")
            .await;
    let setpass = &served.fixture.setpass;
    // Hashed once: the slow hash takes the same for all, and would hide what is looked for.
    let hash = setpass.hash_pin(&"830274".into()).await.unwrap();
    let asker = |email: String| crate::setpass::Asker { name: String::new(), email };
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        let strangers = format!("nobody{round:03}@example.org");
        let kinds = ["user@example.org".to_owned(), strangers, "limited@example.org".to_owned()];
        for turn in 0..3 {
            let kind = (round + turn) % 3;
            let asker = asker(kinds[kind].clone());
            let begun = Instant::now();
            setpass.count_reset_for([192, 0, 2, 1].into()).await.unwrap();
            setpass.ask_for_link(&asker, &hash, None).await.unwrap();
            times[kind].push(begun.elapsed());
        }
    }
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let longer: usize = times[one].iter().map(|a| times[other].iter().filter(|b| a > *b).count()).sum();
        let chance =
            f64::from(u32::try_from(longer).unwrap()) / f64::from(u32::try_from(ROUNDS * ROUNDS).unwrap());
        // Three in a thousand would be beyond 0.5 ± 0.1 by chance where there is no difference.
        assert!((0.36..=0.64).contains(&chance), "{one} takes longer than {other} with a chance of {chance}");
    }
}

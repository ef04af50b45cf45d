use serde_json::json;

use crate::http::tests::Served;
use crate::mail_content::MailContent;
use crate::setpass::fixture::PIN;

fn form<'a>(email: &'a str, pin: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("name", "New User Example"), ("email", email), ("pin", pin)]
}

#[tokio::test]
async fn the_helpdesk_gets_a_ticket_with_a_case_and_without_the_pin() {
    let served = Served::new().await;
    assert_eq!(served.get("/reset").await.status, 200);
    let answer = served.post("/reset", &form("user@example.org", "830274")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);

    let waiting = served.outbox.pending().await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].kind, "helpdesk-ticket");
    assert_eq!(waiting[0].to, ["helpdesk@example.org"]);
    let contents = served.contents.lock().unwrap().clone();
    let [MailContent::HelpdeskTicket(ticket)] = contents.as_slice() else { panic!("{contents:?}") };
    assert_eq!((ticket.username.as_str(), ticket.last_name.as_str()), ("user@example.org", "Example"));
    assert!(!format!("{ticket:?}").contains("830274"));
    assert!(!served.fixture.is_on_disk("830274"));

    let case = served.fixture.database.open_case(ticket.case_number.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(case.email, "user@example.org");
    assert!(served.fixture.keys.verify_pin(&"830274".into(), &case.pin_hash).unwrap());
}

#[tokio::test]
async fn the_answer_is_the_same_for_everybody_also_for_those_who_ask_too_often() {
    let served = Served::new().await;
    let first = served.post("/reset", &form("user@example.org", "830274")).await;
    for email in ["nobody@example.org", "user@example.org", "user@example.org", "user@example.org"] {
        let answer = served.post("/reset", &form(email, "830274")).await;
        assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{email}");
    }
    assert_eq!(
        served.outbox.pending().await.unwrap().len(),
        4,
        "three for one address and one for the other"
    );
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
        form("user@example.org", "12x456"),
        form("user@example.org", "123456"),
        form("user@example.org", "0000"),
        form("user@example.org", "1987"),
        [form("user@example.org", "830274"), vec![("confirm_email", "usre@example.org")]].concat(),
    ] {
        let answer = served.post("/reset", &fields).await;
        assert_eq!(answer.status, 400, "{fields:?}");
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("New User Example"));
        assert!(!answer.body.contains("830274"), "the PIN came back");
    }
    assert!(served.outbox.pending().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_form_of_the_older_page_and_json_are_taken_too() {
    let served = Served::new().await;
    let older = [form("user@example.org", PIN), vec![("confirm_email", "user@example.org")]].concat();
    assert_eq!(served.post("/reset", &older).await.status, 200);
    let answer = served.post_json("/reset", &json!({"email": "other@example.org", "pin": PIN})).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "received"));
    assert_eq!(served.outbox.pending().await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_strangers_type_is_escaped() {
    let served = Served::new().await;
    let answer = served.post("/reset", &[("name", "<script>"), ("email", "\"><b>"), ("pin", "830274")]).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.body.contains("<script>") && !answer.body.contains("\"><b>"), "{}", answer.body);
}

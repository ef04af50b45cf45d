use axum::http::header::ACCEPT;
use futures::stream;

use super::*;
use crate::http::audience::Accepts;
use crate::http::language::Language;
use crate::http::tests::{Answer, Served};

/// Posts a body that comes in pieces, without saying how long it is.
async fn post(served: &Served, accept: &str, body: Body) -> Answer {
    served.call(Request::post("/?token=x").header(ACCEPT, accept).body(body).unwrap()).await
}

/// Some bytes, and then nothing for ever.
fn unfinished() -> Body {
    let begun = stream::iter([Ok::<_, std::io::Error>("pin=")]);
    Body::from_stream(begun.chain(stream::pending()))
}

#[tokio::test]
async fn a_body_that_is_too_long_or_too_slow_is_told_in_the_form_that_is_read() {
    let served = Served::new().await;
    for (accept, kind) in
        [("text/html", "text/html"), ("application/json", "application/json"), ("text/plain", "text/plain")]
    {
        let long = vec![Ok::<_, std::io::Error>("x".repeat(LONGEST_BODY)), Ok("x".to_owned())];
        let long = post(&served, accept, Body::from_stream(stream::iter(long))).await;
        let announced = post(&served, accept, Body::from("x".repeat(LONGEST_BODY + 1))).await;
        let slow = post(&served, accept, unfinished()).await;
        for (answer, status, words) in
            [(long, 413, "longer than"), (announced, 413, "longer than"), (slow, 408, "in time")]
        {
            assert_eq!(answer.status, status, "{accept}");
            let given = answer.headers["content-type"].to_str().unwrap();
            assert!(given.starts_with(kind), "{accept}: {given}");
            assert!(answer.body.contains(words), "{accept}: {}", answer.body);
            assert_eq!(answer.headers["connection"], "close", "{accept}");
        }
    }
    let fits = post(&served, "application/json", Body::from("x".repeat(LONGEST_BODY))).await;
    assert_eq!(fits.outcome(), "missing-field");
}

#[tokio::test]
async fn programs_that_put_get_no_page() {
    let served = Served::new().await;
    let body = Body::from("x".repeat(LONGEST_BODY + 1));
    let answer = served.call(Request::put("/token/u1").header(ACCEPT, "*/*").body(body).unwrap()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"), "{answer:?}");
}

/// From when its body is awaited on: a slow body takes from what Keystone may take.
#[tokio::test]
async fn a_request_waits_for_keystone_until_shortly_before_it_is_given_up() {
    let served = Served::new().await;
    let audience = Audience { accepts: Accepts::Json, language: Language::accepted("en"), has_chosen: false };
    let slow = stream::once(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, std::io::Error>("pin=")
    });
    let request = Request::post("/?token=x").body(Body::from_stream(slow)).unwrap();
    let begun = Instant::now();
    let (mut parts, _) = with_body(&served.services, request, audience).await.unwrap().into_parts();
    let Deadline(end) = Deadline::from_request_parts(&mut parts, &()).await.unwrap();
    let wait = end - begun;
    assert!(wait >= LONGEST_WAIT && wait < LONGEST_WAIT + Duration::from_millis(100), "{wait:?}");
}

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::HttpBody;
use axum::http::Uri;
use axum::http::header::ACCEPT;
use futures::stream;
use hyper::body::{Frame, SizeHint};

use super::*;
use crate::http::audience::Accepts;
use crate::http::language::Language;
use crate::http::tests::{Answer, Served};

/// How long no answer takes, whatever else the machine does.
const SOON: Duration = Duration::from_secs(20);

/// Posts a body that comes in pieces, without saying how long it is.
async fn post(served: &Served, accept: &str, body: Body) -> Answer {
    send(served, Request::post("/?token=x").header(ACCEPT, accept).body(body).unwrap()).await
}

async fn send(served: &Served, request: Request<Body>) -> Answer {
    tokio::time::timeout(SOON, served.call(request)).await.expect("there is an answer")
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

/// Over all connections, of which one may have several under way; each is held until its request is answered.
#[tokio::test]
async fn no_more_bodies_are_held_at_a_time_than_there_are_places() {
    let served = Served::new().await;
    let services = Services { bodies: Bodies::new(2, 2), ..served.services.clone() };
    let audience = || Audience {
        accepts: Accepts::Json,
        language: Language::accepted("en"),
        has_chosen: false,
        address: Uri::default(),
    };
    let bring = async |body: Body| {
        with_body(&services, Request::post("/?token=x").body(body).unwrap(), &audience()).await
    };
    let mut slow = Box::pin(bring(unfinished()));
    assert!(futures::poll!(&mut slow).is_pending());
    let taken = bring(Body::from("pin=")).await;
    assert!(taken.is_ok());
    let is_received = Arc::new(AtomicBool::new(false));
    let received = Arc::clone(&is_received);
    let third = stream::once(async move {
        received.store(true, Ordering::SeqCst);
        Ok::<_, std::io::Error>("pin=")
    });
    let refused = bring(Body::from_stream(third)).await.err().expect("all places are taken");
    assert!(is_received.load(Ordering::SeqCst), "who is still sending would not read the answer");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "30");
    assert_eq!(refused.headers()["connection"], "close", "what may come after it is no request");
    assert!(bring(Body::empty()).await.is_ok(), "there is nothing to hold");
    drop(taken);
    assert!(bring(Body::from("pin=")).await.is_ok());
    drop(slow);
    let (first, second) = (bring(Body::from("pin=")).await, bring(Body::from("pin=")).await);
    assert!(first.is_ok() && second.is_ok());
}

/// A place is worth no more than the longest body.
#[tokio::test]
async fn a_body_that_comes_in_small_pieces_takes_up_no_more_room_than_the_longest_may_have() {
    let first = stream::iter([Ok::<_, std::io::Error>("x".repeat(100))]);
    let rest = stream::repeat_with(|| Ok("x".to_owned())).take(LONGEST_BODY - 100);
    let read = read(&mut Body::from_stream(first.chain(rest))).await.unwrap();
    let held: Vec<u8> = read.into();
    assert_eq!((held.len(), held.capacity()), (LONGEST_BODY, LONGEST_BODY));
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
    let audience = Audience {
        accepts: Accepts::Json,
        language: Language::accepted("en"),
        has_chosen: false,
        address: Uri::default(),
    };
    let awaited = Arc::new(OnceLock::new());
    let since = Arc::clone(&awaited);
    let slow = stream::once(async move {
        since.set(Instant::now()).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok::<_, std::io::Error>("pin=")
    });
    let request = Request::post("/?token=x").body(Body::from_stream(slow)).unwrap();
    let begun = Instant::now();
    let brought =
        with_body(&served.services, request, &audience).await.unwrap_or_else(|_| panic!("it has come"));
    let (mut parts, _) = brought.request.into_parts();
    let Deadline(end) = Deadline::from_request_parts(&mut parts, &()).await.unwrap();
    let awaited = *awaited.get().unwrap();
    assert!(begun + LONGEST_WAIT <= end && end <= awaited + LONGEST_WAIT, "{:?}", end - begun);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_and_may_be_sent_again() {
    let served = Served::new().await;
    let audience = Audience {
        accepts: Accepts::Json,
        language: Language::accepted("en"),
        has_chosen: false,
        address: Uri::default(),
    };
    let soon = Duration::from_millis(50);
    let answering = within(soon, &served.services, &audience, std::future::pending());
    let answer = tokio::time::timeout(SOON, answering).await.expect("there is an answer");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "30");
}

/// What is still being sent of a body that is too long is received, so that the answer is read, but not all of it and
/// not for long.
#[tokio::test]
async fn of_a_body_that_is_too_long_no_more_than_so_much_is_thrown_away_and_not_for_long() {
    let served = Served::new().await;
    let received = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&received);
    let long = stream::repeat_with(move || {
        counted.fetch_add(LONGEST_BODY, Ordering::SeqCst);
        Ok::<_, std::io::Error>("x".repeat(LONGEST_BODY))
    });
    let long = Body::from_stream(long.take(1000));
    assert_eq!(post(&served, "text/plain", long).await.status, 413);
    let received = received.load(Ordering::SeqCst);
    assert!(received > THROWN_AWAY && received < THROWN_AWAY + 4 * LONGEST_BODY, "{received}");

    let begun = stream::iter([Ok::<_, std::io::Error>("x".repeat(LONGEST_BODY + 1))]);
    let silent = Body::from_stream(begun.chain(stream::pending()));
    assert_eq!(post(&served, "text/plain", silent).await.status, 413);
}

/// What nobody is to wait for, and whether somebody does.
struct Unwanted {
    announced: Option<u64>,
    is_awaited: Arc<AtomicBool>,
}

impl HttpBody for Unwanted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.is_awaited.store(true, Ordering::SeqCst);
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[tokio::test]
async fn who_waits_for_a_sign_before_sending_a_body_that_is_too_long_is_answered_at_once() {
    let served = Served::new().await;
    let is_awaited = Arc::new(AtomicBool::new(false));
    let unwanted = |announced| Body::new(Unwanted { announced, is_awaited: Arc::clone(&is_awaited) });
    let begun = stream::iter([Ok("x".repeat(LONGEST_BODY + 1).into())]);
    let begun = Body::from_stream(begun.chain(unwanted(None).into_data_stream()));
    for body in [begun, unwanted(Some(LONGEST_BODY as u64 + 1))] {
        let request = Request::post("/?token=x").header(EXPECT, "100-continue").body(body).unwrap();
        assert_eq!(send(&served, request).await.status, 413);
        assert!(!is_awaited.load(Ordering::SeqCst), "no more of it is received");
    }
}

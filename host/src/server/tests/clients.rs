//! Clients that are many, slow or silent, one guard each.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::server::tls::tests::write_pair;

/// How long it may take until something happens that has to.
const SOON: Duration = Duration::from_secs(20);

/// The same with a limit for what clients do.
fn impatient(connections: u32) -> Limits {
    Limits { client_timeout: LIMIT, ..patient(connections) }
}

/// Answers after some time, and tells how many requests were worked on at once at most.
fn counting() -> (Router, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let answer = async move || {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        now.fetch_sub(1, Ordering::SeqCst);
        "done"
    };
    (Router::new().route("/", get(answer)), most)
}

/// A client that speaks HTTP/2 without TLS, and takes so many bytes of an answer that it does not read.
fn http2(window: u32) -> reqwest::Client {
    // Fails where a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
    builder.http2_initial_stream_window_size(window).build().unwrap()
}

/// An idle connection, as each is after its answer, makes room for one that waits; nobody has to give up first.
#[tokio::test]
async fn no_more_connections_are_open_at_a_time_than_there_may_be() {
    let (router, most) = counting();
    let running = Running::within(patient(2), router).await;
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = running.connect().await;
        ask(&mut client, "/").await;
        clients.push(client);
        // Until it is received, a connection is idle itself.
        while most.load(Ordering::SeqCst) <= number.min(1) {
            tokio::task::yield_now().await;
        }
    }
    for client in &mut clients {
        let answer = tokio::time::timeout(SOON, read_until(client, "done")).await.unwrap();
        assert!(answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_does_not_hold_its_connection() {
    let running = Running::within(impatient(10), slow()).await;
    let (mut reader, mut writer) = running.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET /0 HTTP/1.1\r\nX: ").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(LIMIT / 10).await;
        }
    });
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(SOON, reader.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "{}", String::from_utf8_lossy(&rest));
    dripping.abort();
}

#[tokio::test]
async fn a_head_has_a_longest_length() {
    let running = Running::within(patient(10), slow()).await;
    for (length, served) in [(8 * 1024, true), (40 * 1024, false)] {
        let mut client = running.connect().await;
        let head = format!("GET /0 HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(length));
        // The server may have closed it before all is written.
        let _ = client.write_all(head.as_bytes()).await;
        let answer = tokio::time::timeout(SOON, read_until(&mut client, "done")).await.unwrap();
        assert_eq!(answer.contains("200 OK"), served, "{length}: {answer}");
    }
}

/// A long one, of which the system has no room for all, and with HTTP/2 a short one for which the client gives no leave.
#[tokio::test]
async fn a_client_that_does_not_take_its_answer_loses_its_connection() {
    let router = || {
        Router::new()
            .route("/long", get(async || "x".repeat(64 << 20)))
            .route("/short", get(async || "x".repeat(1000)))
    };
    let running = Running::within(impatient(1), router()).await;
    let mut silent = running.connect().await;
    ask(&mut silent, "/long").await;
    let mut next = running.connect().await;
    ask(&mut next, "/short").await;
    let answer =
        tokio::time::timeout(SOON, read_until(&mut next, "xxx")).await.expect("the first one is cut");
    assert!(answer.contains("200 OK"), "{answer}");

    let running = Running::within(impatient(1), router()).await;
    let url = format!("http://{}/short", running.address);
    let silent = http2(16).get(&url).send().await.unwrap();
    let mut next = running.connect().await;
    ask(&mut next, "/short").await;
    let answer =
        tokio::time::timeout(SOON, read_until(&mut next, "xxx")).await.expect("the first one is cut");
    assert!(answer.contains("200 OK"), "{answer}");
    silent.bytes().await.unwrap_err();
}

#[tokio::test]
async fn one_connection_has_no_more_requests_worked_on_at_a_time_than_it_may() {
    let (router, most) = counting();
    let running = Running::within(patient(10), router).await;
    let (client, url) = (http2(1 << 16), format!("http://{}/", running.address));
    // The first one makes the connection, and learns how many there may be.
    client.get(&url).send().await.unwrap();
    let asking = (0..40).map(|_| client.get(&url).send());
    for answer in futures::future::join_all(asking).await {
        assert!(answer.unwrap().status().is_success());
    }
    assert_eq!(most.load(Ordering::SeqCst), 32);
}

#[tokio::test]
async fn who_does_not_shake_hands_is_cut_in_time_and_makes_room_for_others_before() {
    let folder = tempfile::tempdir().unwrap();
    let tls = || Some(Tls::load(&write_pair(folder.path(), "one", "one.example.org", 30)).unwrap());
    let running = Running::secured(impatient(10), tls(), slow()).await;
    assert!(is_ended(&mut running.connect().await).await);

    let running = Running::secured(patient(1), tls(), slow()).await;
    let mut first = running.connect().await;
    let _second = running.connect().await;
    assert!(is_ended(&mut first).await);
}

//! Clients that are many, slow or silent, one guard each.

use super::*;
use crate::server::tls::tests::write_pair;

/// An idle connection, as each is after its answer, makes room for one that waits; nobody has to give up first.
#[tokio::test]
async fn no_more_connections_are_open_at_a_time_than_there_may_be() {
    let work = Work::new();
    let running = Running::within(patient(2), work.router()).await;
    let mut clients = Vec::new();
    for number in 1..=4 {
        let mut client = running.connect().await;
        ask(&mut client, "/held").await;
        clients.push(client);
        // Until it is received, a connection is idle itself.
        work.has_begun(number.min(2)).await;
    }
    assert!(work.is_all_that_begins(2).await);
    for client in &mut clients {
        work.let_go(1);
        assert!(is_answered(client).await);
    }
    assert_eq!(work.most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_does_not_hold_its_connection() {
    let running = Running::within(impatient(10), Work::new().router()).await;
    let (mut reader, mut writer) = running.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
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
    let running = Running::within(patient(10), Work::new().router()).await;
    for (length, served) in [(8 * 1024, true), (40 * 1024, false)] {
        let mut client = running.connect().await;
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(length));
        // The server may have closed it before all is written.
        let _ = client.write_all(head.as_bytes()).await;
        let answer = tokio::time::timeout(SOON, read_until(&mut client, "done")).await.unwrap();
        assert_eq!(answer.contains("200 OK"), served, "{length}: {answer}");
    }
}

/// One of which the system has no room for all.
#[tokio::test]
async fn a_client_that_does_not_take_its_answer_loses_its_connection() {
    let router = Work::new().router().route("/long", get(async || "x".repeat(64 << 20)));
    let running = Running::within(impatient(1), router).await;
    let _silent = running.connect_and_send(question("/long").as_bytes());
    let mut next = running.connect_and_send(question("/").as_bytes());
    assert!(is_answered(&mut next).await, "the first one is cut");
}

#[tokio::test]
async fn who_does_not_shake_hands_is_cut_in_time_and_makes_room_for_others_before() {
    let folder = tempfile::tempdir().unwrap();
    let tls = || Some(Tls::load(&write_pair(folder.path(), "one", "one.example.org", 30)).unwrap());
    let running = Running::secured(impatient(10), tls(), Work::new().router()).await;
    assert!(is_ended(&mut running.connect().await).await);

    let running = Running::secured(patient(1), tls(), Work::new().router()).await;
    let mut first = running.connect().await;
    let _second = running.connect().await;
    assert!(is_ended(&mut first).await);
}

//! Clients that speak HTTP/2, without TLS: what they can do besides.

use super::*;
use crate::server::connection::REQUESTS_AT_A_TIME;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACKNOWLEDGED: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// A client's first words: of an answer it takes so many bytes, and it asks for something.
fn asking_for(path: &str, window: u32) -> Vec<u8> {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = frame(SETTINGS, 0, 0, &[&[0, 4], &window.to_be_bytes()[..]].concat());
    // GET, http, the authority x, and the path: by their places in the table of RFC 7541, appendix A.
    let head =
        [&[0x82, 0x86, 0x41, 1, b'x', 0x44, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat();
    // The end of the head and of the request.
    [&preface[..], &settings, &frame(HEADERS, 5, 1, &head)].concat()
}

/// Kind, flags and content of the next frame; none at the end of the connection.
async fn next_frame(client: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut start = [0; 9];
    client.read_exact(&mut start).await.ok()?;
    let length = u32::from_be_bytes([0, start[0], start[1], start[2]]);
    let mut content = vec![0; length as usize];
    client.read_exact(&mut content).await.ok()?;
    Some((start[3], start[4], content))
}

/// Reads to the end of the connection, and answers pings meanwhile.
async fn answer_pings(client: &mut TcpStream) {
    while let Some((kind, flags, content)) = next_frame(client).await {
        if (kind, flags) == (PING, 0) {
            // Where the connection is cut, nothing comes after it.
            let _ = client.write_all(&frame(PING, ACKNOWLEDGED, 0, &content)).await;
        }
    }
}

/// A short one, for which the system has room, but its client gives no leave: for none of it, so that it is never handed
/// over, or for a part, after which nothing seems to be going on.
#[tokio::test]
async fn a_client_that_gives_no_leave_for_its_answer_loses_its_connection_though_it_answers_pings() {
    for leave in [0, 16] {
        let router = Router::new().route("/", get(async || "x".repeat(1000)));
        let running = Running::within(impatient(1), router).await;
        let mut client = running.connect_and_send(&asking_for("/", leave));
        let ended = tokio::time::timeout(SOON, answer_pings(&mut client)).await;
        ended.unwrap_or_else(|_| panic!("it is not cut with leave for {leave} bytes"));
    }
}

/// It may be gone without a word, and nobody would notice while its request is worked on.
#[tokio::test]
async fn a_client_that_answers_no_pings_loses_its_connection_while_its_request_is_worked_on() {
    let work = Work::new();
    let running = Running::within(impatient(1), work.router()).await;
    let mut client = running.connect_and_send(&asking_for("/held", 1 << 16));
    work.has_begun(1).await;
    assert!(is_ended(&mut client).await);
}

/// What it could send besides is not kept for it: a body that is not read, or more requests than are worked on.
#[tokio::test]
async fn a_client_is_told_how_little_it_may_send_before_somebody_reads_it() {
    let running = Running::within(patient(1), Work::new().router()).await;
    let mut client = running.connect_and_send(&asking_for("/", 1 << 16));
    let mut settings = Vec::new();
    loop {
        let (kind, _, content) = next_frame(&mut client).await.unwrap();
        // It would be for the connection as a whole.
        assert_ne!(kind, WINDOW_UPDATE);
        match kind {
            SETTINGS => settings.extend(content),
            HEADERS => break,
            _ => {}
        }
    }
    let said = |id: u8| {
        let setting = settings.chunks(6).find(|setting| setting[1] == id)?;
        Some(u32::from_be_bytes(setting[2..].try_into().unwrap()))
    };
    assert_eq!((said(3), said(4).unwrap_or(65_535)), (Some(REQUESTS_AT_A_TIME), 65_535));
}

#[tokio::test]
async fn one_connection_has_no_more_requests_worked_on_at_a_time_than_it_may() {
    // Fails where a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let work = Work::new();
    let running = Running::within(patient(10), work.router()).await;
    let url = |path| format!("http://{}{path}", running.address);
    // The first one makes the connection, and learns how many there may be.
    client.get(url("/")).send().await.unwrap();
    let asking: Vec<_> = (0..40).map(|_| tokio::spawn(client.get(url("/held")).send())).collect();
    let most = REQUESTS_AT_A_TIME as usize;
    work.has_begun(most).await;
    assert!(work.is_all_that_begins(most).await);
    work.let_go(40);
    for answer in asking {
        assert!(answer.await.unwrap().unwrap().status().is_success());
    }
    assert_eq!(work.most.load(Ordering::SeqCst), most);
}

//! What needs no more than the server itself, with a router that does as the tests say. What the whole program does
//! under attack is in the end-to-end tests.

mod clients;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::*;

const LIMIT: Duration = Duration::from_millis(300);

impl Respond for Router {
    async fn respond(&self, request: Request) -> Response {
        self.clone().oneshot(request).await.unwrap()
    }
}

/// A server that runs until it is stopped.
struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Running {
    async fn start(connections: u32, router: Router) -> Self {
        let unlimited = TrustedProxies::default();
        Self::within(
            Limits { connections, connections_per_client: None, unlimited, client_timeout: LIMIT },
            router,
        )
        .await
    }

    async fn within(limits: Limits, router: Router) -> Self {
        Self::secured(limits, None, router).await
    }

    async fn secured(limits: Limits, tls: Option<Tls>, router: Router) -> Self {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), tls, limits).await.unwrap();
        let address = server.listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        Self { address, stop, ended: tokio::spawn(server.run(router, stopped)) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects as somebody else: all of 127.0.0.0/8 is this machine.
    async fn connect_from(&self, address: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}

/// So many connections, whose clients have all the time they want.
fn patient(connections: u32) -> Limits {
    Limits {
        connections,
        connections_per_client: None,
        unlimited: TrustedProxies::default(),
        client_timeout: Duration::from_secs(60),
    }
}

/// Answers everything in the time that the path says, in milliseconds.
fn slow() -> Router {
    Router::new().route(
        "/{milliseconds}",
        get(async |axum::extract::Path(milliseconds): axum::extract::Path<u64>| {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            "done"
        }),
    )
}

async fn ask(client: &mut TcpStream, path: &str) {
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
}

/// What comes until the word, or until the end.
async fn read_until(client: &mut TcpStream, word: &str) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&read).contains(word) {
        match client.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => read.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8(read).unwrap()
}

/// Whether the server ends the connection within some seconds.
async fn is_ended(client: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn a_request_that_takes_longer_than_clients_may_is_answered() {
    let running = Running::start(10, slow()).await;
    let mut client = running.connect().await;
    ask(&mut client, "/1000").await;
    assert!(read_until(&mut client, "done").await.contains("200 OK"));
    assert!(is_ended(&mut client).await, "and idle afterwards");
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_makes_room_and_none_at_work_does() {
    let running = Running::start(2, slow()).await;
    let (mut busy, mut idle) = (running.connect().await, running.connect().await);
    ask(&mut busy, "/1500").await;
    ask(&mut idle, "/0").await;
    read_until(&mut idle, "done").await;
    let mut third = running.connect().await;
    ask(&mut third, "/2000").await;
    assert!(is_ended(&mut idle).await);
    // Both are at work: the fourth waits until one of them is not.
    let mut fourth = running.connect().await;
    ask(&mut fourth, "/0").await;
    assert!(read_until(&mut busy, "done").await.contains("200 OK"));
    assert!(read_until(&mut fourth, "done").await.contains("200 OK"));
    assert!(read_until(&mut third, "done").await.contains("200 OK"));
}

#[tokio::test]
async fn one_client_cannot_have_all_connections_whatever_it_has_them_do_and_a_trusted_proxy_can() {
    #[derive(serde::Deserialize)]
    struct Trusted {
        proxies: TrustedProxies,
    }
    let Trusted { proxies } = toml::from_str("proxies = [\"127.0.0.3\"]").unwrap();
    let limits = Limits {
        connections: 10,
        connections_per_client: Some(2),
        unlimited: proxies,
        client_timeout: 10 * LIMIT,
    };
    let running = Running::within(limits, slow()).await;
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let mut client = running.connect_from("127.0.0.1").await;
        ask(&mut client, "/1500").await;
        greedy.push(client);
    }
    // An answer to somebody else shows that both have been received.
    let mut other = running.connect_from("127.0.0.2").await;
    ask(&mut other, "/100").await;
    assert!(read_until(&mut other, "done").await.contains("200 OK"));
    let mut third = running.connect_from("127.0.0.1").await;
    // It may be closed before all of it is written.
    let _ = third.write_all(b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(read_until(&mut third, "done").await, "");
    let mut behind_a_proxy = Vec::new();
    for _ in 0..4 {
        let mut client = running.connect_from("127.0.0.3").await;
        ask(&mut client, "/100").await;
        behind_a_proxy.push(client);
    }
    for client in behind_a_proxy.iter_mut().chain(&mut greedy) {
        assert!(read_until(client, "done").await.contains("200 OK"));
    }
    // They are idle now, so one makes room.
    let mut fourth = running.connect_from("127.0.0.1").await;
    ask(&mut fourth, "/0").await;
    assert!(read_until(&mut fourth, "done").await.contains("200 OK"));
    assert!(is_ended(&mut greedy[0]).await);
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_ends_what_is_idle_at_once() {
    let running = Running::within(patient(10), slow()).await;
    let (mut busy, mut idle, mut silent) =
        (running.connect().await, running.connect().await, running.connect().await);
    let mut begun = running.connect().await;
    begun.write_all(b"GET /0 HT").await.unwrap();
    ask(&mut idle, "/0").await;
    read_until(&mut idle, "done").await;
    ask(&mut busy, "/3000").await;
    // So that it has been received when the stop comes: an answer to a later connection shows that.
    let mut later = running.connect().await;
    ask(&mut later, "/100").await;
    read_until(&mut later, "done").await;
    running.stop.send_replace(true);
    for client in [&mut idle, &mut silent, &mut begun, &mut later] {
        assert!(is_ended(client).await);
    }
    assert!(!running.ended.is_finished(), "a request is under way");
    let answer = read_until(&mut busy, "done").await;
    assert!(answer.contains("200 OK") && answer.contains("connection: close"), "{answer}");
    tokio::time::timeout(Duration::from_secs(5), running.ended).await.unwrap().unwrap();
    TcpStream::connect(running.address).await.unwrap_err();
}

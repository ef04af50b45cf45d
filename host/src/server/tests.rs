//! What needs no more than the server itself, with a router that does as the tests say. What the whole program does
//! under attack is in the end-to-end tests.

mod clients;
mod http2;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use rustix::io::Errno;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::*;

/// How long an impatient server waits for its clients.
const LIMIT: Duration = Duration::from_millis(300);

/// How long it may take until something happens that has to.
const SOON: Duration = Duration::from_secs(20);

/// How long nothing has happened that must not, where it would at once.
const A_WHILE: Duration = Duration::from_millis(200);

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

    /// Connects and sends something before the server can take note of either: tests and their servers share one
    /// thread, so nothing happens in between, however much else the machine has to do.
    fn connect_and_send(&self, bytes: &[u8]) -> TcpStream {
        let mut client = std::net::TcpStream::connect(self.address).unwrap();
        client.write_all(bytes).unwrap();
        client.set_nonblocking(true).unwrap();
        TcpStream::from_std(client).unwrap()
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

/// The same with a limit for what clients do.
fn impatient(connections: u32) -> Limits {
    Limits { client_timeout: LIMIT, ..patient(connections) }
}

/// Answers `/` at once, and `/held` when it is let go.
#[derive(Clone)]
struct Work {
    /// How many requests have been held.
    begun: Arc<AtomicUsize>,
    now: Arc<AtomicUsize>,
    /// How many were held at the same time at most.
    most: Arc<AtomicUsize>,
    go: Arc<Semaphore>,
}

impl Work {
    fn new() -> Self {
        let count = Arc::<AtomicUsize>::default;
        Self { begun: count(), now: count(), most: count(), go: Arc::new(Semaphore::new(0)) }
    }

    fn router(&self) -> Router {
        let work = self.clone();
        let held = async move || {
            work.most.fetch_max(work.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            work.begun.fetch_add(1, Ordering::SeqCst);
            work.go.acquire().await.unwrap().forget();
            work.now.fetch_sub(1, Ordering::SeqCst);
            "done"
        };
        Router::new().route("/", get(async || "done")).route("/held", get(held))
    }

    /// Waits until so many requests have been held.
    async fn has_begun(&self, requests: usize) {
        let begun = async {
            while self.begun.load(Ordering::SeqCst) < requests {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, begun).await.expect("they are worked on");
    }

    /// Whether no more requests than so many are worked on, although others wait.
    async fn is_all_that_begins(&self, requests: usize) -> bool {
        tokio::time::sleep(A_WHILE).await;
        self.begun.load(Ordering::SeqCst) == requests
    }

    /// Has the next requests answered, those that were begun first before the others.
    fn let_go(&self, requests: usize) {
        self.go.add_permits(requests);
    }
}

fn question(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

async fn ask(client: &mut TcpStream, path: &str) {
    client.write_all(question(path).as_bytes()).await.unwrap();
}

/// Waits for the answer to what was asked.
async fn is_answered(client: &mut TcpStream) -> bool {
    let answer = tokio::time::timeout(SOON, read_until(client, "done")).await;
    answer.expect("there is an answer").contains("200 OK")
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

/// Whether the server ends the connection.
async fn is_ended(client: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(SOON, client.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn a_request_that_takes_longer_than_clients_may_is_answered() {
    let work = Work::new();
    let running = Running::within(impatient(10), work.router()).await;
    let mut client = running.connect_and_send(question("/held").as_bytes());
    work.has_begun(1).await;
    tokio::time::sleep(3 * LIMIT).await;
    work.let_go(1);
    assert!(is_answered(&mut client).await);
    assert!(is_ended(&mut client).await, "and idle afterwards");
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_makes_room_and_none_at_work_does() {
    let work = Work::new();
    let running = Running::within(patient(3), work.router()).await;
    let mut busy = running.connect().await;
    ask(&mut busy, "/held").await;
    work.has_begun(1).await;
    let (mut early, mut idle) = (running.connect().await, running.connect().await);
    for client in [&mut early, &mut idle] {
        ask(client, "/").await;
        assert!(is_answered(client).await);
    }
    ask(&mut early, "/").await;
    assert!(is_answered(&mut early).await);
    let mut third = running.connect().await;
    ask(&mut third, "/held").await;
    // Though it came later: the other one has asked for something since.
    assert!(is_ended(&mut idle).await);
    work.has_begun(2).await;
    ask(&mut early, "/held").await;
    work.has_begun(3).await;
    // All are at work: the next one waits until one of them is not.
    let mut next = running.connect().await;
    ask(&mut next, "/held").await;
    assert!(work.is_all_that_begins(3).await);
    work.let_go(1);
    assert!(is_answered(&mut busy).await);
    work.has_begun(4).await;
    work.let_go(3);
    for client in [&mut third, &mut early, &mut next] {
        assert!(is_answered(client).await);
    }
}

/// The system gives no more connections twice, and one that is lost before it is let in is no sign of that.
#[tokio::test]
async fn while_the_system_gives_no_connection_an_idle_one_makes_room_and_who_waits_is_let_in_after_a_pause() {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), None, patient(10)).await.unwrap();
    let (address, listener) = (server.listener.local_addr().unwrap(), Arc::new(server.listener));
    let (stop, stopped) = watch::channel(false);
    let tried = Arc::new(AtomicUsize::new(0));
    let accept = move || {
        let (listener, tried) = (Arc::clone(&listener), Arc::clone(&tried));
        async move {
            match tried.fetch_add(1, Ordering::SeqCst) {
                1 | 3 => Err(Errno::MFILE.into()),
                2 => Err(ErrorKind::ConnectionAborted.into()),
                _ => listener.accept().await,
            }
        }
    };
    let work = Work::new();
    let serving = Server::let_all_in(accept, None, patient(10), work.router(), stopped);
    let begun = Instant::now();
    let serving = tokio::spawn(serving);
    let mut idle = TcpStream::connect(address).await.unwrap();
    assert!(is_ended(&mut idle).await);
    let mut waiting = TcpStream::connect(address).await.unwrap();
    ask(&mut waiting, "/").await;
    assert!(is_answered(&mut waiting).await);
    assert!(begun.elapsed() >= 2 * RECOVERY, "it is not tried without a pause");
    stop.send_replace(true);
    tokio::time::timeout(SOON, serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_client_cannot_have_all_connections_whatever_it_has_them_do_and_a_trusted_proxy_can() {
    #[derive(serde::Deserialize)]
    struct Trusted {
        proxies: TrustedProxies,
    }
    let Trusted { proxies } = toml::from_str("proxies = [\"127.0.0.3\"]").unwrap();
    let limits = Limits { connections_per_client: Some(2), unlimited: proxies, ..patient(10) };
    let work = Work::new();
    let running = Running::within(limits, work.router()).await;
    let ask_from = async |address: &str, path: &str| {
        let mut client = running.connect_from(address).await;
        // Who has too many may be closed before all of it is written.
        let _ = client.write_all(question(path).as_bytes()).await;
        client
    };
    let mut greedy = Vec::new();
    for _ in 0..2 {
        greedy.push(ask_from("127.0.0.1", "/held").await);
    }
    work.has_begun(2).await;
    assert!(is_answered(&mut ask_from("127.0.0.2", "/").await).await);
    let mut third = ask_from("127.0.0.1", "/").await;
    assert_eq!(read_until(&mut third, "done").await, "");
    let mut behind_a_proxy = Vec::new();
    for _ in 0..4 {
        behind_a_proxy.push(ask_from("127.0.0.3", "/held").await);
    }
    work.has_begun(6).await;
    work.let_go(6);
    for client in behind_a_proxy.iter_mut().chain(&mut greedy) {
        assert!(is_answered(client).await);
    }
    // They are idle now, so one makes room.
    assert!(is_answered(&mut ask_from("127.0.0.1", "/").await).await);
    assert!(is_ended(&mut greedy[0]).await);
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_ends_what_is_idle_at_once() {
    let work = Work::new();
    let running = Running::within(patient(10), work.router()).await;
    let (mut busy, mut idle, mut silent) =
        (running.connect().await, running.connect().await, running.connect().await);
    let mut begun = running.connect().await;
    begun.write_all(b"GET / HT").await.unwrap();
    ask(&mut idle, "/").await;
    assert!(is_answered(&mut idle).await);
    ask(&mut busy, "/held").await;
    work.has_begun(1).await;
    running.stop.send_replace(true);
    for client in [&mut idle, &mut silent, &mut begun] {
        assert!(is_ended(client).await);
    }
    assert!(!running.ended.is_finished(), "a request is under way");
    work.let_go(1);
    let answer = read_until(&mut busy, "done").await;
    assert!(answer.contains("200 OK") && answer.contains("connection: close"), "{answer}");
    tokio::time::timeout(SOON, running.ended).await.unwrap().unwrap();
    TcpStream::connect(running.address).await.unwrap_err();
}

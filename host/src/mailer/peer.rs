//! For tests: the other end of an SMTP conversation, which answers as a test wants.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::settings::mail::{Mail as MailSettings, Security};

/// An answer that closes the connection instead.
pub(crate) const CUT: &str = "cut";
/// An answer to a mail's end that closes the connection instead of saying that the mail was taken, which it was.
pub(crate) const TAKEN_AND_CUT: &str = "250 taken (cut)";
/// An answer that never comes.
pub(crate) const SILENCE: &str = "silence";
/// What the script is asked for before the client has said anything.
pub(crate) const GREETING: &str = "(greeting)";
/// What the script is asked for when a mail has come to its end.
pub(crate) const CONTENT: &str = "(content)";

/// What a peer has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub connections: usize,
    pub commands: Vec<String>,
    pub mails: Vec<String>,
}

/// A mail server for one test.
pub(crate) struct Peer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Script = dyn Fn(&str) -> Option<&'static str> + Send + Sync;

impl Peer {
    /// Starts a server that says what the script wants, and what is usual where that wants nothing.
    pub(crate) async fn start(script: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let script: Arc<Script> = Arc::new(script);
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    seen.lock().unwrap().connections += 1;
                    tokio::spawn(converse(stream, Arc::clone(&script), Arc::clone(&seen)));
                }
            }
        });
        Self { port, seen, task }
    }

    /// Settings that lead to this server, without encryption.
    pub(crate) fn settings(&self) -> MailSettings {
        settings(self.port)
    }

    /// How many connections there were, and how many mails were taken.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let seen = self.seen();
        (seen.connections, seen.mails.len())
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

/// Settings for a server on this host.
pub(crate) fn settings(port: u16) -> MailSettings {
    MailSettings {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        security: Security::Plain,
        ca_file: None,
        login: None,
        sender: "Example Cloud <cloud@example.org>".to_owned(),
        helpdesk: "help@example.org".to_owned(),
        timeout: Duration::from_secs(20),
        content_timeout: Duration::from_secs(20),
        undeliverable: "/nonexistent".into(),
    }
}

async fn converse(stream: TcpStream, script: Arc<Script>, seen: Arc<Mutex<Seen>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    answer(&mut stream, script(GREETING).unwrap_or("220 peer")).await?;
    loop {
        let command = line(&mut stream).await?;
        seen.lock().unwrap().commands.push(command.clone());
        let usual = match command.split([' ', ':']).next() {
            Some("EHLO") => "250-peer\r\n250 8BITMIME",
            Some("DATA") => "354 go on",
            Some("QUIT") => CUT,
            _ => "250 ok",
        };
        let reply = script(&command).unwrap_or(usual);
        answer(&mut stream, reply).await?;
        if command == "DATA" && reply.starts_with("354") {
            let mut mail = String::new();
            loop {
                match line(&mut stream).await? {
                    end if end == "." => break,
                    text => mail.push_str(&format!("{}\r\n", text.strip_prefix('.').unwrap_or(&text))),
                }
            }
            let reply = script(CONTENT).unwrap_or("250 taken");
            if reply.starts_with("250") {
                seen.lock().unwrap().mails.push(mail);
            }
            answer(&mut stream, reply).await?;
        }
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(length) if length > 0 => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

async fn answer(stream: &mut BufReader<TcpStream>, reply: &str) -> Option<()> {
    match reply {
        CUT | TAKEN_AND_CUT => None,
        SILENCE => std::future::pending().await,
        reply => stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok(),
    }
}

//! A bounded load of HTTP/1.1: so many clients, each with a connection that it keeps and one request at a time.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// What a load came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How often each status was answered.
    pub statuses: BTreeMap<u16, usize>,
    /// From the first request to the last answer.
    pub lasted: Duration,
}

impl Outcome {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let answers: usize = self.statuses.values().sum();
        f64::from(u32::try_from(answers).unwrap_or(u32::MAX)) / self.lasted.as_secs_f64()
    }
}

/// One request: what it asks for, what it says besides, and its body.
#[derive(Clone, Debug)]
pub struct Request(String);

impl Request {
    /// A request such as `GET /`, with headers.
    #[must_use]
    pub fn new(what: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("{what} HTTP/1.1\r\nHost: load\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        Self(format!("{text}Content-Length: {}\r\n\r\n{body}", body.len()))
    }
}

/// Sends each request once.
///
/// # Errors
/// Where a connection fails.
pub fn each(url: &str, requests: &[Request], clients: usize) -> Result<Outcome> {
    let next = AtomicUsize::new(0);
    load(url, clients, || requests.get(next.fetch_add(1, Ordering::Relaxed)))
}

fn load<'a>(url: &str, clients: usize, next: impl Fn() -> Option<&'a Request> + Sync) -> Result<Outcome> {
    let (_, address) = url.split_once("://").context("no URL")?;
    let (address, _) = address.split_once('/').unwrap_or((address, ""));
    let statuses = Mutex::new(BTreeMap::new());
    let start = Instant::now();
    thread::scope(|scope| {
        let ask = || {
            let mut own: BTreeMap<u16, usize> = BTreeMap::new();
            let mut connection = None;
            while let Some(request) = next() {
                let (status, is_kept) = exchange(&mut connection, address, request)?;
                *own.entry(status).or_default() += 1;
                if !is_kept {
                    connection = None;
                }
            }
            let mut all = statuses.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for (status, count) in own {
                *all.entry(status).or_insert(0) += count;
            }
            anyhow::Ok(())
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
    })?;
    let statuses = statuses.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Outcome { statuses, lasted: start.elapsed() })
}

/// The status, and whether the connection may be used again.
fn exchange(
    connection: &mut Option<BufReader<TcpStream>>,
    address: &str,
    Request(request): &Request,
) -> Result<(u16, bool)> {
    let connection = match connection {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(120)))?;
            connection.insert(BufReader::new(stream))
        }
    };
    connection.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no answer but {line:?}"))?;
    let (mut length, mut is_kept) = (0, true);
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "connection" => is_kept = !value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    std::io::copy(&mut connection.by_ref().take(length), &mut std::io::sink())?;
    Ok((status, is_kept))
}

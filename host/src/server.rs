//! Listens, speaks HTTP/1.1 and HTTP/2, over TLS where it is given a certificate, and holds out against clients that
//! are many, slow or silent.
//!
//! Whatever a client does not do in time ends its connection: the TLS handshake, a request's head, taking the
//! answer (how much time that is grows with the answer), and doing anything at all between requests. As many
//! connections are open as the settings say. Where one more comes, the one that has been idle the longest is closed
//! for it; where none is idle, it waits. No client has more than its share of them, whatever it has them do: where it
//! has, one of its own that is idle makes room, or the new one is closed.
//!
//! Knows nothing of what is served.

mod activity;
mod connection;
mod open_files;
mod registry;
mod socket;
pub mod tls;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use activity::Activity;
use connection::Conversation;
use registry::{Entry, Registry};
use tls::Tls;

use crate::client_network;
use crate::settings::setpass::proxies::TrustedProxies;

/// How long nobody is let in after the system could not give a connection, unless one ends before.
const RECOVERY: Duration = Duration::from_secs(1);

/// Which part of all connections one client may have where nothing else is said.
const SHARE: u32 = 8;

/// How many it may have however few there are: as many as a browser opens, and some.
const SMALLEST_SHARE: u32 = 8;

/// How often it is told that clients want more than their share.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What clients may take up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections are open at the same time.
    pub connections: u32,
    /// How many of them one client may have; its share where that is not said.
    pub connections_per_client: Option<u32>,
    /// Who may have as many as there are: behind each of these are many clients.
    pub unlimited: TrustedProxies,
    /// How long a client may take for each of its parts.
    pub client_timeout: Duration,
}

/// What is served.
pub trait Respond: Send + Sync + 'static {
    /// Answers a request.
    fn respond(&self, request: Request) -> impl Future<Output = Response> + Send;
}

/// A server that listens. Nobody is let in before [`Server::run`].
pub struct Server {
    listener: TcpListener,
    tls: Option<Tls>,
    limits: Limits,
}

impl Server {
    /// Listens on an address.
    ///
    /// # Errors
    /// Where that cannot be.
    pub async fn bind(address: SocketAddr, tls: Option<Tls>, limits: Limits) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, tls, limits })
    }

    /// Where it can be reached.
    ///
    /// # Errors
    /// Where the system cannot tell.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Lets clients in until it is told to stop, and returns when the last request has been answered.
    pub async fn run(self, answers: impl Respond, stopped: watch::Receiver<bool>) {
        let listener = Arc::new(self.listener);
        let accept = move || {
            let listener = Arc::clone(&listener);
            async move { listener.accept().await }
        };
        Self::let_all_in(accept, self.tls, self.limits, answers, stopped).await;
    }

    /// Lets in whoever is accepted. What accepts is given up when it is told to stop.
    async fn let_all_in<A>(
        accept: impl Fn() -> A,
        tls: Option<Tls>,
        limits: Limits,
        answers: impl Respond,
        mut stopped: watch::Receiver<bool>,
    ) where
        A: Future<Output = io::Result<(TcpStream, SocketAddr)>>,
    {
        let places = open_files::make_room(limits.connections);
        let share = limits.connections_per_client.unwrap_or_else(|| share_of(places));
        let mut door = Door {
            places: Arc::new(Semaphore::new(places as usize)),
            registry: Registry::default(),
            share,
            unlimited: limits.unlimited,
            told: None,
        };
        let conversation = Arc::new(Conversation {
            answers,
            tls,
            client_timeout: limits.client_timeout,
            stopped: stopped.clone(),
        });
        let mut is_in_trouble = false;
        loop {
            let came = tokio::select! {
                biased;
                () = is_stopped(&mut stopped) => break,
                came = accept() => came,
            };
            let (stream, client) = match came {
                Ok(came) => came,
                Err(error) if is_of_one_client(&error) => continue,
                Err(error) => {
                    // Most likely no more files may be open. Told once, and not for each who is kept waiting.
                    if !std::mem::replace(&mut is_in_trouble, true) {
                        tracing::error!(%error, "nobody can be let in; trying again and again");
                    }
                    door.registry.end_longest_idle();
                    let _ = tokio::time::timeout(RECOVERY, is_stopped(&mut stopped)).await;
                    continue;
                }
            };
            is_in_trouble = false;
            let Some(entry) = door.enter(client.ip()) else { continue };
            let place = tokio::select! {
                biased;
                () = is_stopped(&mut stopped) => break,
                place = door.place() => place,
            };
            let_in(entry, place, stream, client, Arc::clone(&conversation));
        }
        // Who still wants in is refused by the system, and goes to another server if there is one.
        drop(accept);
        // All places are free when the last connection has ended.
        let _all = door.places.acquire_many(places).await;
    }
}

struct Door {
    places: Arc<Semaphore>,
    registry: Registry,
    /// How many connections one client may have.
    share: u32,
    unlimited: TrustedProxies,
    /// When it was told the last time that somebody wants more.
    told: Option<Instant>,
}

/// How many of these places one client may have where nothing else is said.
#[must_use]
pub fn share_of(places: u32) -> u32 {
    (places / SHARE).max(SMALLEST_SHARE)
}

impl Door {
    /// Enters a connection; none where its client has its share, and something is done in all of them. Nobody waits
    /// for that to end: others come after it.
    fn enter(&mut self, address: IpAddr) -> Option<Entry> {
        let client = (!self.unlimited.contain(address)).then(|| client_network::of(address));
        let entry = self.registry.enter(client, self.share as usize);
        if entry.is_none() && self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(
                share = self.share,
                "a client wants more connections than one may have (setpass.max_connections_per_client); those are \
                 closed. If it is a proxy, name it in setpass.trusted_proxies"
            );
        }
        entry
    }

    /// A place for one more connection.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            let waiting = Arc::clone(&self.places).acquire_owned();
            if self.places.available_permits() == 0 {
                self.registry.end_longest_idle();
            }
            // Where none was idle, one may be by then.
            if let Ok(place) = tokio::time::timeout(RECOVERY, waiting).await {
                return place.expect("the semaphore is never closed");
            }
        }
    }
}

fn let_in(
    entry: Entry,
    place: OwnedSemaphorePermit,
    stream: TcpStream,
    client: SocketAddr,
    conversation: Arc<Conversation<impl Respond>>,
) {
    // Before the next one comes, for which this one may have to make room.
    let activity = Activity::new(conversation.client_timeout);
    entry.watch(&activity);
    tokio::spawn(async move {
        conversation.hold(stream, client, &entry, activity).await;
        drop(entry);
        drop(place);
    });
}

/// Whether the connection was lost before it was let in, which says nothing about the next one.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

/// Returns when the server is told to stop, or nobody is left who could tell it.
async fn is_stopped(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests;

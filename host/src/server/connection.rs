//! One connection, from its TLS handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, UnderWay, Verdict};
use super::registry::Entry;
use super::socket::Socket;
use super::tls::Tls;
use super::{Respond, is_stopped};

/// How long a client that has nothing under way may take to take note that its connection is being closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// The longest head of a request, in bytes. Browsers and proxies send a few hundred.
const LONGEST_HEAD: u32 = 32 * 1024;

/// How many requests one connection may have under way with HTTP/2: fewer than a page loads at once do no harm, and each
/// multiplies what a client's connections may hold.
pub(super) const REQUESTS_AT_A_TIME: u32 = 4;

/// How many bytes a client may send with HTTP/2 that nobody has read yet: as few as the protocol has by itself.
const UNREAD: u32 = 65_535;

/// What all connections have in common.
pub(super) struct Conversation<A> {
    pub(super) answers: A,
    pub(super) tls: Option<Tls>,
    pub(super) client_timeout: Duration,
    pub(super) stopped: watch::Receiver<bool>,
}

impl<A: Respond> Conversation<A> {
    /// Serves a client until one of both sides ends the connection.
    pub(super) async fn hold(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        entry: &Entry,
        activity: Activity,
    ) {
        // Answers are written in one go; waiting for more only makes them late.
        let _ = stream.set_nodelay(true);
        let socket = Socket::new(stream, activity.clone(), self.client_timeout);
        let Some(tls) = &self.tls else { return self.converse(socket, client, &activity, entry).await };
        let mut stopped = self.stopped.clone();
        let handshake = TlsAcceptor::from(tls.current()).accept(socket);
        let secured = tokio::select! {
            secured = tokio::time::timeout(self.client_timeout, handshake) => secured,
            () = entry.is_ended() => return,
            () = is_stopped(&mut stopped) => return,
        };
        match secured {
            Ok(Ok(socket)) => self.converse(socket, client, &activity, entry).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        }
    }

    async fn converse<S>(self: &Arc<Self>, stream: S, client: SocketAddr, activity: &Activity, entry: &Entry)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let under_way = activity.begin();
            if request.body().is_end_stream() {
                under_way.received();
            }
            let (activity, number) = (activity.clone(), under_way.number());
            let mut request = request.map(|body| Body::new(Question { body, activity, number }));
            request.extensions_mut().insert(ConnectInfo(client));
            let conversation = Arc::clone(self);
            // On the heap while it is under way: each connection keeps room for it.
            Box::pin(async move {
                let answer = conversation.answers.respond(request).await;
                under_way.answered(answer.body().size_hint().upper().unwrap_or(0));
                Ok::<_, Infallible>(answer.map(|body| Answer { body, _under_way: under_way }))
            })
        });
        let builder = self.protocol();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut stopped = self.stopped.clone();
        let mut is_closing = false;
        let mut look = pin!(tokio::time::sleep(self.client_timeout));
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "a connection failed");
                    }
                    return;
                }
                () = entry.is_ended() => return tracing::debug!("an idle connection made room for another one"),
                () = is_stopped(&mut stopped), if !is_closing => {
                    is_closing = true;
                    connection.as_mut().graceful_shutdown();
                    look.set(tokio::time::sleep(FAREWELL));
                }
                () = look.as_mut() => {
                    let longest_idle = if is_closing { FAREWELL } else { self.client_timeout };
                    let next = match activity.verdict(Instant::now(), longest_idle) {
                        Verdict::GoOn(next) => next,
                        Verdict::Idle if !is_closing => {
                            is_closing = true;
                            connection.as_mut().graceful_shutdown();
                            Instant::now() + FAREWELL
                        }
                        Verdict::Idle => return,
                        Verdict::Stuck => return tracing::debug!("a client did not take its answer in time"),
                    };
                    look.set(tokio::time::sleep_until(next));
                }
            }
        }
    }

    fn protocol(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(LONGEST_HEAD as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.client_timeout)
            .keep_alive_timeout(self.client_timeout)
            .max_concurrent_streams(REQUESTS_AT_A_TIME)
            .initial_stream_window_size(UNREAD)
            .initial_connection_window_size(UNREAD)
            .max_header_list_size(LONGEST_HEAD);
        builder
    }
}

/// A request's body. The request is worked on once all of it is there.
struct Question {
    body: Incoming,
    activity: Activity,
    number: u64,
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.activity.received(self.number);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body. Its request is under way until it has been handed over, or is given up.
struct Answer {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

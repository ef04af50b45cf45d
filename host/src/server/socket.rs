//! A connection's socket, with a limit to how long the client may leave unread what is sent.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, time_for};

/// A socket that fails where its client does not read.
///
/// The time during which nothing can be sent, because the client leaves too much unread, is taken from a stock that
/// what is sent fills again: a client that reads little by little, to hold the connection for long, runs out of it too.
pub(super) struct Socket<S> {
    stream: S,
    activity: Activity,
    stock: Stock,
    /// Ends the wait while nothing can be sent. Boxed, as most connections never need it.
    wait: Option<Pin<Box<Sleep>>>,
}

/// The time that there is for waiting until something can be sent.
#[derive(Clone, Copy, Debug)]
struct Stock {
    /// What it is when it is full.
    most: Duration,
    left: Duration,
    /// Since when nothing can be sent.
    full_since: Option<Instant>,
}

impl Stock {
    fn new(most: Duration) -> Self {
        Self { most, left: most, full_since: None }
    }

    /// Nothing can be sent at this moment. Until when that may go on.
    fn full(&mut self, now: Instant) -> Instant {
        *self.full_since.get_or_insert(now) + self.left
    }

    /// So much could be sent at this moment. Whether it had to wait.
    fn sent(&mut self, bytes: u64, now: Instant) -> bool {
        let full_since = self.full_since.take();
        if let Some(since) = full_since {
            self.left = self.left.saturating_sub(now - since);
        }
        self.left = (self.left + time_for(bytes)).min(self.most);
        full_since.is_some()
    }
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, activity: Activity, client_timeout: Duration) -> Self {
        Self { stream, activity, stock: Stock::new(client_timeout), wait: None }
    }

    fn after_writing(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(sent)) => {
                if self.stock.sent(sent as u64, Instant::now()) {
                    self.wait = None;
                    self.activity.set_full(false);
                }
                Poll::Ready(Ok(sent))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if self.wait.is_none() {
                    self.activity.set_full(true);
                }
                let until = self.stock.full(Instant::now());
                let end = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                ready!(end.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client does not read its answer")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.after_writing(context, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.after_writing(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long it may take until something happens that has to.
    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn waiting_takes_from_the_stock_and_what_is_sent_fills_it_again() {
        let mut stock = Stock::new(10 * SECOND);
        let start = Instant::now();
        assert_eq!(stock.full(start), start + 10 * SECOND);
        assert_eq!(stock.full(start + 4 * SECOND), start + 10 * SECOND, "the same wait goes on");
        assert!(stock.sent(0, start + 4 * SECOND));
        assert!(!stock.sent(0, start + 5 * SECOND), "between two waits there is none");
        let next = start + 60 * SECOND;
        assert_eq!(stock.full(next), next + 6 * SECOND, "what the first one took is gone");
        stock.sent(3 * 4096, next + 2 * SECOND);
        assert_eq!(stock.full(next), next + 7 * SECOND);
        stock.sent(1 << 30, next);
        assert_eq!(stock.full(next), next + 10 * SECOND, "it is full then, and no more than that");
    }

    /// Whoever takes as much as is wanted is waited for without end, and whoever takes less is not.
    #[test]
    fn a_client_that_reads_little_by_little_runs_out_of_time() {
        let waits = |bytes: u64| {
            let (mut stock, mut now) = (Stock::new(10 * SECOND), Instant::now());
            (0..1000)
                .take_while(|_| {
                    let is_waited_for = stock.full(now) > now + SECOND;
                    now += SECOND;
                    stock.sent(bytes, now);
                    is_waited_for
                })
                .count()
        };
        assert_eq!((waits(4096), waits(2048), waits(1)), (1000, 18, 9));
    }

    /// A socket, with so much time for its client, that holds 8 KiB until the client reads them.
    fn socket(time: Duration) -> (Socket<tokio::io::DuplexStream>, tokio::io::DuplexStream, Activity) {
        let (ours, theirs) = tokio::io::duplex(8192);
        let activity = Activity::new(SECOND);
        (Socket::new(ours, activity.clone(), time), theirs, activity)
    }

    #[tokio::test]
    async fn a_client_that_reads_gets_everything_and_its_connection_is_not_idle_before() {
        let (mut socket, mut theirs, activity) = socket(6 * SOON);
        let sent = vec![7; 1 << 20];
        let mut sending = Box::pin(socket.write_all(&sent));
        assert!(futures::poll!(&mut sending).is_pending());
        assert_eq!(activity.idle_since(), None, "its client has to take something");
        let mut received = vec![0; 1 << 20];
        let (sending, receiving) = tokio::join!(sending, theirs.read_exact(&mut received));
        sending.unwrap();
        receiving.unwrap();
        assert_eq!(received, sent);
        assert!(activity.idle_since().is_some());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_waited_for() {
        let (mut socket, _theirs, _) = socket(Duration::from_millis(50));
        let sent = vec![0; 1 << 20];
        let sending = tokio::time::timeout(SOON, socket.write_all(&sent)).await;
        assert_eq!(sending.expect("it fails by itself").unwrap_err().kind(), ErrorKind::TimedOut);
    }

    /// Each time it does, it is waited for as long as before, unless that takes from the same stock.
    #[tokio::test]
    async fn a_client_that_reads_a_byte_now_and_then_is_not_waited_for() {
        let (mut socket, mut theirs, _) = socket(Duration::from_millis(200));
        let reader = tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let sent = vec![0; 1 << 20];
        let sending = tokio::time::timeout(SOON, socket.write_all(&sent)).await;
        assert_eq!(sending.expect("it fails by itself").unwrap_err().kind(), ErrorKind::TimedOut);
        reader.abort();
    }
}

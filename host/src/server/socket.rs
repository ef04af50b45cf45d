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
    /// What the stock is when it is full.
    most: Duration,
    stock: Duration,
    /// Since when nothing can be sent, and what ends the wait. Boxed, as most connections never need it.
    full: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, activity: Activity, client_timeout: Duration) -> Self {
        Self { stream, activity, most: client_timeout, stock: client_timeout, full: None }
    }

    fn after_writing(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(sent)) => {
                if let Some((since, _)) = self.full.take() {
                    self.stock = self.stock.saturating_sub(since.elapsed());
                    self.activity.set_full(false);
                }
                self.stock = (self.stock + time_for(sent as u64)).min(self.most);
                Poll::Ready(Ok(sent))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if self.full.is_none() {
                    self.activity.set_full(true);
                }
                let stock = self.stock;
                let (_, end) =
                    self.full.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(stock))));
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

    const LIMIT: Duration = Duration::from_millis(200);

    /// Sends a megabyte through a buffer of 8 KiB to a client that reads so many bytes at once, with pauses.
    async fn send(bytes: usize, pause: Duration) -> io::Result<()> {
        let (ours, mut theirs) = tokio::io::duplex(8192);
        let mut socket = Socket::new(ours, Activity::new(LIMIT), LIMIT);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; bytes];
            while theirs.read_exact(&mut buffer).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let sent = socket.write_all(&vec![0; 1 << 20]).await;
        reader.abort();
        sent
    }

    #[tokio::test]
    async fn a_client_that_reads_is_waited_for_and_one_that_does_not_is_not() {
        let pause = Duration::from_millis(5);
        send(8192, pause).await.unwrap();
        let silent = send(1, Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(silent.kind(), ErrorKind::TimedOut);
        let little_by_little = send(1, pause).await.unwrap_err();
        assert_eq!(little_by_little.kind(), ErrorKind::TimedOut);
    }
}

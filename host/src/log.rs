//! The log, as lines on standard error.
//!
//! Where each line of the access log is written by itself, that costs more than to answer its request. So they are
//! written together: a moment later, or before the next line that is of something else, so that the lines of the log stay in
//! order, or before the program ends. What ends the program is said besides the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const WAIT: Duration = Duration::from_millis(100);

/// How many bytes may wait.
const MOST: usize = 16 * 1024;

/// Where lines go. Clones share it.
pub struct Log<W> {
    /// What the lines are about that may wait.
    patient: &'static str,
    lines: Arc<Mutex<Lines<W>>>,
}

struct Lines<W> {
    waiting: Vec<u8>,
    out: W,
}

impl<W: Write> Log<W> {
    /// A log whose lines with this target may wait for others.
    pub fn new(out: W, patient: &'static str) -> Self {
        Self { patient, lines: Arc::new(Mutex::new(Lines { waiting: Vec::new(), out })) }
    }

    /// Does something in a runtime, and writes what waits when both have ended, also by a panic: whatever the end of the
    /// runtime cuts off may still have a line to write.
    ///
    /// # Errors
    /// Where the system gives no runtime.
    pub fn around<T>(&self, work: impl Future<Output = T>) -> io::Result<T> {
        let _rest = Rest(self);
        let runtime = Runtime::new()?;
        Ok(runtime.block_on(work))
    }

    /// Writes what waits.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.lines().write_out()
    }

    fn lines(&self) -> MutexGuard<'_, Lines<W>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits, written when this is dropped.
struct Rest<'a, W: Write>(&'a Log<W>);

impl<W: Write> Drop for Rest<'_, W> {
    fn drop(&mut self) {
        // Where that fails, there is nowhere to say so.
        let _ = self.0.flush();
    }
}

impl<W> Clone for Log<W> {
    fn clone(&self) -> Self {
        Self { patient: self.patient, lines: Arc::clone(&self.lines) }
    }
}

impl<W: Write> Lines<W> {
    /// Where that fails, what was not written waits on, but no more than may wait.
    fn write_out(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.out.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.waiting.truncate(MOST);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// What takes one line.
pub struct Line<W> {
    log: Log<W>,
    may_wait: bool,
}

impl<'a, W: Write + Send + 'static> MakeWriter<'a> for Log<W> {
    type Writer = Line<W>;

    fn make_writer(&'a self) -> Line<W> {
        Line { log: self.clone(), may_wait: false }
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Line<W> {
        Line { log: self.clone(), may_wait: line.target() == self.patient }
    }
}

impl<W: Write + Send + 'static> Write for Line<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.log.lines();
        let is_first = lines.waiting.is_empty();
        lines.waiting.extend_from_slice(line);
        if !self.may_wait || lines.waiting.len() >= MOST {
            lines.write_out()?;
        } else if is_first {
            let Ok(runtime) = Handle::try_current() else { return lines.write_out().map(|()| line.len()) };
            let log = self.log.clone();
            runtime.spawn(async move {
                tokio::time::sleep(WAIT).await;
                // Nobody is left who could be told.
                let _ = log.flush();
            });
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// What was written, each time.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<String>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (Written, Log<Written>, impl Fn(bool, &str) + Clone + Send + 'static) {
        let written = Written::default();
        let log = Log::new(written.clone(), "access");
        let same = log.clone();
        let write = move |may_wait, line: &str| {
            Line { log: same.clone(), may_wait }.write_all(line.as_bytes()).unwrap();
        };
        (written, log, write)
    }

    // In a runtime of one thread: what waits is written while the test awaits something, and not before.
    #[tokio::test]
    async fn lines_that_may_wait_are_written_together_and_in_order_with_the_others() {
        let (written, log, write) = log();
        let so_far = || std::mem::take(&mut *written.0.lock().unwrap());
        write(true, "one\n");
        write(true, "two\n");
        assert_eq!(so_far(), [""; 0]);
        let written_by_itself = async {
            loop {
                match so_far() {
                    nothing if nothing.is_empty() => tokio::time::sleep(Duration::from_millis(5)).await,
                    written => break written,
                }
            }
        };
        let by_itself = tokio::time::timeout(Duration::from_secs(30), written_by_itself).await;
        assert_eq!(by_itself.unwrap(), ["one\ntwo\n"]);

        write(true, "three\n");
        write(false, "other\n");
        assert_eq!(so_far(), ["three\nother\n"], "in order, and at once");

        write(true, &"x".repeat(MOST));
        assert_eq!(so_far().len(), 1, "no more than so much waits");

        write(true, "last\n");
        log.flush().unwrap();
        assert_eq!(so_far(), ["last\n"]);
    }

    /// A request that is cut off, and has a line to write then.
    struct CutOff<F: Fn(bool, &str)>(F);

    impl<F: Fn(bool, &str)> Drop for CutOff<F> {
        fn drop(&mut self) {
            self.0(true, "cut off\n");
        }
    }

    #[test]
    fn what_waits_is_written_before_the_program_ends_and_what_its_end_cuts_off_can_still_say() {
        let (written, log, write) = log();
        let work = async {
            let cut_off = CutOff(write.clone());
            let (begun, begins) = tokio::sync::oneshot::channel();
            tokio::spawn(async move {
                let _cut_off = cut_off;
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            });
            begins.await.unwrap();
            write(true, "last\n");
            7
        };
        assert_eq!(log.around(work).unwrap(), 7);
        assert_eq!(written.0.lock().unwrap().concat(), "last\ncut off\n");
    }

    #[test]
    fn what_waits_is_written_where_the_program_panics() {
        let (written, log, write) = log();
        let panics = async {
            write(true, "last\n");
            panic!("no");
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| log.around::<()>(panics)));
        assert!(panicked.is_err());
        assert_eq!(*written.0.lock().unwrap(), ["last\n"]);
    }

    #[test]
    fn without_a_runtime_nothing_waits() {
        let (written, _, write) = log();
        write(true, "one\n");
        assert_eq!(*written.0.lock().unwrap(), ["one\n"]);
    }

    #[tokio::test]
    async fn only_what_is_named_may_wait() {
        let written = Written::default();
        let lines = tracing_subscriber::fmt().with_ansi(false).without_time();
        let subscriber = lines.with_writer(Log::new(written.clone(), "access")).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "access", "first");
            assert!(written.0.lock().unwrap().is_empty());
            tracing::info!("second");
        });
        let written = written.0.lock().unwrap().concat();
        assert!(written.find("first") < written.find("second") && written.contains("second"), "{written}");
    }
}

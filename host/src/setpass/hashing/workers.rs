//! Threads of their own for hashing, for half of the cores: the others stay free for who only looks at a page.
//!
//! Each hash takes 19 MiB, which stay with the thread for the next one. On the runtime's many threads for blocking
//! work that would come to gigabytes.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads, which are started when there is something to do, and end when this is dropped.
#[derive(Default)]
pub(super) struct Workers {
    jobs: OnceLock<Sender<Job>>,
}

impl Workers {
    /// Does the work as soon as a thread is free. Who comes first gets it first.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // Work that nobody waits for any more is thrown away: strangers would fill the queue with it.
            if answer.is_closed() {
                return;
            }
            // A panic is the caller's and does not end the thread. Nobody may be waiting any more.
            let _ = answer.send(catch_unwind(AssertUnwindSafe(work)));
        };
        let jobs = self.jobs.get_or_init(start);
        jobs.send(Box::new(job)).expect("the threads take jobs for as long as there is a sender");
        match answered.await.expect("each job answers") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

fn start() -> Sender<Job> {
    let (sender, receiver) = mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..threads() {
        let receiver = Arc::clone(&receiver);
        std::thread::spawn(move || {
            while let Some(job) = next(&receiver) {
                job();
            }
        });
    }
    sender
}

/// Half of the cores, and at least one.
fn threads() -> usize {
    (std::thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1)
}

/// None when no more jobs can come.
fn next(receiver: &Mutex<Receiver<Job>>) -> Option<Job> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn all_work_is_done_on_a_bounded_number_of_threads_and_a_panic_reaches_who_asked() {
        let workers = Arc::new(Workers::default());
        let threads = futures::future::join_all((0..64).map(|_| {
            workers.run(|| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                format!("{:?}", std::thread::current().id())
            })
        }));
        let threads: BTreeSet<String> = threads.await.into_iter().collect();
        assert!(threads.len() <= super::threads(), "{threads:?}");

        let panicking = Arc::clone(&workers);
        let asked = tokio::spawn(async move { panicking.run(|| -> u8 { panic!("no") }).await });
        assert!(asked.await.unwrap_err().is_panic());
        for _ in 0..=super::threads() {
            assert_eq!(workers.run(|| 7).await, 7);
        }
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_not_done() {
        let workers = Workers::default();
        let (go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        // Every thread is held, so that the others wait in the queue.
        let mut holding: Vec<_> = (0..super::threads())
            .map(|_| {
                let held = Arc::clone(&held);
                Box::pin(workers.run(move || held.lock().unwrap().recv().unwrap()))
            })
            .collect();
        for held in &mut holding {
            assert!(futures::poll!(held).is_pending());
        }
        for _ in 0..1000 {
            let done = Arc::clone(&done);
            let mut given_up = Box::pin(workers.run(move || {
                done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }));
            assert!(futures::poll!(&mut given_up).is_pending());
        }
        for _ in 0..super::threads() {
            go.send(()).unwrap();
        }
        futures::future::join_all(holding).await;
        assert_eq!(workers.run(|| 7).await, 7);
        assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}

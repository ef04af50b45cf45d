//! Work that several ask for at once, and that is done once for all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tracing::Instrument as _;

/// What is being worked on, by what it is about. Clones share it.
///
/// Work that was begun goes on to its end, also where nobody waits for it any more: who asks for it meanwhile waits for
/// the same. Who asks after its end has it done anew.
#[derive(Debug)]
pub(crate) struct SingleFlight<K, V> {
    under_way: Arc<Mutex<Landings<K, V>>>,
}

type Landings<K, V> = HashMap<K, Shared<BoxFuture<'static, Option<V>>>>;

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { under_way: Arc::default() }
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What the work about this comes to; where somebody is at it already, what that comes to.
    ///
    /// # Panics
    /// Where the work does.
    pub(crate) async fn run<F>(&self, about: K, work: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V> + Send + 'static,
    {
        let landing = {
            let mut under_way = lock(&self.under_way);
            match under_way.get(&about) {
                Some(landing) => landing.clone(),
                None => {
                    let work = work();
                    let (key, under_way_there) = (about.clone(), Arc::clone(&self.under_way));
                    let task = async move {
                        // Made here and not before: a task that is refused, because the program is ending, is dropped while
                        // the lock is held.
                        let flight = Flight { about: key, under_way: under_way_there };
                        let landed = work.await;
                        // Before anybody hears of it: who comes then is not told what was found out earlier.
                        drop(flight);
                        landed
                    };
                    let landing = tokio::spawn(task.in_current_span()).map(Result::ok).boxed().shared();
                    under_way.insert(about, landing.clone());
                    landing
                }
            }
        };
        landing.await.expect("the work does not panic, and only the end of the program aborts it")
    }

    /// How many pieces of work are under way.
    pub(crate) fn under_way(&self) -> usize {
        lock(&self.under_way).len()
    }
}

fn lock<K, V>(under_way: &Mutex<Landings<K, V>>) -> MutexGuard<'_, Landings<K, V>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An entry, for as long as its work is under way.
struct Flight<K: Eq + Hash, V> {
    about: K,
    under_way: Arc<Mutex<Landings<K, V>>>,
}

impl<K: Eq + Hash, V> Drop for Flight<K, V> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.about);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use tokio::runtime;
    use tokio::sync::Semaphore;

    use super::*;

    /// Work that ends when it is let go, and says how often it was begun before.
    struct Held {
        flights: SingleFlight<&'static str, usize>,
        begun: AtomicUsize,
        go: Arc<Semaphore>,
    }

    impl Held {
        fn new() -> Self {
            let (begun, go) = (AtomicUsize::new(0), Arc::new(Semaphore::new(0)));
            Self { flights: SingleFlight::default(), begun, go }
        }

        async fn run(&self, about: &'static str) -> usize {
            let work = || {
                let (number, go) = (self.begun.fetch_add(1, Ordering::SeqCst), Arc::clone(&self.go));
                async move {
                    go.acquire().await.unwrap().forget();
                    number
                }
            };
            self.flights.run(about, work).await
        }
    }

    #[tokio::test]
    async fn what_many_ask_for_at_once_is_done_once_and_anew_for_who_asks_later() {
        let held = Held::new();
        let mut asking: Vec<_> = (0..5).map(|_| Box::pin(held.run("one"))).collect();
        for asking in &mut asking {
            assert!(futures::poll!(asking).is_pending());
        }
        let mut other = Box::pin(held.run("other"));
        assert!(futures::poll!(&mut other).is_pending());
        held.go.add_permits(2);
        assert_eq!(futures::future::join_all(asking).await, [0; 5]);
        assert_eq!(other.await, 1);
        held.go.add_permits(1);
        assert_eq!(held.run("one").await, 2);
        assert!(lock(&held.flights.under_way).is_empty());
    }

    #[tokio::test]
    async fn work_goes_on_without_those_who_asked_for_it() {
        let held = Held::new();
        let mut first = Box::pin(held.run("one"));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(held.run("one"));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second);
        let mut third = Box::pin(held.run("one"));
        assert!(futures::poll!(&mut third).is_pending());
        drop(third);
        held.go.add_permits(1);
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while !lock(&held.flights.under_way).is_empty() {
            assert!(tokio::time::Instant::now() < end, "it does not go on");
            tokio::task::yield_now().await;
        }
        assert_eq!(held.begun.load(Ordering::SeqCst), 1);
    }

    /// Asks for work when it is dropped.
    struct Late {
        flights: SingleFlight<u8, u8>,
        refused: mpsc::Sender<bool>,
    }

    impl Drop for Late {
        fn drop(&mut self) {
            let asking = AssertUnwindSafe(self.flights.run(1, || async { 7 })).catch_unwind();
            self.refused.send(matches!(asking.now_or_never(), Some(Err(_)))).unwrap();
        }
    }

    /// By what the end of the runtime drops. In a thread of its own, as it hangs where it does not end.
    #[test]
    fn work_that_is_asked_for_while_the_program_ends_is_refused_and_nobody_waits_for_it() {
        let (refused, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().build().unwrap();
            let late = Late { flights: SingleFlight::default(), refused };
            runtime.spawn(async move {
                let _late = late;
                std::future::pending::<()>().await;
            });
            drop(runtime);
        });
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(true));
    }

    #[tokio::test]
    async fn who_waits_for_work_that_panics_panics_too_and_the_next_has_it_done_anew() {
        let flights = Arc::new(SingleFlight::<u8, u8>::default());
        let panicking = Arc::clone(&flights);
        let waiting = tokio::spawn(async move { panicking.run(1, || async { panic!("no") }).await });
        assert!(waiting.await.unwrap_err().is_panic());
        assert_eq!(flights.run(1, || async { 7 }).await, 7);
    }
}

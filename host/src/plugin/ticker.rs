//! Advances the engine's epoch while components run, and only then: an idle host does not wake up.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use wasmtime::Engine;

/// Time between epochs: how long a component may compute before it yields, and how much later than
/// its deadline it is stopped.
const TICK: Duration = Duration::from_millis(10);

/// Advances the engine's epoch while at least one call runs.
#[derive(Clone)]
pub(super) struct Ticker {
    calls: Arc<Calls>,
}

#[derive(Default)]
struct Calls {
    running: Mutex<usize>,
    changed: Condvar,
}

/// A call that runs until this is dropped.
pub(super) struct Running {
    calls: Arc<Calls>,
}

impl Ticker {
    /// Starts the thread that ticks. It ends when the last ticker is gone.
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let calls = Arc::new(Calls::default());
        let watched = Arc::downgrade(&calls);
        let engine = engine.clone();
        std::thread::Builder::new().name("plugin-epochs".to_owned()).spawn(move || {
            while tick_or_wait(&watched) {
                engine.increment_epoch();
            }
        })?;
        Ok(Self { calls })
    }

    /// Lets the epoch advance while the answer lives.
    pub(super) fn run(&self) -> Running {
        *self.calls.lock() += 1;
        self.calls.changed.notify_one();
        Running { calls: Arc::clone(&self.calls) }
    }
}

impl Calls {
    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        // The number is right also after a panic elsewhere: it is changed by one statement.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.calls.lock() -= 1;
    }
}

/// Waits until a call runs, then for one tick. False once nobody can make calls any more.
fn tick_or_wait(calls: &Weak<Calls>) -> bool {
    /// How long the thread outlives the last ticker at most.
    const LOOK: Duration = Duration::from_secs(60);
    let Some(calls) = calls.upgrade() else { return false };
    let mut running = calls.lock();
    while *running == 0 {
        if Arc::strong_count(&calls) == 1 {
            return false;
        }
        running = calls.changed.wait_timeout(running, LOOK).unwrap_or_else(PoisonError::into_inner).0;
    }
    drop(running);
    drop(calls);
    std::thread::sleep(TICK);
    true
}

//! Whether every job is still being looked after.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How much later than it said somebody may come back: the machine may be busy, and the database locked for a while.
const SLACK: Duration = Duration::from_secs(90);

/// Until when those who look after a job said that they would be back, in milliseconds of the clock's running time.
pub(super) struct Pulse {
    back_by: Vec<AtomicU64>,
}

impl Pulse {
    pub(super) fn new(jobs: usize) -> Self {
        Self { back_by: (0..jobs).map(|_| AtomicU64::new(u64::MAX)).collect() }
    }

    /// Somebody is here now and will be back within a time.
    pub(super) fn back_within(&self, job: usize, ran: Duration, wait: Duration) {
        self.set(job, milliseconds(ran.saturating_add(wait).saturating_add(SLACK)));
    }

    /// Somebody will not be back, because there is nothing to look after any more.
    pub(super) fn finished(&self, job: usize) {
        self.set(job, u64::MAX);
    }

    pub(super) fn is_overdue(&self, ran: Duration) -> bool {
        self.back_by.iter().any(|by| by.load(Ordering::Relaxed) < milliseconds(ran))
    }

    fn set(&self, job: usize, by: u64) {
        if let Some(back_by) = self.back_by.get(job) {
            back_by.store(by, Ordering::Relaxed);
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

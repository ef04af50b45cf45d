//! The only place that asks the operating system for the time.
//!
//! Everything else is handed a [`Clock`], so that tests run days in milliseconds. Clippy refuses
//! `SystemTime::now` and its kin elsewhere (see `clippy.toml`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Tells the time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Milliseconds since the Unix epoch, shared by all clones.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System }
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it and all its clones.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self { source: Source::Manual(Arc::new(AtomicI64::new(start.as_millisecond()))) }
    }

    /// The present moment, to the millisecond.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters the program")]
    pub fn now(&self) -> Timestamp {
        let milliseconds = match &self.source {
            Source::System => Timestamp::now().as_millisecond(),
            Source::Manual(at) => at.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
    }

    /// Moves a manual clock. The system's clock stays as it is.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(at) = &self.source {
            let step = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            at.fetch_add(step, Ordering::SeqCst);
        }
    }
}

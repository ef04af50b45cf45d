//! The only place that asks the operating system for the time, and that waits for it.
//!
//! Everything else is handed a [`Clock`], so that tests run days in milliseconds. Clippy refuses
//! `SystemTime::now` and its kin elsewhere (see `clippy.toml`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Tells the time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    /// Shared by all clones.
    Manual(Arc<watch::Sender<Manual>>),
}

/// What a manual clock shows.
#[derive(Clone, Copy, Debug)]
struct Manual {
    /// Milliseconds since the Unix epoch.
    shows: i64,
    /// How long it has been running, whatever it was set to meanwhile.
    ran: Duration,
}

impl Clock {
    /// The operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System(Instant::now()) }
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it and all its clones.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        let manual = Manual { shows: start.as_millisecond(), ran: Duration::ZERO };
        Self { source: Source::Manual(Arc::new(watch::Sender::new(manual))) }
    }

    /// The present moment, to the millisecond.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters the program")]
    pub fn now(&self) -> Timestamp {
        let milliseconds = match &self.source {
            Source::System(_) => Timestamp::now().as_millisecond(),
            Source::Manual(manual) => manual.borrow().shows,
        };
        Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
    }

    /// How long the clock has been running. Unlike [`Clock::now`], this never jumps when somebody sets the clock.
    #[must_use]
    pub fn ran(&self) -> Duration {
        match &self.source {
            Source::System(start) => start.elapsed(),
            Source::Manual(manual) => manual.borrow().ran,
        }
    }

    /// Waits until the clock has run for so long, whatever it is set to meanwhile.
    pub async fn sleep(&self, wait: Duration) {
        match &self.source {
            Source::System(_) => tokio::time::sleep(wait).await,
            Source::Manual(manual) => {
                let end = manual.borrow().ran.saturating_add(wait);
                // The sender is in this value, so the channel does not close.
                let _ = manual.subscribe().wait_for(|manual| manual.ran >= end).await;
            }
        }
    }

    /// How many wait for a manual clock.
    #[cfg(test)]
    pub fn sleepers(&self) -> usize {
        match &self.source {
            Source::System(_) => 0,
            Source::Manual(manual) => manual.receiver_count(),
        }
    }

    /// Lets time pass on a manual clock. The system's clock stays as it is.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(manual) = &self.source {
            manual.send_modify(|manual| {
                manual.shows = manual.shows.saturating_add(milliseconds(by));
                manual.ran = manual.ran.saturating_add(by.try_into().unwrap_or(Duration::ZERO));
            });
        }
    }

    /// Sets a manual clock forward or back, without any time passing. The system's clock stays as it is.
    pub fn jump(&self, by: SignedDuration) {
        if let Source::Manual(manual) = &self.source {
            manual.send_modify(|manual| manual.shows = manual.shows.saturating_add(milliseconds(by)));
        }
    }
}

fn milliseconds(by: SignedDuration) -> i64 {
    i64::try_from(by.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_not_woken_by_a_clock_that_is_set_but_by_time_that_passes() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let mut waiting = std::pin::pin!(clock.sleep(Duration::from_secs(60)));
        clock.jump(SignedDuration::from_hours(5));
        assert!(futures::poll!(&mut waiting).is_pending());
        clock.advance(SignedDuration::from_secs(59));
        assert!(futures::poll!(&mut waiting).is_pending());
        clock.advance(SignedDuration::from_secs(1));
        waiting.await;
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(5 * 3600 + 60));
        assert_eq!(clock.ran(), Duration::from_secs(60));
    }
}

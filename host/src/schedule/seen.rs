//! What whoever looks after a job has seen of those that run it.

use std::time::Duration;

use crate::database::OccasionRecord;
use crate::silence::Silence;

/// What was seen of the occasions of a job that others run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How often their leases have been renewed.
    renewals: Silence<i64, i64>,
    /// Whether another host's clock was seen to be ahead.
    is_behind: bool,
}

impl Seen {
    /// For how long the holder of an occasion has shown no life to whoever looks here.
    pub(super) fn silent_for(&mut self, occasion: &OccasionRecord, ran: Duration) -> Duration {
        self.renewals.of(occasion.id, occasion.renewals, ran)
    }

    /// Forgets what was seen of the holders of other occasions: those are over.
    pub(super) fn keep_only(&mut self, open: &[OccasionRecord]) {
        self.renewals.keep_only(|id| open.iter().any(|open| open.id == *id));
    }

    /// Notes that another host's clock is ahead. False where that was noted before.
    pub(super) fn is_behind_for_the_first_time(&mut self) -> bool {
        !std::mem::replace(&mut self.is_behind, true)
    }
}

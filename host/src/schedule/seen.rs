//! What whoever looks after a job has seen of those that run it.

use std::time::Duration;

use crate::database::OccasionRecord;
use crate::silence::Silence;

/// What was seen of the occasions of a job that others run: how often their leases have been renewed.
#[derive(Debug, Default)]
pub(super) struct Seen(Silence<i64, i64>);

impl Seen {
    /// For how long the holder of an occasion has shown no life to whoever looks here.
    pub(super) fn silent_for(&mut self, occasion: &OccasionRecord, ran: Duration) -> Duration {
        self.0.of(occasion.id, occasion.renewals, ran)
    }

    /// Forgets what was seen of the holders of other occasions: those are over.
    pub(super) fn keep_only(&mut self, open: &[OccasionRecord]) {
        self.0.keep_only(|id| open.iter().any(|open| open.id == *id));
    }
}

//! What whoever looks after a job has seen of its occasions: those that others run, and those that are recorded ahead of
//! their time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::database::OccasionRecord;
use crate::silence::Silence;

/// By how much a clock may be put back without it mattering to anybody: it may have been set by the network.
pub(super) const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// What was seen of the occasions of a job.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those that others run: how often their leases have been renewed.
    others: Silence<i64, i64>,
    /// Those that were recorded before the clock here had come to their time, by when they are due.
    ahead: BTreeMap<Timestamp, i64>,
}

impl Seen {
    /// For how long the holder of an occasion has shown no life to whoever looks here.
    pub(super) fn silent_for(&mut self, occasion: &OccasionRecord, ran: Duration) -> Duration {
        self.others.of(occasion.id, occasion.renewals, ran)
    }

    /// Forgets what was seen of the holders of other occasions: those are over.
    pub(super) fn keep_only(&mut self, open: &[OccasionRecord]) {
        self.others.keep_only(|id| open.iter().any(|open| open.id == *id));
    }

    /// Notes which occasions are due only later and recorded already: a clock ran ahead. What comes at their times is not
    /// done by that. Only who has seen it himself does it again, so that nobody does on whose clock it came in its time.
    pub(super) fn note_ahead(&mut self, later: &[(Timestamp, i64)], looked_until: Timestamp, now: Timestamp) {
        self.ahead.retain(|due, _| *due > looked_until);
        if later.iter().any(|(due, _)| due.duration_since(now) >= CLOCK_SLACK) {
            self.ahead.extend(later.iter().copied());
        }
    }

    /// The occasion that was recorded too early of those that are due at a moment.
    pub(super) fn recorded_ahead(&self, due: Timestamp) -> Option<i64> {
        self.ahead.get(&due).copied()
    }
}

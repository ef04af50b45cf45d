//! Clocks of hosts that were put back, or that differ, which is seen by what is recorded ahead of its time.

use jiff::SignedDuration;

use super::seen::Seen;
use super::{ScheduleError, Scheduler};
use crate::database::{Database, FurtherOn, Transaction};
use crate::process::hostname;

/// By how much a clock may be put back, or be behind another one, without it mattering to anybody: it may have been set by the
/// network.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

impl Scheduler<'_> {
    /// Sees whether this host's clock was put back, or is behind another host's.
    pub(super) async fn compare_clocks(
        &self,
        transaction: &mut Transaction,
        job: &str,
        seen: &mut Seen,
    ) -> Result<(), ScheduleError> {
        let (host, now) = (&self.host, self.clock.now());
        let ahead = Database::note_recorded_ahead(transaction, job, host, now, CLOCK_SLACK).await?;
        if let Some(until) = ahead {
            self.clock_was_put_back(transaction, job, until).await?;
        }
        let other = Database::recorded_further_on(transaction, job, host, now, CLOCK_SLACK).await?;
        if let Some(other) = other {
            self.clock_is_behind(transaction, job, &other, seen).await?;
        }
        Ok(())
    }

    /// Tells, once a month, that another host has recorded occasions further than this one's clock shows. It would be told
    /// again on every occasion otherwise.
    async fn clock_is_behind(
        &self,
        transaction: &mut Transaction,
        job: &str,
        FurtherOn { host: other, until }: &FurtherOn,
        seen: &mut Seen,
    ) -> Result<(), ScheduleError> {
        let (host, other, now) = (hostname(&self.host), hostname(other), self.clock.now());
        if seen.is_behind_for_the_first_time() {
            tracing::warn!(
                job,
                clock = %now,
                other,
                recorded_until = %until,
                "another host has recorded occasions further than the clock shows: one of the clocks was wrong, or is"
            );
        }
        let text = format!(
            "The clock of {host} shows {}, and another host, {other}, has recorded the occasions of the job {job} until {}: their \
             clocks differ, or did.\n\nNothing is done twice for that, but jobs run when the clock that is ahead shows their \
             times. Other jobs may be concerned as well; this is told once a month. Compare the clocks of all hosts, and set \
             right what is wrong.\n",
            self.moment(now),
            self.moment(*until),
        );
        let month = now.to_zoned(self.zone.clone()).strftime("%Y-%m").to_string();
        let origin = format!("clock:{month}:{host}:behind");
        self.tell(transaction, &origin, "Usher: the clocks of hosts differ".to_owned(), text).await?;
        Ok(())
    }
}

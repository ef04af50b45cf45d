//! One look at a job: which occasions have come, which one is to be run now, and when to look again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::work::Worked;
use super::{Job, LEASE, Missed, ON_TIME, ScheduleError, Scheduler};
use crate::cron::{Come, CronLine};
use crate::database::{Database, DatabaseError, OccasionRecord, OccasionState, Transaction};
use crate::fail_point;
use crate::stop::Stop;

/// How long to wait after the first attempt that failed; twice as long after each further one.
const FIRST_DELAY: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait at most.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(1);

/// What was seen of an occasion that somebody else runs.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Which, and how often its lease had been renewed.
    other: Option<(i64, i64)>,
    /// When that was seen first, in the clock's running time.
    since: Duration,
}

impl Scheduler<'_> {
    /// Records what has come, and runs the job where it is its time. Says when to look again.
    pub(super) async fn turn(
        &self,
        job: &Job<'_>,
        seen: &mut Seen,
        stop: &Stop,
    ) -> Result<Duration, ScheduleError> {
        let Some(cron) = &job.cron else { return Ok(self.look) };
        let now = self.clock.now();
        let mut transaction = self.database.begin().await?;
        self.record_what_came(&mut transaction, job, cron, seen).await?;
        let chosen = self.choose(&mut transaction, job, seen).await?;
        if let Choice::Run(occasion) = &chosen {
            Database::claim_occasion(&mut transaction, occasion.id, &self.holder, LEASE, now).await?;
        }
        transaction.commit().await.map_err(DatabaseError::from)?;
        match chosen {
            Choice::Run(occasion) => {
                fail_point::reached(|| format!("{} claimed", job.name));
                self.attempt(job, &occasion, stop).await?;
                Ok(Duration::ZERO)
            }
            Choice::Wait(longest) => {
                let next = cron.next_after(now, &self.zone);
                let until_next = next.map_or(self.look, |next| until(next, now));
                Ok(until_next.min(longest).min(self.look))
            }
        }
    }

    async fn record_what_came(
        &self,
        transaction: &mut Transaction,
        job: &Job<'_>,
        cron: &CronLine,
        seen: &mut Seen,
    ) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        let looked_until = Database::looked_until(transaction, &job.name, now, 2 * self.look).await?;
        let Some(Come { last, count }) = cron.come(looked_until, now, &self.zone) else { return Ok(()) };
        let open = Database::open_occasions(transaction, &job.name).await?;
        let running = open.iter().any(|other| self.is_running(other, seen));
        let was_missed = now.duration_since(last) > ON_TIME;
        let (state, summary) = if running || Database::was_running(transaction, &job.name, last).await? {
            (OccasionState::Skipped, Some("the job was still running"))
        } else if was_missed && job.missed == Missed::Drop {
            (OccasionState::Dropped, Some("missed, and not made up for (missed = \"drop\")"))
        } else {
            (OccasionState::Waiting, None)
        };
        if state != OccasionState::Waiting || count > 1 {
            tracing::warn!(job = job.name, due = %last, stands_for = count, state = state.name(), "occasions were missed");
        }
        Database::add_occasion(transaction, &job.name, last, count, (state, summary)).await
    }

    /// The occasion that this host is to run now, if there is one. What a dead host has left comes first; of those that
    /// wait, the latest one makes up for the others.
    async fn choose(
        &self,
        transaction: &mut Transaction,
        job: &Job<'_>,
        seen: &mut Seen,
    ) -> Result<Choice, DatabaseError> {
        let now = self.clock.now();
        let open = Database::open_occasions(transaction, &job.name).await?;
        let (running, mut waiting): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|occasion| occasion.state == OccasionState::Running);
        if running.iter().any(|occasion| self.is_running(occasion, seen)) {
            return Ok(Choice::Wait(LEASE));
        }
        let mut left = None;
        for occasion in running {
            if occasion.by_hand {
                let interrupted = "interrupted: the process that ran the job has died";
                Database::close_occasion(transaction, occasion.id, OccasionState::Failed, interrupted)
                    .await?;
            } else {
                left = left.or(Some(occasion));
            }
        }
        if let Some(left) = left {
            tracing::warn!(job = job.name, due = %left.due, "another process died while it ran the job; running it again");
            return Ok(Choice::Run(left));
        }
        let Some(latest) = waiting.pop() else { return Ok(Choice::Wait(self.look)) };
        for earlier in waiting {
            let state = if earlier.attempts > 0 { OccasionState::Failed } else { OccasionState::Skipped };
            Database::close_occasion(transaction, earlier.id, state, "the next occasion took its place")
                .await?;
        }
        // Beyond the longest delay, it is the clock that was set back.
        let wait = until(latest.next_attempt, now);
        if wait.is_zero() || wait > LONGEST_DELAY.unsigned_abs() {
            return Ok(Choice::Run(latest));
        }
        Ok(Choice::Wait(wait))
    }

    /// Whether somebody else is running an occasion. Who does not renew the lease for as long as it lasts is dead,
    /// whatever anybody's clock shows.
    pub(super) fn is_running(&self, occasion: &OccasionRecord, seen: &mut Seen) -> bool {
        // What is recorded as run by this process is not: it does one thing after the other.
        let Some(holder) = occasion.holder.as_deref().filter(|holder| *holder != self.holder) else {
            return false;
        };
        let (lives, ran) = ((occasion.id, occasion.renewals), self.clock.ran());
        if seen.other != Some(lives) {
            *seen = Seen { other: Some(lives), since: ran };
        }
        !(self.is_gone)(holder) && ran.saturating_sub(seen.since) < LEASE
    }

    /// Runs the job once, and records how that ended.
    async fn attempt(
        &self,
        job: &Job<'_>,
        occasion: &OccasionRecord,
        stop: &Stop,
    ) -> Result<(), ScheduleError> {
        tracing::info!(job = job.name, due = %occasion.due, attempt = occasion.attempts + 1, "job begins");
        match self.work(job, occasion, stop).await {
            Worked::Ended(ended) => {
                fail_point::reached(|| format!("{} ended", job.name));
                self.record_end(&job.name, occasion, ended).await
            }
            Worked::Interrupted => {
                tracing::info!(job = job.name, "job interrupted; the occasion is given back");
                let now = self.clock.now();
                Ok(self.database.release_occasion(occasion.id, &self.holder, now).await?)
            }
            Worked::Lost => {
                tracing::error!(
                    job = job.name,
                    "job stopped: this process was stalled for so long that another one has taken over"
                );
                Ok(())
            }
        }
    }
}

/// What to do about a job now.
enum Choice {
    Run(OccasionRecord),
    /// Nothing, for so long at most.
    Wait(Duration),
}

/// When to try again after that many attempts.
pub(super) fn next_attempt(attempts: u32, now: Timestamp) -> Timestamp {
    let doubled = FIRST_DELAY.checked_mul(1 << attempts.saturating_sub(1).min(16)).unwrap_or(LONGEST_DELAY);
    now.checked_add(doubled.min(LONGEST_DELAY)).unwrap_or(Timestamp::MAX)
}

fn until(moment: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO)
}

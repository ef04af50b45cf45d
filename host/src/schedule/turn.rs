//! One look at a job: which occasions have come, which one is to be run now, and when to look again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::seen::Seen;
use super::work::Worked;
use super::{Failure, Job, LEASE, Missed, ON_TIME, Report, ScheduleError, Scheduler};
use crate::cron::{Come, CronLine};
use crate::database::{Database, DatabaseError, OccasionRecord, OccasionState, Transaction};
use crate::fail_point;
use crate::stop::Stop;

/// How long to wait after the first attempt that failed; twice as long after each further one.
const FIRST_DELAY: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait before what could not be recorded is tried again.
const RECORDING_DELAY: Duration = Duration::from_secs(5);

/// How long to wait at most.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(1);

/// How long to wait at most for another process that is at the same work: nobody tells when it is finished.
const LONGEST_BUSY: SignedDuration = SignedDuration::from_mins(10);

/// What is recorded of an attempt whose process is gone.
pub(super) const DIED: &str = "interrupted: the process that ran the job has died";

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
    ) -> Result<(), ScheduleError> {
        let now = self.clock.now();
        self.compare_clocks(transaction, &job.name, seen).await?;
        let looked_until = Database::looked_until(transaction, &job.name, now, 2 * self.look).await?;
        let Some(Come { last, count }) = cron.come(looked_until, now, &self.zone) else { return Ok(()) };
        let open = Database::open_occasions(transaction, &job.name).await?;
        // Who runs the job by hand may give up, and then nobody would do it: the occasion waits for that.
        let running = open.iter().any(|other| !other.by_hand && self.is_running(other, seen));
        let was_missed = now.duration_since(last) > ON_TIME;
        let running = running || Database::was_running(transaction, &job.name, last, now).await?;
        let (state, summary) = if running {
            (OccasionState::Skipped, Some("the job was still running"))
        } else if was_missed && job.missed == Missed::Drop {
            (OccasionState::Dropped, Some("missed, and not made up for (missed = \"drop\")"))
        } else {
            (OccasionState::Waiting, None)
        };
        if state != OccasionState::Waiting || count > 1 {
            tracing::warn!(job = job.name, due = %last, stands_for = count, state = state.name(), "occasions were missed");
        }
        Database::let_come_again(transaction, &job.name, last).await?;
        Ok(Database::add_occasion(transaction, &job.name, last, count, (state, summary), &self.host).await?)
    }

    /// The occasion that this host is to run now, if there is one. What a dead host has left comes first, and at once where
    /// that has happened to it for the first time; of those that wait, the latest one makes up for the others. One that a
    /// clock which ran ahead has left waits until its time comes, and is in the way of none that comes before.
    async fn choose(
        &self,
        transaction: &mut Transaction,
        job: &Job<'_>,
        seen: &mut Seen,
    ) -> Result<Choice, ScheduleError> {
        let now = self.clock.now();
        let open = Database::open_occasions(transaction, &job.name).await?;
        seen.keep_only(&open);
        let (running, mut waiting): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|occasion| occasion.state == OccasionState::Running);
        if running.iter().any(|occasion| self.is_running(occasion, seen)) {
            return Ok(Choice::Wait(LEASE));
        }
        for occasion in running {
            if occasion.by_hand {
                Database::close_occasion(transaction, occasion.id, OccasionState::Failed, DIED).await?;
                continue;
            }
            let left = self.take_back_from_the_dead(transaction, job, occasion).await?;
            if left.deaths == 1 {
                return Ok(Choice::Run(Box::new(left)));
            }
            waiting.push(left);
        }
        waiting.retain(|occasion| occasion.due <= now);
        waiting.sort_by_key(|occasion| occasion.due);
        let Some(mut latest) = waiting.pop() else { return Ok(Choice::Wait(self.look)) };
        for earlier in waiting {
            if earlier.deaths > latest.deaths {
                // It would kill this process as well, and what else it does with it.
                let (deaths, next_attempt) = (earlier.deaths, earlier.next_attempt.max(latest.next_attempt));
                Database::inherit_deaths(transaction, latest.id, deaths, next_attempt).await?;
                latest = OccasionRecord { deaths, next_attempt, ..latest };
            }
            if earlier.busy > 0 {
                self.another_was_at_it_all_the_time(transaction, job, &earlier).await?;
            }
            let state = if earlier.attempts > 0 { OccasionState::Failed } else { OccasionState::Skipped };
            Database::close_occasion(transaction, earlier.id, state, "the next occasion took its place")
                .await?;
        }
        // Beyond the longest delay, it is the clock that was set back.
        let wait = until(latest.next_attempt, now);
        if wait.is_zero() || wait > LONGEST_DELAY.unsigned_abs() {
            return Ok(Choice::Run(Box::new(latest)));
        }
        Ok(Choice::Wait(wait))
    }

    /// Counts an occasion that passed while another process was at the same work. That is no failure of the job, but where it
    /// goes on like this, that process may hang, and nobody does the work.
    async fn another_was_at_it_all_the_time(
        &self,
        transaction: &mut Transaction,
        job: &Job<'_>,
        occasion: &OccasionRecord,
    ) -> Result<(), ScheduleError> {
        let reason =
            occasion.summary.clone().unwrap_or_else(|| "another process is at the same work".to_owned());
        let mut health = Database::job_health(transaction, &job.name).await?;
        let failure = Failure::new(reason, true);
        self.fails(transaction, &job.name, occasion, occasion.attempts, &mut health, &failure).await?;
        Ok(Database::set_job_health(transaction, &job.name, health).await?)
    }

    /// Has an occasion wait whose holder has died. That counts as a failure: it may be the job that ended its process, and
    /// would end the next one, with the pages that it serves.
    async fn take_back_from_the_dead(
        &self,
        transaction: &mut Transaction,
        job: &Job<'_>,
        left: OccasionRecord,
    ) -> Result<OccasionRecord, ScheduleError> {
        let now = self.clock.now();
        let deaths = left.deaths.saturating_add(1);
        let next_attempt = if deaths == 1 { now } else { next_attempt(deaths, now) };
        tracing::warn!(job = job.name, due = %left.due, deaths, again = %next_attempt, "the process that ran a job has died");
        Database::return_occasion_of_the_dead(transaction, left.id, deaths, next_attempt, DIED).await?;
        let failure = Failure::new(DIED.to_owned(), true);
        let mut health = Database::job_health(transaction, &job.name).await?;
        self.fails(transaction, &job.name, &left, left.attempts, &mut health, &failure).await?;
        Database::set_job_health(transaction, &job.name, health).await?;
        let state = OccasionState::Waiting;
        Ok(OccasionRecord { state, deaths, next_attempt, holder: None, ..left })
    }

    /// Whether somebody else is running an occasion. Who does not renew the lease for as long as it lasts is dead,
    /// whatever anybody's clock shows.
    pub(super) fn is_running(&self, occasion: &OccasionRecord, seen: &mut Seen) -> bool {
        // What is recorded as run by this process is not: it does one thing after the other.
        let Some(holder) = occasion.holder.as_deref().filter(|holder| *holder != self.holder) else {
            return false;
        };
        !(self.is_gone)(holder) && seen.silent_for(occasion, self.clock.ran()) < LEASE
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
                self.record_end_at_last(&job.name, occasion, &ended).await
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

impl Scheduler<'_> {
    /// Records how the job ended. Where the database fails it is tried again, for as long as the occasion is this
    /// process's: the job has done its work, and would do it again.
    async fn record_end_at_last(
        &self,
        job: &str,
        occasion: &OccasionRecord,
        ended: &Result<Report, Failure>,
    ) -> Result<(), ScheduleError> {
        let begun = self.clock.ran();
        loop {
            match self.record_end(job, occasion, ended).await {
                Err(error) if self.clock.ran().saturating_sub(begun) < LEASE => {
                    tracing::error!(%error, job, "how a job ended cannot be recorded; trying again");
                    self.clock.sleep(RECORDING_DELAY).await;
                }
                recorded => return recorded,
            }
        }
    }
}

/// What to do about a job now.
enum Choice {
    Run(Box<OccasionRecord>),
    /// Nothing, for so long at most.
    Wait(Duration),
}

/// When to try again after that many attempts.
pub(super) fn next_attempt(attempts: u32, now: Timestamp) -> Timestamp {
    later_and_later(attempts, LONGEST_DELAY, now)
}

/// When to try again what was given back so often because another process was at the same work.
pub(super) fn next_turn(busy: u32, now: Timestamp) -> Timestamp {
    later_and_later(busy, LONGEST_BUSY, now)
}

fn later_and_later(times: u32, longest: SignedDuration, now: Timestamp) -> Timestamp {
    let doubled = FIRST_DELAY.checked_mul(1 << times.saturating_sub(1).min(16)).unwrap_or(longest);
    now.checked_add(doubled.min(longest)).unwrap_or(Timestamp::MAX)
}

fn until(moment: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO)
}

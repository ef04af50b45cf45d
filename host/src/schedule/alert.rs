//! How an attempt ended, and what the operator is told: once when a job keeps failing, and once when it works again.
//!
//! So is a clock that was put back, once a day: what jobs did meanwhile is done again when its time comes.
//!
//! The mail is recorded together with what it tells, so that neither is there without the other.

use jiff::Timestamp;

use super::turn::{next_attempt, next_turn};
use super::{Failure, Remedy, Report, ScheduleError, Scheduler};
use crate::database::{
    Database, DatabaseError, JobHealth, OccasionEnd, OccasionRecord, OccasionState, Transaction,
};
use crate::mailer::Message;
use crate::outbox::Compose;
use crate::process::hostname;

/// What the mails are called in reports.
pub(super) const KIND: &str = "job-alert";

impl Scheduler<'_> {
    /// Records how an attempt ended, unless another process has taken the occasion meanwhile.
    pub(super) async fn record_end(
        &self,
        job: &str,
        occasion: &OccasionRecord,
        ended: &Result<Report, Failure>,
    ) -> Result<(), ScheduleError> {
        if let Err(Failure { reason, remedy: Remedy::Turn }) = ended {
            return self.give_back(job, occasion, reason).await;
        }
        let now = self.clock.now();
        let attempts = occasion.attempts + 1;
        let mut transaction = self.database.begin().await?;
        let mut health = Database::job_health(&mut transaction, job).await?;
        let recorded = match ended {
            Ok(report) => {
                let state = if report.partly { OccasionState::Partly } else { OccasionState::Done };
                let Report { summary, details, .. } = report;
                let ending = OccasionEnd { state, next_attempt: now, summary, details };
                Database::end_occasion(&mut transaction, occasion.id, &self.holder, &ending, now).await?
            }
            Err(failure) => {
                let reason = &failure.reason;
                let is_tried_again = failure.is_passing() && !occasion.by_hand;
                let state = if is_tried_again { OccasionState::Waiting } else { OccasionState::Failed };
                let next_attempt = next_attempt(attempts, now);
                let ending = OccasionEnd { state, next_attempt, summary: reason, details: &[] };
                Database::end_occasion(&mut transaction, occasion.id, &self.holder, &ending, now).await?
            }
        };
        if !recorded {
            tracing::error!(job, "another process has taken over the job; its report counts");
            return Ok(());
        }
        match ended {
            Ok(report) => {
                tracing::info!(job, partly = report.partly, summary = report.summary, "job done");
                self.works(&mut transaction, job, occasion, &mut health).await?;
            }
            Err(failure) => {
                let (reason, passing) = (&failure.reason, failure.is_passing());
                tracing::error!(job, attempt = attempts, passing, reason, "job failed");
                self.fails(&mut transaction, job, occasion, attempts, &mut health, failure).await?;
            }
        }
        Database::set_job_health(&mut transaction, job, health).await?;
        Ok(transaction.commit().await.map_err(DatabaseError::from)?)
    }

    /// Gives an occasion back because another process is at the same work. That is no failure of the job: it is tried again
    /// soon. Who has run it by hand sees why it was not its turn.
    async fn give_back(&self, job: &str, occasion: &OccasionRecord, why: &str) -> Result<(), ScheduleError> {
        let now = self.clock.now();
        let again = next_turn(occasion.busy + 1, now);
        let mut transaction = self.database.begin().await?;
        if occasion.by_hand {
            let ending =
                OccasionEnd { state: OccasionState::Skipped, next_attempt: now, summary: why, details: &[] };
            Database::end_occasion(&mut transaction, occasion.id, &self.holder, &ending, now).await?;
        } else {
            Database::give_occasion_back(&mut transaction, occasion.id, &self.holder, again, why).await?;
        }
        tracing::info!(job, why, by_hand = occasion.by_hand, %again, "another process is at the work of this job");
        Ok(transaction.commit().await.map_err(DatabaseError::from)?)
    }

    async fn works(
        &self,
        transaction: &mut Transaction,
        job: &str,
        occasion: &OccasionRecord,
        health: &mut JobHealth,
    ) -> Result<(), ScheduleError> {
        if health.alerted {
            let text = format!(
                "The job {} works again: it was finished at {}.\n\nIt had failed {} since {}.\n",
                job,
                self.moment(self.clock.now()),
                times(health.failures),
                health.failing_since.map_or_else(String::new, |since| self.moment(since)),
            );
            let subject = format!("Usher: the job {job} works again");
            let origin = origin(job, occasion, occasion.attempts + 1, "works-again");
            self.tell(transaction, &origin, subject, text).await?;
        }
        *health = JobHealth::default();
        Ok(())
    }

    /// A failure that trying again does not mend is told at once, another one after some attempts. Who runs a job by hand
    /// sees it at the terminal and is not told; it counts all the same.
    pub(super) async fn fails(
        &self,
        transaction: &mut Transaction,
        job: &str,
        occasion: &OccasionRecord,
        attempt: u32,
        health: &mut JobHealth,
        failure: &Failure,
    ) -> Result<(), ScheduleError> {
        health.failures = health.failures.saturating_add(1);
        let since = *health.failing_since.get_or_insert(self.clock.now());
        let keeps_failing = !failure.is_passing() || health.failures >= self.settings.alert_after;
        let is_seen = occasion.by_hand && self.attended;
        if !keeps_failing || health.alerted || is_seen {
            return Ok(());
        }
        let again = if occasion.by_hand {
            "It was started by `usher run`, and is tried again when that is, or on its next occasion."
                .to_owned()
        } else if failure.is_passing() {
            "It is tried again, at least once an hour.".to_owned()
        } else {
            format!(
                "It is tried again on its next occasion, which will not help before somebody acts; after that, `usher run \
                 {job}` does it at once."
            )
        };
        let text = format!(
            "The job {} failed {} since {}. The last time:\n\n    {}\n\n{again} You are told when it works again.\n\n\
             usher schedule shows all jobs, usher schedule show {} what this one did.\n",
            job,
            times(health.failures),
            self.moment(since),
            failure.reason,
            job,
        );
        let subject = format!("Usher: the job {job} keeps failing");
        let origin = origin(job, occasion, attempt, "keeps-failing");
        // Where nobody is to be told, whoever is later has not been.
        health.alerted = self.tell(transaction, &origin, subject, text).await?;
        Ok(())
    }

    /// Tells that this host has recorded occasions of a job up to a moment that has yet to come.
    pub(super) async fn clock_was_put_back(
        &self,
        transaction: &mut Transaction,
        job: &str,
        were_until: Timestamp,
    ) -> Result<(), ScheduleError> {
        let now = self.clock.now();
        tracing::warn!(
            job,
            clock = %now,
            recorded_until = %were_until,
            "this host has recorded occasions further than its clock shows: the clock ran ahead, and was put back"
        );
        let text = format!(
            "The clock of {} shows {}, and this host has recorded the occasions of the job {job} until {}: its clock ran ahead \
             and was put back.\n\nJobs go on at their times, and do again what they did meanwhile when the time of that \
             comes. Other jobs may be concerned as well; this is told once a day.\n",
            hostname(&self.host),
            self.moment(now),
            self.moment(were_until),
        );
        // What the clock shows is what an operator who looks for it goes by.
        let origin = format!("clock:{}:put-back", now.to_zoned(self.zone.clone()).date());
        self.tell(transaction, &origin, "Usher: the clock was put back".to_owned(), text).await?;
        Ok(())
    }

    /// Records a mail to the operator, where the site says who that is.
    pub(super) async fn tell(
        &self,
        transaction: &mut Transaction,
        origin: &str,
        subject: String,
        text: String,
    ) -> Result<bool, ScheduleError> {
        let Some(to) = &self.settings.alert_to else { return Ok(false) };
        let message = Message { sender: None, cc: Vec::new(), subject, text, html: None };
        let compose = Compose { to: vec![to.clone()], message, link: None };
        self.outbox.enqueue(transaction, origin, KIND, &compose).await?;
        Ok(true)
    }

    pub(super) fn moment(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }
}

/// One occasion has more attempts than one, and may be told of again after it worked in between.
fn origin(job: &str, occasion: &OccasionRecord, attempt: u32, what: &str) -> String {
    format!("job:{job}:{}:{attempt}:{what}", occasion.id)
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

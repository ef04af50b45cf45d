//! One attempt of a job, within its deadline and while its occasion is this process's.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use super::{Call, Failure, Job, LEASE, RENEWAL, Report, Scheduler};
use crate::database::OccasionRecord;
use crate::stop::Stop;

/// How an attempt ended.
pub(super) enum Worked {
    /// The job says what it did, or why not.
    Ended(Result<Report, Failure>),
    /// It was stopped because the program ends, and is not finished.
    Interrupted,
    /// Another process has taken the occasion.
    Lost,
}

/// Why a job is asked to end.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// It has taken too long.
    Deadline,
    /// The program ends.
    Stop,
}

/// The failure of a job that has taken too long.
pub(super) fn not_in_time(deadline: Duration) -> Failure {
    let deadline = crate::settings::duration::in_words(deadline);
    Failure::new(format!("it was not finished within its deadline of {deadline}"), true)
}

impl Scheduler<'_> {
    /// Whatever the job holds when this returns is given up: it may have been in the middle of a transaction.
    pub(super) async fn work(&self, job: &Job<'_>, occasion: &OccasionRecord, stop: &Stop) -> Worked {
        let asked = Stop::default();
        let call =
            Call { time: occasion.due.to_zoned(self.zone.clone()), dry_run: false, stop: asked.clone() };
        let cut = async {
            let cut = tokio::select! {
                () = self.clock.sleep(job.deadline) => Cut::Deadline,
                () = stop.asked() => Cut::Stop,
            };
            asked.ask();
            self.clock.sleep(self.settings.grace).await;
            cut
        };
        // One job that panics leaves the others alone.
        let work = AssertUnwindSafe((job.work)(call)).catch_unwind();
        let late = || Worked::Ended(Err(not_in_time(job.deadline)));
        let ended = tokio::select! {
            ended = work => ended.unwrap_or_else(|_| {
                let reason = "it panicked, which is a fault of Usher: see the log, and report it".to_owned();
                Err(Failure::new(reason, false))
            }),
            () = self.renew(occasion) => return Worked::Lost,
            cut = cut => return match cut {
                Cut::Deadline => late(),
                Cut::Stop => Worked::Interrupted,
            },
        };
        // What was finished all the same is finished.
        let finished = ended.as_ref().is_ok_and(|report| !report.partly);
        match (asked.is_asked() && !finished, stop.is_asked()) {
            (false, _) => Worked::Ended(ended),
            (true, true) => Worked::Interrupted,
            (true, false) => late(),
        }
    }

    /// Keeps an occasion. Returns once it is lost.
    pub(super) async fn renew(&self, occasion: &OccasionRecord) {
        loop {
            self.clock.sleep(RENEWAL).await;
            let now = self.clock.now();
            match self.database.renew_occasion(occasion.id, &self.holder, LEASE, now).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "the right to run a job could not be renewed"),
            }
        }
    }
}

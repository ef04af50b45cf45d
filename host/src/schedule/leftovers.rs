//! Which jobs a server runs, and what others have left that nobody would take over.

use super::seen::Seen;
use super::turn::DIED;
use super::{Job, RENEWAL, ScheduleError, Scheduler};
use crate::stop::Stop;

impl Scheduler<'_> {
    /// Records which jobs this server runs. Without that, what is told of them would be wrong, so it is tried until it is done.
    pub(super) async fn take_up(&self, stop: &Stop) {
        let times = |job: &Job<'_>| {
            job.cron
                .as_ref()
                .map_or_else(String::new, |cron| format!("{cron} {}", self.zone.iana_name().unwrap_or("")))
        };
        let jobs: Vec<_> = self.jobs.iter().map(|job| (job.name.as_str(), times(job))).collect();
        while !stop.is_asked() {
            match self.database.take_up_jobs(&self.server, &jobs, self.clock.now()).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(%error, "it cannot be recorded which jobs run here; trying again");
                }
            }
            tokio::select! {
                () = self.clock.sleep(self.look) => {}
                () = stop.asked() => {}
            }
        }
    }

    /// Ends, again and again, what dead processes have left of jobs that no server runs: somebody ran one by hand, or it was
    /// switched off while it was running.
    pub(super) async fn close_leftovers(&self, stop: &Stop) {
        let mut seen = Seen::default();
        while !stop.is_asked() {
            if let Err(error) = self.close_dead(&mut seen).await {
                tracing::warn!(%error, "it cannot be seen yet which jobs dead processes have left");
            }
            tokio::select! {
                () = self.clock.sleep(self.look) => {}
                () = stop.asked() => {}
            }
        }
    }

    /// Watches who holds what jobs need: where such a process has died on another host, that is known when a job wants it.
    pub(super) async fn watch_leases(&self, stop: &Stop) {
        while !stop.is_asked() {
            if let Err(error) = self.leases.look().await {
                tracing::warn!(%error, "it cannot be seen yet which processes are at work");
            }
            tokio::select! {
                () = self.clock.sleep(RENEWAL) => {}
                () = stop.asked() => {}
            }
        }
    }

    pub(super) async fn close_dead(&self, seen: &mut Seen) -> Result<(), ScheduleError> {
        let left = self.database.occasions_without_heir().await?;
        seen.keep_only(&left);
        for occasion in left {
            // What is recorded under this process's name is run by it, as far as is known here.
            let is_own = occasion.holder.as_deref() == Some(self.holder.as_str());
            if !is_own && !self.is_running(&occasion, seen) {
                self.database.close_without_heir(&occasion, DIED).await?;
            }
        }
        Ok(())
    }
}

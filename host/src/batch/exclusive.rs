//! One run of a kind at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::app::App;
use crate::database::{DatabaseError, LeaseHolder};
use crate::leases::{LASTS, Leases, RENEWAL};
use crate::process::Process;
use crate::random;
use crate::stop::Stop;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ExclusiveError {
    /// Another one is running.
    #[error("another {kind} is running: {holder}, since {since}; wait until it is finished")]
    Busy {
        /// What runs.
        kind: &'static str,
        /// The process that runs it.
        holder: String,
        /// Since when, in the site's time zone.
        since: String,
    },
    /// Another one has taken over, or may.
    #[error(
        "stopped: this run was stalled for so long that another one may have taken over; the next run goes on from here"
    )]
    Lost,
    /// Usher is about to end.
    #[error("stopped: Usher was told to end; the next run goes on from here")]
    Stopped,
    /// The lease could not be taken.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The right to make a run of a kind. It is renewed until it is released or dropped.
pub struct Exclusive {
    kind: &'static str,
    leases: Leases,
    holder: String,
    standing: Standing,
    stop: Stop,
    renewal: JoinHandle<()>,
    is_released: bool,
}

/// How long what could not be renewed waits to be tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Whether the right is still this run's. Clones share it.
#[derive(Clone)]
struct Standing {
    is_lost: Arc<AtomicBool>,
    /// When it was renewed the last time.
    renewed: Arc<Mutex<Instant>>,
}

impl Standing {
    /// One that was renewed at a moment.
    fn since(began: Instant) -> Self {
        Self { is_lost: Arc::default(), renewed: Arc::new(Mutex::new(began)) }
    }

    /// From this moment on nobody else takes the right for as long as it lasts.
    fn renewed_at(&self, began: Instant) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = began;
    }

    /// Whether somebody else has the right, or may have it by now: who was stopped for long, or could not write, is taken
    /// for dead.
    fn is_lost(&self) -> bool {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_lost.load(Ordering::Relaxed) || renewed.elapsed() >= LASTS
    }
}

impl Exclusive {
    /// Takes the right, or says who has it. A process on another host that may be dead is watched first.
    pub async fn take(app: &App, kind: &'static str) -> Result<Self, ExclusiveError> {
        let other = match Self::hold(&app.leases, &app.stop, kind).await? {
            Ok(exclusive) => return Ok(exclusive),
            Err(_) if app.stop.is_asked() => return Err(ExclusiveError::Stopped),
            Err(other) => other,
        };
        let since = other.since.to_zoned(app.settings.site.time_zone.clone());
        let since = since.strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        Err(ExclusiveError::Busy { kind, holder: other.in_words(), since })
    }

    async fn hold(
        leases: &Leases,
        stop: &Stop,
        kind: &'static str,
    ) -> Result<Result<Self, LeaseHolder>, DatabaseError> {
        // Each run has a name of its own: one that was cut off must not give back what the next one has taken.
        let holder = format!("{} {}", Process::this(), random::identifier());
        if let Err(other) = leases.take(kind, &holder, stop).await? {
            return Ok(Err(other));
        }
        let standing = Standing::since(Instant::now());
        let renewal = tokio::spawn(renew(kind, leases.clone(), holder.clone(), standing.clone()));
        let (leases, stop) = (leases.clone(), stop.clone());
        Ok(Ok(Self { kind, leases, holder, standing, stop, renewal, is_released: false }))
    }

    /// Whether another run has taken the right over, so that this one has to stop.
    pub fn is_lost(&self) -> bool {
        self.standing.is_lost()
    }

    /// Fails where another run has taken the right over, and where this one is asked to end: to be called before
    /// each step.
    pub(crate) fn check(&self) -> Result<(), ExclusiveError> {
        if self.is_lost() {
            Err(ExclusiveError::Lost)
        } else if self.stop.is_asked() {
            Err(ExclusiveError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Gives the right back.
    pub async fn release(mut self) -> Result<(), DatabaseError> {
        let released = self.leases.release(self.kind, &self.holder).await;
        self.is_released = released.is_ok();
        released
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.renewal.abort();
        // A run that was cut off, by a deadline or a panic, would be in the way of the next one otherwise: its process lives.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.is_released {
            let (leases, kind, holder) = (self.leases.clone(), self.kind, self.holder.clone());
            runtime.spawn(async move {
                if let Err(error) = leases.release(kind, &holder).await {
                    tracing::warn!(%error, kind, "the right to make a run could not be given back; it ends by itself");
                }
            });
        }
    }
}

async fn renew(kind: &'static str, leases: Leases, holder: String, standing: Standing) {
    let mut pause = RENEWAL;
    loop {
        tokio::time::sleep(pause).await;
        let began = Instant::now();
        pause = match leases.renew(kind, &holder).await {
            Ok(true) => {
                standing.renewed_at(began);
                RENEWAL
            }
            Ok(false) => return standing.is_lost.store(true, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "could not renew the right to make this run");
                RETRY
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::database::Database;

    #[test]
    fn who_could_not_renew_for_as_long_as_that_lasts_has_lost_it() {
        let long_ago = Instant::now().checked_sub(LASTS).unwrap();
        let standing = Standing::since(long_ago + Duration::from_secs(60));
        assert!(!standing.is_lost());
        standing.renewed_at(long_ago);
        assert!(standing.is_lost(), "another host may have taken it over by now");
        standing.renewed_at(Instant::now());
        assert!(!standing.is_lost());
    }

    #[tokio::test]
    async fn what_a_run_that_was_cut_off_held_is_free_for_the_next_one_and_stays_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let (leases, stop) = (Leases::new(database.clone(), clock), Stop::default());
        let hold = async || Exclusive::hold(&leases, &stop, "import").await.unwrap();
        let cut_off = hold().await.ok().unwrap();
        assert!(hold().await.is_err(), "two runs of one process at a time");
        drop(cut_off);
        let waited = async {
            loop {
                match hold().await {
                    Ok(next) => break next,
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let next = tokio::time::timeout(Duration::from_secs(30), waited).await.expect("the right to be free");
        // The one that was cut off cannot give it back a second time.
        database.release_lease("import", &Process::this().to_string()).await.unwrap();
        assert!(hold().await.is_err());
        next.release().await.unwrap();
        assert!(hold().await.is_ok());
    }
}

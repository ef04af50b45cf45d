//! One run of a kind at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::app::App;
use crate::clock::Clock;
use crate::database::{Database, DatabaseError};
use crate::process::Process;
use crate::stop::Stop;

/// How long the lease outlives a holder on another host that died. One on the same host is found
/// dead at once.
const LASTS: Duration = Duration::from_secs(120);

/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

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
    /// Another one has taken over.
    #[error("stopped: this run was stalled for so long that another one has taken over")]
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
    database: Database,
    holder: String,
    lost: Arc<AtomicBool>,
    stop: Stop,
    renewal: JoinHandle<()>,
}

impl Exclusive {
    /// Takes the right, or says who has it.
    pub async fn take(app: &App, kind: &'static str) -> Result<Self, ExclusiveError> {
        let holder = Process::this().to_string();
        let taken = app.database.take_lease(kind, &holder, LASTS, app.clock.now(), Process::is_gone).await?;
        if let Err(other) = taken {
            let since = other.since.to_zoned(app.settings.site.time_zone.clone());
            let since = since.strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
            let holder =
                Process::parse(&other.holder).map_or(other.holder.clone(), |process| process.in_words());
            return Err(ExclusiveError::Busy { kind, holder, since });
        }
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(
            kind,
            app.database.clone(),
            app.clock.clone(),
            holder.clone(),
            Arc::clone(&lost),
        ));
        Ok(Self { kind, database: app.database.clone(), holder, lost, stop: app.stop.clone(), renewal })
    }

    /// Whether another run has taken the right over, so that this one has to stop.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
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
    pub async fn release(self) -> Result<(), DatabaseError> {
        self.database.release_lease(self.kind, &self.holder).await
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(kind: &'static str, database: Database, clock: Clock, holder: String, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match database.renew_lease(kind, &holder, LASTS, clock.now()).await {
            Ok(true) => {}
            Ok(false) => return lost.store(true, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "could not renew the right to make this run"),
        }
    }
}

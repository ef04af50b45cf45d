//! What only one process at a time may do, on however many hosts: it has a lease on that, which it renews as long as it is
//! at it.
//!
//! The death of a holder blocks nobody for long. On its own host it is found dead at once. One on another host is watched: who
//! does not renew its lease for as long as that lasts, by the watcher's own time, is dead, whatever anybody's clock
//! shows. A server watches all the time, and its jobs are tried again when the time has come. A command watches only where
//! the lease looks as if it were not renewed any more, and says at once who has it otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::database::{Database, DatabaseError, LeaseHolder};
use crate::process::Process;
use crate::silence::Silence;
use crate::stop::Stop;

/// For how long nobody else may take a lease that is not renewed.
pub(crate) const LASTS: Duration = Duration::from_secs(120);

/// How often a lease is renewed.
pub(crate) const RENEWAL: Duration = Duration::from_secs(30);

/// How often a holder that may be dead is looked at.
pub(crate) const LOOK: Duration = Duration::from_secs(5);

/// How far the end of a lease may lie ahead without a clock being wrong.
const FARTHEST_END: SignedDuration = SignedDuration::from_mins(5);

/// The leases, and what was seen here of those that others hold. Clones see the same.
#[derive(Clone)]
pub struct Leases {
    database: Database,
    clock: Clock,
    /// By the lease: what changes while its holder lives.
    seen: Arc<Mutex<Silence<String, Sign>>>,
    /// Whether a holder is known to be dead.
    is_gone: fn(&str) -> bool,
    /// Whether who wants a lease waits until it is sure that its holder is dead.
    waits: bool,
}

/// What changes while a holder lives: who it is, how often it has renewed the lease, and until when it has it. Versions
/// before this one renewed only the last of these; whether it is past says nothing, as clocks of two hosts may differ.
type Sign = (String, i64, Timestamp);

fn sign(of: &LeaseHolder) -> Sign {
    (of.holder.clone(), of.renewals, of.ends)
}

impl Leases {
    /// The leases in a database, none of which was looked at yet.
    #[must_use]
    pub fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock, seen: Arc::default(), is_gone: Process::is_gone, waits: true }
    }

    /// The same for who is tried again, and sees then whether a holder has shown life meanwhile.
    #[must_use]
    pub fn without_waiting(&self) -> Self {
        Self { waits: false, ..self.clone() }
    }

    /// Takes a lease, or says who has it. A holder that may well be dead is watched for as long as it takes to be sure, but
    /// that is given up when this process is asked to stop.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn take(
        &self,
        name: &str,
        holder: &str,
        stop: &Stop,
    ) -> Result<Result<(), LeaseHolder>, DatabaseError> {
        let mut watched = None;
        loop {
            let Err(other) = self.try_to_take(name, holder).await? else { return Ok(Ok(())) };
            let sign = sign(&other);
            let shows_life = watched.as_ref().is_some_and(|watched| *watched != sign);
            let may_be_dead = !shows_life && seems_dead(other.ends, self.clock.now());
            if !may_be_dead || !self.waits || stop.is_asked() {
                return Ok(Err(other));
            }
            if watched.replace(sign).is_none() {
                tracing::warn!(
                    work = name,
                    holder = other.in_words(),
                    "the process that is at this work seems to be dead; looking for two minutes whether it is"
                );
            }
            tokio::select! {
                () = self.clock.sleep(LOOK) => {}
                () = stop.asked() => {}
            }
        }
    }

    async fn try_to_take(&self, name: &str, holder: &str) -> Result<Result<(), LeaseHolder>, DatabaseError> {
        let is_free =
            |other: &LeaseHolder| (self.is_gone)(&other.holder) || self.silence(name, other) >= LASTS;
        self.database.take_lease_of_the_dead(name, holder, LASTS, self.clock.now(), is_free).await
    }

    fn silence(&self, name: &str, other: &LeaseHolder) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.of(name.to_owned(), sign(other), self.clock.ran())
    }

    /// Looks which leases are held. Whoever does that again and again knows of a dead holder when it wants the lease.
    ///
    /// # Errors
    /// Where the database fails or holds damage.
    pub async fn look(&self) -> Result<(), DatabaseError> {
        let held = self.database.leases().await?;
        for (name, other) in &held {
            self.silence(name, other);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.keep_only(|name| held.iter().any(|(held, _)| held == name));
        Ok(())
    }

    /// Renews a lease. False where somebody else has taken it over meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew(&self, name: &str, holder: &str) -> Result<bool, DatabaseError> {
        self.database.renew_lease(name, holder, LASTS, self.clock.now()).await
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn release(&self, name: &str, holder: &str) -> Result<(), DatabaseError> {
        self.database.release_lease(name, holder).await
    }
}

/// Whether the end of a lease says that it is not renewed any more, or nothing because a clock is wrong. It is only a hint:
/// clocks of two hosts may differ.
pub(crate) fn seems_dead(ends: Timestamp, now: Timestamp) -> bool {
    let left = ends.duration_since(now);
    left.is_negative() || left.is_zero() || left > FARTHEST_END
}

#[cfg(test)]
mod tests;

//! Which servers run jobs at present. Each one has a lease of its own, which nobody waits for: it only shows that the server
//! lives.

use jiff::Timestamp;

use super::{RENEWAL, Scheduler};
use crate::clock::Clock;
use crate::database::{Database, DatabaseError, LeaseHolder};
use crate::leases::{LASTS, seems_dead};
use crate::stop::Stop;

/// What the names of these leases begin with.
const PREFIX: &str = "server ";

/// A server that runs jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The process, in words.
    pub process: String,
    /// Since when it runs.
    pub since: Timestamp,
    /// When it showed life the last time, where that is too long ago for one that lives. It is by another host's clock, and
    /// so may be wrong.
    pub silent_since: Option<Timestamp>,
}

/// The servers that run jobs, and those of other hosts that did and have not said that they end. One of this host that has
/// died is known to be dead.
///
/// # Errors
/// Where the database fails or holds damage.
pub async fn servers(
    database: &Database,
    clock: &Clock,
    is_gone: impl Fn(&str) -> bool,
) -> Result<Vec<Server>, DatabaseError> {
    let now = clock.now();
    let leases = database.leases().await?.into_iter();
    let of_servers = leases.filter(|(name, held)| name.starts_with(PREFIX) && !is_gone(&held.holder));
    let server = |held: LeaseHolder| Server {
        process: held.in_words(),
        since: held.since,
        silent_since: seems_dead(held.ends, now)
            .then(|| held.ends.saturating_sub(LASTS).unwrap_or(held.ends)),
    };
    Ok(of_servers.map(|(_, held)| server(held)).collect())
}

impl Scheduler<'_> {
    /// Shows that this server is there, until it is asked to stop.
    pub(super) async fn show_presence(&self, stop: &Stop) {
        let name = format!("{PREFIX}{}", self.holder);
        while !stop.is_asked() {
            if let Err(error) = self.be_present(&name, stop).await {
                tracing::warn!(%error, "it cannot be shown that this server runs jobs; trying again");
            }
            tokio::select! {
                () = self.clock.sleep(RENEWAL) => {}
                () = stop.asked() => {}
            }
        }
        if let Err(error) = self.leases.release(&name, &self.holder).await {
            tracing::warn!(%error, "it cannot be shown that this server stops");
        }
    }

    pub(super) async fn be_present(&self, name: &str, stop: &Stop) -> Result<(), DatabaseError> {
        let is_known = self.database.server_is_there(&self.server, self.clock.now()).await?;
        if !is_known && !self.jobs.is_empty() {
            // Another server, whose clock is ahead by more than a week, took this one for gone.
            self.take_up(stop).await;
        }
        if self.leases.renew(name, &self.holder).await? {
            return Ok(());
        }
        // What servers have left that died. One whose lease is taken away although it lives takes it again.
        self.database.forget_ended_leases(PREFIX, self.clock.now()).await?;
        // Nobody else wants a lease of this name.
        self.leases.take(name, &self.holder, stop).await.map(|_| ())
    }
}

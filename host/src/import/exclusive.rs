//! One import at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::app::App;
use crate::clock::Clock;
use crate::database::{Database, DatabaseError};

const LEASE: &str = "import";

/// How long the lease outlives a holder on another host that died. One on the same host is found
/// dead at once.
const LASTS: Duration = Duration::from_secs(120);

/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

/// Why the import cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ExclusiveError {
    /// Another one is running.
    #[error("another import is running: {holder}, since {since}; wait until it is finished")]
    Busy {
        /// The process that runs it.
        holder: String,
        /// Since when, in the site's time zone.
        since: String,
    },
    /// The lease could not be taken.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The right to import. It is renewed until it is released or dropped.
pub struct Exclusive {
    database: Database,
    holder: String,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

impl Exclusive {
    /// Takes the right, or says who has it.
    pub async fn take(app: &App) -> Result<Self, ExclusiveError> {
        let holder = Process::this().to_string();
        let taken = app.database.take_lease(LEASE, &holder, LASTS, app.clock.now(), Process::is_gone).await?;
        if let Err(other) = taken {
            let since = other.since.to_zoned(app.settings.site.time_zone.clone());
            let since = since.strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
            let holder =
                Process::parse(&other.holder).map_or(other.holder.clone(), |process| process.in_words());
            return Err(ExclusiveError::Busy { holder, since });
        }
        let lost = Arc::new(AtomicBool::new(false));
        let renewal =
            tokio::spawn(renew(app.database.clone(), app.clock.clone(), holder.clone(), Arc::clone(&lost)));
        Ok(Self { database: app.database.clone(), holder, lost, renewal })
    }

    /// Whether another import has taken the right over, so that this one has to stop.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Gives the right back.
    pub async fn release(self) -> Result<(), DatabaseError> {
        self.database.release_lease(LEASE, &self.holder).await
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(database: Database, clock: Clock, holder: String, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match database.renew_lease(LEASE, &holder, LASTS, clock.now()).await {
            Ok(true) => {}
            Ok(false) => return lost.store(true, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "could not renew the right to import"),
        }
    }
}

/// A process that can be told from another one of the same number.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    host: String,
    /// The kernel's id of the host's current boot.
    boot: String,
    /// The kernel's name of the namespace that the number counts in: containers may share a host's
    /// name and boot.
    namespace: String,
    pid: u32,
    /// When the process was started, in the kernel's clock ticks since boot (proc_pid_stat(5)).
    start: u64,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {} {}", self.host, self.boot, self.namespace, self.pid, self.start)
    }
}

impl Process {
    fn this() -> Self {
        let pid = std::process::id();
        let read = |file| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: std::fs::read_link("/proc/self/ns/pid")
                .map(|link| link.display().to_string())
                .unwrap_or_default(),
            pid,
            start: start_of(pid).unwrap_or(0),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let process = Self {
            host: words.next()?.to_owned(),
            boot: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            start: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(process)
    }

    /// Whether a holder cannot be running any more. One on another host may be.
    fn is_gone(holder: &str) -> bool {
        let (Some(other), this) = (Self::parse(holder), Self::this()) else { return false };
        if other.host != this.host {
            return false;
        }
        if other.boot != this.boot {
            return true;
        }
        other.namespace == this.namespace && start_of(other.pid) != Some(other.start)
    }

    fn in_words(&self) -> String {
        format!("process {} on {}", self.pid, self.host)
    }
}

/// When a process of this host was started; none where there is no such process.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything; the start time
    // is the 22nd field.
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_is_not_gone_and_a_dead_one_is() {
        let this = Process::this();
        assert_eq!(Process::parse(&this.to_string()), Some(Process::this()));
        assert!(!Process::is_gone(&this.to_string()));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start = start_of(child.id()).unwrap();
        let other = Process { pid: child.id(), start, ..Process::this() };
        assert!(!Process::is_gone(&other.to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Process::is_gone(&other.to_string()));
        let rebooted = Process { boot: "before".to_owned(), ..Process::this() };
        assert!(Process::is_gone(&rebooted.to_string()));
        let elsewhere = Process { host: "elsewhere".to_owned(), pid: other.pid, ..Process::this() };
        assert!(!Process::is_gone(&elsewhere.to_string()));
    }
}

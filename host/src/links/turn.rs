//! Turns to register a user with the setpass of another machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::LinkError;
use crate::database::{DatabaseError, Transaction, has_lease_in};
use crate::process::Process;
use crate::random;

/// What stands between the process that has a turn and what tells this turn from its others.
const NONCE: char = '#';

/// The right to register a user, while nobody else does. Clones are the same turn.
#[derive(Clone)]
pub struct Turn {
    /// None where there are no turns.
    pub(super) lease: Option<Arc<Lease>>,
    pub(super) is_in_doubt: bool,
}

/// What stands in the database for a turn.
pub(super) struct Lease {
    pub(super) name: String,
    /// The process and a nonce: one process may have several turns, the earlier of which are lost.
    pub(super) holder: String,
    pub(super) is_lost: AtomicBool,
    /// Whether the user may have been registered after the turn was lost.
    pub(super) is_too_late: AtomicBool,
}

impl Turn {
    /// For what leads to no link, or to one from here.
    #[must_use]
    pub fn not_needed() -> Self {
        Self { lease: None, is_in_doubt: false }
    }

    /// Whether this process has registered the user before when it was not its turn any more: then nobody can tell which
    /// link works, the one that another process has mailed or none that was mailed, and another is needed.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    pub(super) async fn is_held_in(&self, tx: &mut Transaction) -> Result<bool, DatabaseError> {
        match &self.lease {
            Some(lease) => has_lease_in(tx, &lease.name, &lease.holder).await,
            None => Ok(false),
        }
    }

    pub(super) fn lost(&self) -> LinkError {
        if let Some(lease) = &self.lease {
            lease.is_lost.store(true, Ordering::Relaxed);
        }
        LinkError::TurnLost
    }

    pub(super) fn lost_too_late(&self) -> LinkError {
        if let Some(lease) = &self.lease {
            lease.is_too_late.store(true, Ordering::Relaxed);
        }
        self.lost()
    }
}

impl Lease {
    /// One more turn of this process, which the lease of that name gives it.
    pub(super) fn of(name: String, holder: String) -> Self {
        Self { name, holder, is_lost: AtomicBool::new(false), is_too_late: AtomicBool::new(false) }
    }
}

/// What this process is called among the holders of turns, for one of them.
pub(super) fn holder() -> String {
    format!("{}{NONCE}{}", Process::this(), random::identifier())
}

/// The process that has a turn.
pub(super) fn process_of(holder: &str) -> &str {
    holder.split(NONCE).next().unwrap_or(holder)
}

/// Whether the holder of a turn is known to be dead.
pub(super) fn is_gone(holder: &str) -> bool {
    Process::is_gone(process_of(holder))
}

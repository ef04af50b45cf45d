//! Whether a user could set a password now, for what sends users to one of several servers. Where the pages are on another
//! machine, no user comes here: there, it is whether Usher's records can be written and its secrets read, without
//! which no mail goes out and no job is done. Keystone is not asked there, as jobs wait for it by themselves.
//!
//! What was found out is remembered for some seconds: probes, and strangers who ask all the time, load no service.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use utoipa::ToSchema;

use crate::clock::Clock;
use crate::database::Database;
use crate::keys::Keys;
use crate::keystone::Keystone;

/// How long what was found out holds.
pub const REMEMBERED: SignedDuration = SignedDuration::from_secs(5);

/// How long each part may take to answer. Probes give up after some seconds themselves.
const PATIENCE: Duration = Duration::from_secs(3);

/// Finds out whether a user could set a password. Clones share what was found out.
#[derive(Clone)]
pub struct Readiness {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    keys: Keys,
    /// None where no user sets a password here.
    keystone: Option<Keystone>,
    clock: Clock,
    stopping: watch::Receiver<bool>,
    found: Mutex<Option<(Timestamp, Parts)>>,
}

/// Whether the server is ready.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct State {
    /// Whether a user could set a password now; where the pages are on another machine, whether this one can work.
    pub ready: bool,
    /// Whether the server is about to end, and takes no more users for that.
    pub stopping: bool,
    /// What it needs.
    #[schema(inline)]
    pub parts: Parts,
}

/// What is needed for that, each `ok` or in words what is wrong with it. The log tells more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Parts {
    /// Usher's own records.
    pub database: &'static str,
    /// The key file.
    pub keys: &'static str,
    /// The identity service; left out where the pages are on another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub keystone: Option<&'static str>,
}

const OK: &str = "ok";

/// What is said of each part where the program is ending.
const UNKNOWN: &str = "unknown";

impl Readiness {
    /// The readiness of a server that uses these, until it is about to stop; without Keystone where no user sets a
    /// password here.
    #[must_use]
    pub fn new(
        database: Database,
        keys: Keys,
        keystone: Option<Keystone>,
        clock: Clock,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let found = Mutex::new(None);
        Self { inner: Arc::new(Inner { database, keys, keystone, clock, stopping, found }) }
    }

    /// What was found out some seconds ago at most.
    ///
    /// Finding it out goes on where who asked hangs up: asking and hanging up does not begin it anew each time.
    pub async fn state(&self) -> State {
        let looking = self.clone();
        tokio::spawn(async move { looking.look().await }).await.unwrap_or_else(|_| {
            let keystone = self.inner.keystone.as_ref().map(|_| UNKNOWN);
            let parts = Parts { database: UNKNOWN, keys: UNKNOWN, keystone };
            State { ready: false, stopping: *self.inner.stopping.borrow(), parts }
        })
    }

    async fn look(&self) -> State {
        let inner = &self.inner;
        let stopping = *inner.stopping.borrow();
        // Held while the parts are asked: who comes meanwhile waits for the same answer.
        let mut found = inner.found.lock().await;
        let now = inner.clock.now();
        let parts = match *found {
            Some((at, parts)) if now.duration_since(at).abs() <= REMEMBERED => parts,
            _ => {
                let before = found.map(|(_, parts)| parts);
                let parts = inner.find_out(before).await;
                *found = Some((now, parts));
                parts
            }
        };
        let Parts { database, keys, keystone } = parts;
        let ready = !stopping && [database, keys, keystone.unwrap_or(OK)] == [OK; 3];
        State { ready, stopping, parts }
    }
}

impl Inner {
    /// Asks each part. Logs what is wrong, once for each time that it goes wrong.
    async fn find_out(&self, before: Option<Parts>) -> Parts {
        let was_ok = |part: fn(&Parts) -> &'static str| before.is_none_or(|before| part(&before) == OK);
        let reach = async {
            match &self.keystone {
                Some(keystone) => keystone.reach().await,
                None => Ok(()),
            }
        };
        let (written, reached) = tokio::join!(
            tokio::time::timeout(PATIENCE, self.database.try_to_write()),
            tokio::time::timeout(PATIENCE, reach),
        );
        let database = match written {
            Ok(Ok(())) => OK,
            Ok(Err(error)) => {
                if was_ok(|parts| parts.database) {
                    tracing::error!(%error, "not ready: the database cannot be written");
                }
                "cannot be written"
            }
            // Somebody else is writing for long, which ends.
            Err(_) => "busy",
        };
        let keys = match self.keys.check() {
            Ok(()) => OK,
            Err(error) => {
                if was_ok(|parts| parts.keys) {
                    tracing::error!(%error, "not ready: the key file cannot be used");
                }
                "cannot be read"
            }
        };
        let keystone = match reached {
            Ok(Ok(())) => OK,
            Ok(Err(error)) => {
                if was_ok(|parts| parts.keystone.unwrap_or(OK)) {
                    tracing::error!(%error, "not ready: Keystone cannot be reached");
                }
                "cannot be reached"
            }
            Err(_) => "does not answer in time",
        };
        Parts { database, keys, keystone: self.keystone.as_ref().map(|_| keystone) }
    }
}

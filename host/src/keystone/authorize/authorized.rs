//! The callers' tokens that Keystone has said yes to, for a short time.
//!
//! Tokens themselves are not kept, only their hashes. There is no need for a slow hash: a token is random, or
//! encrypted, and too long to be guessed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::AUTHORIZED_FOR;
use crate::clock::Clock;
use crate::keystone::KeystoneError;
use crate::single_flight::SingleFlight;

/// How many tokens are remembered at most.
const MOST: usize = 1000;

/// About how many tokens Keystone is asked at the same time. Anybody can show tokens: those who do must not take up the
/// calls that changes of passwords wait for.
const AT_A_TIME: usize = 2;

/// SHA-256 of a token.
type TokenHash = [u8; 32];

/// For how long a token may be used, or that it may not be used.
type Answer = Result<Option<SignedDuration>, KeystoneError>;

/// An answer, and since when it holds: the moment of the question, as the answer may be old when it comes.
type Dated = (Timestamp, Answer);

/// Until when a yes counts, by our own clock: Keystone's may differ. One that has ended stays as long as there is room,
/// and tells whose tokens were good once.
#[derive(Debug, Default)]
struct Known(HashMap<TokenHash, Timestamp>);

/// The callers' tokens that Keystone has said yes to.
#[derive(Debug)]
pub(in crate::keystone) struct Authorized {
    clock: Clock,
    known: Mutex<Known>,
    /// What Keystone is being asked.
    asking: SingleFlight<TokenHash, Dated>,
    places: Arc<Semaphore>,
}

impl Authorized {
    pub(in crate::keystone) fn new(clock: Clock) -> Self {
        let (known, asking, places) =
            (Mutex::default(), SingleFlight::default(), Arc::new(Semaphore::new(AT_A_TIME)));
        Self { clock, known, asking, places }
    }

    /// Places for those that Keystone is asked about at the same time.
    pub(super) fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.places)
    }

    /// Whether the token may be used: as Keystone said before, or says now.
    pub(super) async fn ask_once<F>(
        &self,
        token: &SecretString,
        ask: impl FnOnce() -> F,
    ) -> Result<bool, KeystoneError>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let hash = hash(token);
        let now = self.clock.now();
        if self.known().0.get(&hash).is_some_and(|until| now < *until) {
            return Ok(true);
        }
        let (asked, lasts) = self.asking.run(hash, || ask().map(move |answer| (now, answer))).await;
        let mut known = self.known();
        let Some(lasts) = lasts? else {
            known.0.remove(&hash);
            return Ok(false);
        };
        known.remember(hash, asked.saturating_add(lasts.min(AUTHORIZED_FOR)).unwrap_or(asked), now);
        Ok(true)
    }

    /// Whether Keystone has said yes to the token, and not no since.
    pub(super) fn has_been_authorized(&self, token: &SecretString) -> bool {
        self.known().0.contains_key(&hash(token))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &SecretString) -> TokenHash {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

impl Known {
    fn remember(&mut self, hash: TokenHash, until: Timestamp, now: Timestamp) {
        if self.0.len() >= MOST {
            self.0.retain(|_, until| now < *until);
        }
        if self.0.len() >= MOST {
            let soonest = self.0.iter().min_by_key(|(_, until)| **until).map(|(hash, _)| *hash);
            soonest.map(|hash| self.0.remove(&hash));
        }
        self.0.insert(hash, until);
    }
}

//! The callers' tokens that Keystone has said yes to, for a short time.
//!
//! Tokens themselves are not kept, only their hashes. There is no need for a slow hash: a token is random, or
//! encrypted, and too long to be guessed.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::AUTHORIZED_FOR;
use crate::clock::Clock;
use crate::keystone::KeystoneError;

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

/// The callers' tokens that Keystone has said yes to.
#[derive(Debug)]
pub(in crate::keystone) struct Authorized {
    clock: Clock,
    state: Mutex<State>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    /// Until when a yes counts, by our own clock: Keystone's may differ. One that has ended stays as long as there is
    /// room, and tells whose tokens were good once.
    until: HashMap<TokenHash, Timestamp>,
    /// What Keystone is being asked, by those who wait for the answer. Gone when nobody waits any more.
    asking: HashMap<TokenHash, WeakShared<BoxFuture<'static, Dated>>>,
}

impl Authorized {
    pub(in crate::keystone) fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default(), places: Arc::new(Semaphore::new(AT_A_TIME)) }
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
        let answer = {
            let mut state = self.state();
            if state.until.get(&hash).is_some_and(|until| now < *until) {
                return Ok(true);
            }
            state.shared(hash, now, ask)
        };
        let (asked, lasts) = answer.await;
        let mut state = self.state();
        if state.asking.get(&hash).is_some_and(|asking| asking.upgrade().is_none_or(|it| it.peek().is_some()))
        {
            state.asking.remove(&hash);
        }
        let Some(lasts) = lasts? else {
            state.until.remove(&hash);
            return Ok(false);
        };
        let until = asked.saturating_add(lasts.min(AUTHORIZED_FOR)).unwrap_or(asked);
        state.remember(hash, until, now);
        Ok(true)
    }

    /// Whether Keystone has said yes to the token, and not no since.
    pub(super) fn has_been_authorized(&self, token: &SecretString) -> bool {
        self.state().until.contains_key(&hash(token))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &SecretString) -> TokenHash {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

impl State {
    /// The question that is being asked already, or a new one.
    fn shared<F>(
        &mut self,
        hash: TokenHash,
        now: Timestamp,
        ask: impl FnOnce() -> F,
    ) -> Shared<BoxFuture<'static, Dated>>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let under_way = self.asking.get(&hash).and_then(WeakShared::upgrade);
        // One that is answered already was asked before this caller came.
        if let Some(under_way) = under_way.filter(|question| question.peek().is_none()) {
            return under_way;
        }
        let question = ask().map(move |answer| (now, answer)).boxed().shared();
        self.asking.retain(|_, asking| asking.upgrade().is_some());
        if let Some(weak) = question.downgrade() {
            self.asking.insert(hash, weak);
        }
        question
    }

    fn remember(&mut self, hash: TokenHash, until: Timestamp, now: Timestamp) {
        if self.until.len() >= MOST {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= MOST {
            let soonest = self.until.iter().min_by_key(|(_, until)| **until).map(|(hash, _)| *hash);
            soonest.map(|hash| self.until.remove(&hash));
        }
        self.until.insert(hash, until);
    }
}

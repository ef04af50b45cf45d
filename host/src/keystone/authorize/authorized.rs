//! The callers' tokens that Keystone has said yes to, for a short time.
//!
//! Tokens themselves are not kept, only their hashes. There is no need for a slow hash: a token is random, or
//! encrypted, and too long to be guessed.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::AUTHORIZED_FOR;
use crate::clock::Clock;
use crate::keystone::KeystoneError;

/// How many tokens are remembered at most.
const MOST: usize = 1000;

/// SHA-256 of a token.
type TokenHash = [u8; 32];

/// For how long a token may be used, or that it may not be used.
type Answer = Result<Option<SignedDuration>, KeystoneError>;

/// The callers' tokens that Keystone has said yes to.
#[derive(Debug)]
pub(in crate::keystone) struct Authorized {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Until when a yes counts, by our own clock: Keystone's may differ.
    until: HashMap<TokenHash, Timestamp>,
    /// What Keystone is being asked, by those who wait for the answer. Gone when nobody waits any more.
    asking: HashMap<TokenHash, WeakShared<BoxFuture<'static, Answer>>>,
}

impl Authorized {
    pub(in crate::keystone) fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
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
        let hash: TokenHash = Sha256::digest(token.expose_secret().as_bytes()).into();
        // The time before the question: the answer may be old when it comes.
        let now = self.clock.now();
        let answer = {
            let mut state = self.state();
            if state.until.get(&hash).is_some_and(|until| now < *until) {
                return Ok(true);
            }
            state.shared(hash, ask)
        };
        let lasts = answer.await;
        let mut state = self.state();
        if state.asking.get(&hash).is_some_and(|asking| asking.upgrade().is_none_or(|it| it.peek().is_some()))
        {
            state.asking.remove(&hash);
        }
        let Some(lasts) = lasts? else { return Ok(false) };
        let until = now.saturating_add(lasts.min(AUTHORIZED_FOR)).unwrap_or(now);
        state.remember(hash, until, now);
        Ok(true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The question that is being asked already, or a new one.
    fn shared<F>(&mut self, hash: TokenHash, ask: impl FnOnce() -> F) -> Shared<BoxFuture<'static, Answer>>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let under_way = self.asking.get(&hash).and_then(WeakShared::upgrade);
        // One that is answered already was asked before this caller came.
        if let Some(under_way) = under_way.filter(|question| question.peek().is_none()) {
            return under_way;
        }
        let question = ask().boxed().shared();
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

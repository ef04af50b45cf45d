//! How many calls are made at the same time: more while the services keep up, half as many when they do not.
//!
//! One more after each round of calls that went well, half after a sign of overload (429, 5xx, no answer in
//! time, or answers that take several times as long as the same call took before). Knows nothing of what
//! the calls are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many calls are made at the same time before anything is known of the services.
const START: usize = 4;

/// Answers are slow that take this many times as long as the same call took at best,
const SLOW_FACTOR: u32 = 3;

/// and this much longer: what is quick enough is not overload.
const SLOW_AT_LEAST: Duration = Duration::from_millis(100);

/// The part of a new measurement in the mean, as its reciprocal.
const SMOOTHING: u32 = 8;

/// Kinds of calls that are remembered. There are about twenty; the bound is for paths that nobody foresaw.
const KINDS: usize = 256;

/// The limit. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct CallLimit {
    places: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    most: usize,
    limit: usize,
    /// Places that are given up as soon as their calls have ended.
    surplus: usize,
    /// Calls that are being made.
    running: usize,
    /// Calls that have ended in this round, which is as long as the limit is high.
    ended: usize,
    /// Whether all places were taken at some moment of this round: else a higher limit would say nothing.
    was_full: bool,
    /// Number of the next call. What began before the limit was halved says nothing about the new one.
    next: u64,
    halved_at: u64,
    /// How long each kind of call takes.
    latencies: HashMap<String, Latency>,
}

#[derive(Clone, Copy, Debug)]
struct Latency {
    mean: Duration,
    best: Duration,
}

/// The right to make one call.
pub(crate) struct Place {
    limit: CallLimit,
    permit: Option<OwnedSemaphorePermit>,
    number: u64,
    begun: Instant,
}

/// What a call says of the service's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The service answered.
    Answered,
    /// The service said that it has too much to do, failed, or did not answer in time.
    Overload,
    /// Nothing: the service was not reached, or not waited for.
    None,
}

impl CallLimit {
    /// At most `most` calls at a time, and at least one.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        let limit = START.min(most);
        let state = State {
            most,
            limit,
            surplus: 0,
            running: 0,
            ended: 0,
            was_full: false,
            next: 0,
            halved_at: 0,
            latencies: HashMap::new(),
        };
        Self { places: Arc::new(Semaphore::new(limit)), state: Arc::new(Mutex::new(state)) }
    }

    /// How many calls may be made at the same time now.
    pub(crate) fn current(&self) -> usize {
        self.state().limit
    }

    /// How many at most.
    pub(crate) fn most(&self) -> usize {
        self.state().most
    }

    /// Waits for the right to make a call. Who comes first gets it first.
    pub(crate) async fn place(&self) -> Place {
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.running += 1;
        state.was_full |= state.running >= state.limit;
        drop(state);
        Place { limit: self.clone(), permit, number, begun: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Gives the place back and learns from what the call of this `kind` said.
    pub(crate) fn ended(self, kind: &str, sign: Sign) {
        let took = self.begun.elapsed();
        let mut state = self.limit.state();
        if state.learn(self.number, kind, sign, took) {
            self.limit.places.add_permits(1);
        }
        // Of the places that are too many, those go at once that nobody has.
        let idle = self.limit.places.forget_permits(state.surplus);
        state.surplus -= idle;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.limit.state();
        state.running -= 1;
        // The call was given up, or it ended; the place is free for the next one unless there are too many.
        if state.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            state.surplus -= 1;
        }
    }
}

impl State {
    /// Takes a call into account. Answers whether there is one more place now.
    fn learn(&mut self, number: u64, kind: &str, sign: Sign, took: Duration) -> bool {
        let overload = match sign {
            Sign::None => return false,
            Sign::Overload => true,
            Sign::Answered => self.is_slow(kind, took),
        };
        if overload {
            if number >= self.halved_at {
                self.halve();
            }
            return false;
        }
        self.ended += 1;
        if self.ended < self.limit {
            return false;
        }
        let grows = self.was_full && self.limit < self.most;
        self.ended = 0;
        self.was_full = self.running >= self.limit;
        if !grows {
            return false;
        }
        self.limit += 1;
        if self.surplus > 0 {
            self.surplus -= 1;
            return false;
        }
        true
    }

    fn halve(&mut self) {
        let halved = (self.limit / 2).max(1);
        self.surplus += self.limit - halved;
        self.limit = halved;
        self.ended = 0;
        self.was_full = false;
        self.halved_at = self.next;
        tracing::debug!(limit = halved, "the services have too much to do: fewer calls at a time");
    }

    fn is_slow(&mut self, kind: &str, took: Duration) -> bool {
        if let Some(latency) = self.latencies.get_mut(kind) {
            return latency.add(took);
        }
        if self.latencies.len() < KINDS {
            self.latencies.insert(kind.to_owned(), Latency { mean: took, best: took });
        }
        false
    }
}

impl Latency {
    /// Answers whether such calls have become slow.
    fn add(&mut self, took: Duration) -> bool {
        self.mean = self.mean - self.mean / SMOOTHING + took / SMOOTHING;
        // Slowly forgets, so that a service that has become slower for good is not taken for overloaded for ever.
        self.best = (self.best + self.best / 256).min(self.mean);
        let slow = (self.best * SLOW_FACTOR).max(self.best + SLOW_AT_LEAST);
        if self.mean <= slow {
            return false;
        }
        // The next halving needs as much proof again.
        self.mean = slow;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(20);

    /// Makes `calls` calls, as many at a time as the limit allows, which all give this sign after this time.
    fn make(limit: &CallLimit, calls: usize, sign: Sign, took: Duration) {
        let mut state = limit.state();
        for _ in 0..calls {
            let number = state.next;
            state.next += 1;
            state.was_full = true;
            state.running = state.limit;
            state.learn(number, "GET /users", sign, took);
        }
    }

    #[test]
    fn the_limit_grows_by_one_a_round_up_to_the_most() {
        let limit = CallLimit::new(6);
        make(&limit, 4, Sign::Answered, QUICK);
        assert_eq!(limit.current(), 5);
        make(&limit, 4, Sign::Answered, QUICK);
        assert_eq!(limit.current(), 5);
        make(&limit, 100, Sign::Answered, QUICK);
        assert_eq!(limit.current(), 6);
    }

    #[test]
    fn the_limit_does_not_grow_where_fewer_calls_are_made_than_it_allows() {
        let limit = CallLimit::new(16);
        for _ in 0..100 {
            limit.state().learn(0, "GET /users", Sign::Answered, QUICK);
        }
        assert_eq!(limit.current(), 4);
    }

    #[test]
    fn overload_halves_the_limit_once_for_all_calls_that_were_under_way() {
        let limit = CallLimit::new(16);
        make(&limit, 500, Sign::Answered, QUICK);
        assert_eq!(limit.current(), 16);
        let under_way = limit.state().next;
        limit.state().next += 16;
        for number in under_way..under_way + 16 {
            limit.state().learn(number, "GET /users", Sign::Overload, QUICK);
        }
        assert_eq!(limit.current(), 8);
        make(&limit, 20, Sign::Overload, QUICK);
        assert_eq!(limit.current(), 1);
    }

    #[test]
    fn answers_that_have_become_slow_halve_the_limit_and_quick_ones_do_not() {
        let limit = CallLimit::new(8);
        make(&limit, 200, Sign::Answered, QUICK);
        make(&limit, 20, Sign::Answered, QUICK * 3);
        assert_eq!(limit.current(), 8, "60 ms is no overload");
        make(&limit, 8, Sign::Answered, QUICK * 20);
        assert!(limit.current() < 8);
    }

    #[test]
    fn kinds_of_calls_are_not_compared_with_each_other() {
        let limit = CallLimit::new(8);
        make(&limit, 200, Sign::Answered, QUICK);
        let number = limit.state().next;
        for _ in 0..50 {
            limit.state().learn(number, "POST /users", Sign::Answered, QUICK * 30);
        }
        assert_eq!(limit.current(), 8);
    }

    #[tokio::test]
    async fn as_many_calls_run_as_the_limit_allows_also_after_it_was_halved_and_has_grown() {
        let limit = CallLimit::new(4);
        let mut running = Vec::new();
        for _ in 0..4 {
            running.push(limit.place().await);
        }
        assert_eq!(limit.places.available_permits(), 0);
        running.pop().unwrap().ended("GET /users", Sign::Overload);
        // Two of the four places are too many now; the first one that ends is not given out again.
        assert_eq!((limit.current(), limit.places.available_permits()), (2, 0));
        running.pop().unwrap().ended("GET /users", Sign::None);
        assert_eq!(limit.places.available_permits(), 0);
        running.clear();
        assert_eq!(limit.places.available_permits(), 2);
        for _ in 0..20 {
            let mut full = Vec::new();
            for _ in 0..limit.current() {
                full.push(limit.place().await);
            }
            full.into_iter().for_each(|place| place.ended("GET /users", Sign::Answered));
        }
        assert_eq!((limit.current(), limit.places.available_permits()), (4, 4));
        drop(limit.place().await);
        assert_eq!(limit.places.available_permits(), 4, "a call that is given up frees its place");
        limit.place().await.ended("GET /users", Sign::Overload);
        assert_eq!((limit.current(), limit.places.available_permits()), (2, 2), "idle places go at once");
    }
}

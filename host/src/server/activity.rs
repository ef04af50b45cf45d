//! What goes on in one connection, and until when it may go on like this.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The slowest at which an answer is taken, in bytes a second, once the time that each client has is used up.
const SLOWEST: u64 = 4096;

/// How much longer a client may take for an answer of so many bytes.
pub(super) fn time_for(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST)
}

/// What goes on in one connection. Clones share it.
#[derive(Clone)]
pub(super) struct Activity {
    state: Arc<Mutex<State>>,
    client_timeout: Duration,
}

struct State {
    next: u64,
    /// The requests under way, by their numbers: one, where it is not HTTP/2.
    requests: Vec<(u64, Stage)>,
    /// Whether the client has to take something before more can be sent.
    is_full: bool,
    idle_since: Instant,
}

/// How far a request is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Its body is awaited since then.
    Receiving(Instant),
    /// It is worked on.
    Working,
    /// It is answered; the answer has to be taken by then.
    Answered(Instant),
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before this moment.
    GoOn(Instant),
    /// Nothing has gone on for as long as that may be.
    Idle,
    /// The client does not take its answer.
    Stuck,
}

/// A request that is under way for as long as this lives.
pub(super) struct UnderWay {
    activity: Activity,
    number: u64,
}

impl Activity {
    pub(super) fn new(client_timeout: Duration) -> Self {
        let state = State { next: 0, requests: Vec::new(), is_full: false, idle_since: Instant::now() };
        Self { state: Arc::new(Mutex::new(state)), client_timeout }
    }

    /// A request begins.
    pub(super) fn begin(&self) -> UnderWay {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.requests.push((number, Stage::Receiving(Instant::now())));
        UnderWay { activity: self.clone(), number }
    }

    /// The body of a request has been received.
    pub(super) fn received(&self, number: u64) {
        if let Some(stage @ Stage::Receiving(_)) = self.state().stage(number) {
            *stage = Stage::Working;
        }
    }

    /// Whether the client has to take something before more can be sent.
    pub(super) fn set_full(&self, is_full: bool) {
        let mut state = self.state();
        if state.is_full && !is_full {
            state.idle_since = Instant::now();
        }
        state.is_full = is_full;
    }

    /// Since when nothing has been going on, where nothing is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.requests.is_empty() && !state.is_full).then_some(state.idle_since)
    }

    /// Since when nothing has been done for the client, where nothing is: between requests, and while all that it has
    /// begun wait for its bodies. Who sends a byte now and then takes no place from others that way.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        if state.is_full {
            return None;
        }
        let since = |stage: &Stage| match stage {
            Stage::Receiving(since) => Some(*since),
            Stage::Working | Stage::Answered(_) => None,
        };
        let since: Option<Vec<Instant>> = state.requests.iter().map(|(_, stage)| since(stage)).collect();
        since.map(|since| since.into_iter().min().unwrap_or(state.idle_since))
    }

    /// What is to become of the connection at a moment, where it may be idle for so long.
    pub(super) fn verdict(&self, now: Instant, longest_idle: Duration) -> Verdict {
        if let Some(since) = self.idle_since() {
            let end = since + longest_idle;
            return if end <= now { Verdict::Idle } else { Verdict::GoOn(end) };
        }
        let end = |stage: &Stage| match stage {
            Stage::Answered(end) => Some(*end),
            Stage::Receiving(_) | Stage::Working => None,
        };
        match self.state().requests.iter().filter_map(|(_, stage)| end(stage)).min() {
            Some(end) if end <= now => Verdict::Stuck,
            Some(end) => Verdict::GoOn(end.min(now + longest_idle)),
            None => Verdict::GoOn(now + longest_idle),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stage(&mut self, number: u64) -> Option<&mut Stage> {
        self.requests.iter_mut().find(|(own, _)| *own == number).map(|(_, stage)| stage)
    }
}

impl UnderWay {
    /// The body has been received, or there is none.
    pub(super) fn received(&self) {
        self.activity.received(self.number);
    }

    /// The number of the request, for [`Activity::received`].
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The answer, which may have so many bytes, is ready to be taken.
    pub(super) fn answered(&self, bytes: u64) {
        let end = Instant::now() + self.activity.client_timeout + time_for(bytes);
        if let Some(stage) = self.activity.state().stage(self.number) {
            *stage = Stage::Answered(end);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests.retain(|(number, _)| *number != self.number);
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_connection_is_idle_only_while_nothing_goes_on_in_it() {
        let activity = Activity::new(10 * SECOND);
        let start = activity.idle_since().unwrap();
        assert_eq!(activity.verdict(start, 5 * SECOND), Verdict::GoOn(start + 5 * SECOND));
        assert_eq!(activity.verdict(start + 5 * SECOND, 5 * SECOND), Verdict::Idle);

        let request = activity.begin();
        let later = start + 100 * SECOND;
        assert_eq!(activity.idle_since(), None);
        assert_eq!(activity.verdict(later, 5 * SECOND), Verdict::GoOn(later + 5 * SECOND), "it is worked on");
        drop(request);
        let since = activity.idle_since().unwrap();
        assert!(since > start);

        activity.set_full(true);
        assert_eq!(activity.idle_since(), None);
        activity.set_full(false);
        assert!(activity.idle_since().unwrap() > since);
    }

    #[test]
    fn a_connection_makes_room_while_it_only_waits_for_its_client() {
        let activity = Activity::new(10 * SECOND);
        assert_eq!(activity.waiting_since(), activity.idle_since());
        let (first, second) = (activity.begin(), activity.begin());
        assert!(activity.waiting_since().is_some(), "both bodies are awaited");
        second.received();
        assert_eq!(activity.waiting_since(), None, "one is worked on");
        second.answered(0);
        assert_eq!(activity.waiting_since(), None, "its answer is being taken");
        drop(second);
        let since = activity.waiting_since().unwrap();
        assert!(since <= activity.state().idle_since, "since the first began, whatever came meanwhile");
        activity.received(first.number());
        assert_eq!(activity.waiting_since(), None);
    }

    #[test]
    fn a_long_answer_has_more_time_to_be_taken() {
        let activity = Activity::new(10 * SECOND);
        let (short, long) = (activity.begin(), activity.begin());
        short.answered(0);
        long.answered(10 * SLOWEST);
        let at = |seconds: u32| activity.verdict(Instant::now() + seconds * SECOND, 60 * SECOND);
        assert!(matches!(at(9), Verdict::GoOn(_)));
        assert_eq!(at(11), Verdict::Stuck);
        drop(short);
        assert!(matches!(at(19), Verdict::GoOn(_)));
        assert_eq!(at(21), Verdict::Stuck);
    }
}

//! The connections that are open, so that one can be ended for another.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::activity::Activity;

/// The connections that are open. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Registry {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    open: HashMap<u64, Open>,
}

struct Open {
    /// Whose connection it is, where connections of one client are counted.
    client: Option<IpAddr>,
    /// None until there is somebody whose activity could be looked at.
    activity: Option<Activity>,
    end: Arc<Notify>,
}

/// The entry of a connection, for as long as this lives.
pub(super) struct Entry {
    registry: Registry,
    number: u64,
    end: Arc<Notify>,
}

impl Registry {
    /// Enters a connection of a client, who may have so many. Where it has, its longest idle one ends for this; none
    /// where something is done in all of them.
    pub(super) fn enter(&self, client: Option<IpAddr>, most: usize) -> Option<Entry> {
        let mut state = self.state();
        if let Some(client) = client {
            let is_own = |open: &Open| open.client == Some(client);
            let own = state.open.values().filter(|open| is_own(open)).count();
            if own >= most && !state.end_longest_idle(is_own) {
                return None;
            }
        }
        let (number, end) = (state.next, Arc::new(Notify::new()));
        state.next += 1;
        state.open.insert(number, Open { client, activity: None, end: Arc::clone(&end) });
        Some(Entry { registry: self.clone(), number, end })
    }

    /// Has the connection end that has been waiting for its client the longest, unless all are at work.
    pub(super) fn end_longest_idle(&self) {
        self.state().end_longest_idle(|_| true);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Has one of these connections end, the one that has been waiting for its client the longest. False where all
    /// are at work.
    fn end_longest_idle(&mut self, of: impl Fn(&Open) -> bool) -> bool {
        let idle = self.open.iter().filter(|(_, open)| of(open)).filter_map(|(number, open)| {
            open.activity.as_ref()?.waiting_since().map(|since| (since, *number))
        });
        let Some((_, number)) = idle.min() else { return false };
        // Taken out at once, so that the next who comes does not choose the same one.
        if let Some(open) = self.open.remove(&number) {
            open.end.notify_one();
        }
        true
    }
}

impl Entry {
    /// Says what to look at to tell whether the connection is idle.
    pub(super) fn watch(&self, activity: &Activity) {
        if let Some(open) = self.registry.state().open.get_mut(&self.number) {
            open.activity = Some(activity.clone());
        }
    }

    /// Returns when the connection is to end for another one.
    pub(super) async fn is_ended(&self) {
        self.end.notified().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.state().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_longest_idle_connection_is_ended_and_none_that_is_at_work() {
        let registry = Registry::default();
        let mut connections = Vec::new();
        for _ in 0..3 {
            let (entry, activity) =
                (registry.enter(None, 0).unwrap(), Activity::new(Duration::from_secs(10)));
            entry.watch(&activity);
            connections.push((entry, activity));
        }
        let ended = |number: usize| connections[number].0.is_ended().now_or_never().is_some();
        let request = connections[0].1.begin();
        request.received();
        registry.end_longest_idle();
        assert!(!ended(0) && ended(1) && !ended(2));
        registry.end_longest_idle();
        assert!(!ended(0) && ended(2));
        registry.end_longest_idle();
        assert!(!ended(0));
    }

    #[test]
    fn who_has_asked_for_something_of_late_is_not_idle_for_long_however_early_the_connection_came() {
        let registry = Registry::default();
        let enter = || {
            let (entry, activity) =
                (registry.enter(None, 0).unwrap(), Activity::new(Duration::from_secs(10)));
            entry.watch(&activity);
            (entry, activity)
        };
        let connections: Vec<_> = (0..3).map(|_| enter()).collect();
        drop(connections[0].1.begin());
        drop(connections[1].1.begin());
        for expected in [2, 0, 1] {
            registry.end_longest_idle();
            let ended = |(entry, _): &(Entry, Activity)| entry.is_ended().now_or_never().is_some();
            let ended: Vec<_> = (0..3).filter(|number| ended(&connections[*number])).collect();
            assert_eq!(ended, [expected]);
        }
    }

    #[test]
    fn a_client_with_its_share_loses_its_longest_idle_connection_and_gets_none_where_all_are_at_work() {
        let registry = Registry::default();
        let client = |text: &str| Some(text.parse().unwrap());
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let enter = |client| {
            let activity = Activity::new(Duration::from_secs(10));
            registry.enter(client, 2).inspect(|entry| entry.watch(&activity)).map(|entry| (entry, activity))
        };
        let ended = |(entry, _): &(Entry, Activity)| entry.is_ended().now_or_never().is_some();
        let (first, second, of_other) = (enter(one).unwrap(), enter(one).unwrap(), enter(other).unwrap());
        let third = enter(one).unwrap();
        assert!(ended(&first) && !ended(&second) && !ended(&of_other));
        let requests = [second.1.begin(), third.1.begin()];
        for request in &requests {
            request.received();
        }
        assert!(enter(one).is_none() && enter(other).is_some());
        let not_counted: Vec<_> = (0..9).map(|_| enter(None)).collect();
        assert!(not_counted.iter().all(Option::is_some));
        drop(requests);
        assert!(enter(one).is_some());
        assert!(ended(&second) && !ended(&third) && !ended(&of_other), "idle ones of others stay");
    }
}

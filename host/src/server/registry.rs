//! The connections that are open, so that one can be ended for another.

use std::collections::HashMap;
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
    /// Enters a connection.
    pub(super) fn enter(&self) -> Entry {
        let mut state = self.state();
        let (number, end) = (state.next, Arc::new(Notify::new()));
        state.next += 1;
        state.open.insert(number, Open { activity: None, end: Arc::clone(&end) });
        Entry { registry: self.clone(), number, end }
    }

    /// Has the connection end that has been idle the longest, unless all are at work.
    pub(super) fn end_longest_idle(&self) {
        let mut state = self.state();
        let idle = state
            .open
            .iter()
            .filter_map(|(number, open)| open.activity.as_ref()?.idle_since().map(|since| (since, *number)));
        let Some((_, number)) = idle.min() else { return };
        // Taken out at once, so that the next who comes does not choose the same one.
        if let Some(open) = state.open.remove(&number) {
            open.end.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            let (entry, activity) = (registry.enter(), Activity::new(Duration::from_secs(10)));
            entry.watch(&activity);
            connections.push((entry, activity));
        }
        let ended = |number: usize| connections[number].0.is_ended().now_or_never().is_some();
        let _request = connections[0].1.begin();
        registry.end_longest_idle();
        assert!(!ended(0) && ended(1) && !ended(2));
        registry.end_longest_idle();
        assert!(!ended(0) && ended(2));
        registry.end_longest_idle();
        assert!(!ended(0));
    }
}

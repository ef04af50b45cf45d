//! For how long others have shown no sign of life, as it is seen from here: by the time that passes here, so that no two
//! clocks are compared.

use std::collections::BTreeMap;
use std::time::Duration;

/// What was seen of others.
#[derive(Debug)]
pub(crate) struct Silence<K, S> {
    /// The last sign of each, and when it was seen first, in the clock's running time.
    others: BTreeMap<K, (S, Duration)>,
}

impl<K, S> Default for Silence<K, S> {
    fn default() -> Self {
        Self { others: BTreeMap::new() }
    }
}

impl<K: Ord, S: PartialEq> Silence<K, S> {
    /// For how long somebody has shown this sign to whoever looks here. It changes as long as somebody lives.
    pub(crate) fn of(&mut self, who: K, sign: S, ran: Duration) -> Duration {
        let since = match self.others.get(&who) {
            Some((last, since)) if *last == sign => *since,
            _ => ran,
        };
        self.others.insert(who, (sign, since));
        ran.saturating_sub(since)
    }

    /// Forgets the others.
    pub(crate) fn keep_only(&mut self, is_there: impl Fn(&K) -> bool) {
        self.others.retain(|who, _| is_there(who));
    }
}

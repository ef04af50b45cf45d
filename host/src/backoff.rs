//! Pauses between tries, each twice as long as the one before.

use jiff::SignedDuration;

/// How long to wait after failures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// After the first one.
    pub(crate) first: SignedDuration,
    /// At most.
    pub(crate) longest: SignedDuration,
}

impl Backoff {
    /// How long to wait after a failure, when there were `tries` before it.
    pub(crate) fn pause(&self, tries: u32) -> SignedDuration {
        self.first.checked_mul(1 << tries.min(16)).map_or(self.longest, |pause| pause.min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { first: SignedDuration::from_secs(15), longest: SignedDuration::from_mins(2) };
        let seconds = [0, 1, 2, 3, 4, 40, u32::MAX].map(|tries| backoff.pause(tries).as_secs());
        assert_eq!(seconds, [15, 30, 60, 120, 120, 120, 120]);
    }
}

//! Keeps calls within what Google allows one account in a minute, so that a busy site is slow for a moment
//! and not refused.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Reads, and writes, that an account may make in a minute ("Usage limits" of the Sheets API).
const CALLS: usize = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// The calls of the last minute.
#[derive(Debug, Default)]
pub(super) struct Pace {
    made: Mutex<VecDeque<Instant>>,
}

impl Pace {
    /// Waits until one more call may be made, and counts it.
    pub(super) async fn wait(&self) {
        // Whoever comes later waits behind the lock, so that calls go out in the order in which they came.
        let mut made = self.made.lock().await;
        if let Some(free) = free_from(&mut made) {
            tokio::time::sleep_until(free).await;
        }
        made.push_back(Instant::now());
    }
}

/// From when on one more call may be made; none where it may be at once.
fn free_from(made: &mut VecDeque<Instant>) -> Option<Instant> {
    if made.len() < CALLS { None } else { made.pop_front().map(|oldest| oldest + MINUTE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_beyond_the_limit_waits_for_the_minute_to_end() {
        let begin = Instant::now();
        let mut made = VecDeque::new();
        for second in 0..CALLS as u64 {
            assert_eq!(free_from(&mut made), None);
            made.push_back(begin + Duration::from_millis(second));
        }
        assert_eq!(free_from(&mut made), Some(begin + MINUTE));
        made.push_back(begin + MINUTE);
        assert_eq!(free_from(&mut made), Some(begin + MINUTE + Duration::from_millis(1)));
    }
}

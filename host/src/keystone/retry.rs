//! When a call that failed in passing is made again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// The first pause, which each further one doubles.
const FIRST: Duration = Duration::from_millis(250);

/// No pause is longer, unless the service asks for it.
const LONGEST: Duration = Duration::from_secs(8);

/// A service that asks for more patience than this is not waited for within a call.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before repetition `number`, counted from 0; none where the service asks for
/// more patience than a call has.
///
/// `jitter` spreads callers who failed together: 0 halves the pause, 255 keeps nearly all of it.
pub(crate) fn pause(number: u32, asked: Option<Duration>, jitter: u8) -> Option<Duration> {
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(number)).min(LONGEST);
    let spread = doubled.mul_f64(0.5 + f64::from(jitter) / 512.0);
    match asked {
        Some(asked) if asked > PATIENCE => None,
        Some(asked) => Some(asked.max(spread)),
        None => Some(spread),
    }
}

/// Reads a `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(header).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread() {
        assert_eq!(pause(0, None, 0), Some(Duration::from_millis(125)));
        assert_eq!(pause(2, None, 0), Some(Duration::from_millis(500)));
        assert_eq!(pause(40, None, 0), Some(Duration::from_secs(4)));
        assert!(pause(0, None, 255) > pause(0, None, 0));
        assert!(pause(40, None, 255).unwrap() < LONGEST);
    }

    #[test]
    fn what_the_service_asks_for_is_honoured_up_to_a_limit() {
        assert_eq!(pause(0, Some(Duration::from_secs(7)), 9), Some(Duration::from_secs(7)));
        assert_eq!(pause(0, Some(Duration::ZERO), 0), Some(Duration::from_millis(125)));
        assert_eq!(pause(0, Some(Duration::from_secs(61)), 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 12 ", now), Some(Duration::from_secs(12)));
        assert_eq!(retry_after("Sun, 22 Nov 2026 01:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 22 Nov 2026 00:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}

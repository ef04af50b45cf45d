//! Durations as people write them: `24h`, `30s`, `2 weeks` is refused, `14d` is two weeks.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Reads a positive duration such as `"90s"`, `"15m"`, `"24h"` or `"7d"`.
///
/// # Errors
/// Where the text is not one.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom("expected a duration: a whole number with ms, s, m, h or d, such as \"24h\"")
    })
}

/// Reads a duration that may be left out; needs `#[serde(default)]`.
///
/// # Errors
/// Where the text is not one.
pub fn deserialize_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    deserialize(deserializer).map(Some)
}

/// A duration as the settings write it.
#[must_use]
pub fn in_words(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if milliseconds >= unit && milliseconds.is_multiple_of(unit) {
            return format!("{}{name}", milliseconds / unit);
        }
    }
    format!("{milliseconds}ms")
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    match number.checked_mul(milliseconds)? {
        0 => None,
        total => Some(Duration::from_millis(total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        assert_eq!(parse("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        for text in ["250ms", "90s", "15m", "36h", "7d"] {
            assert_eq!(parse(text).map(in_words).as_deref(), Some(text));
        }
        assert_eq!(parse(" 7 d "), Some(Duration::from_secs(7 * 86_400)));
        for wrong in ["", "24", "h", "0s", "-1h", "1.5h", "99999999999999999999d", "18446744073709551615d"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

//! How limits and their use are shown to people.

use comfy_table::{Cell, Color};

use crate::command::table::coloured;

/// How wide a bar is, in characters.
const WIDTH: i64 = 20;

/// From how many hundredths on a limit is shown as nearly reached.
const NEARLY: i64 = 80;

/// How much of a limit is taken, as a bar.
pub(super) fn bar(taken: i64, limit: i64) -> Cell {
    if limit < 0 {
        return Cell::new("");
    }
    let percent = percent(taken, limit);
    let colour = match percent {
        100.. => Color::Red,
        NEARLY..100 => Color::Yellow,
        _ => Color::Green,
    };
    // What is taken at all is seen, and what is left too.
    let filled = (percent * WIDTH / 100).clamp(i64::from(taken > 0), WIDTH - i64::from(percent < 100));
    let part = |character: &str, count: i64| character.repeat(usize::try_from(count).unwrap_or_default());
    coloured(&format!("{}{} {percent} %", part("█", filled), part("░", WIDTH - filled)), colour)
}

fn percent(taken: i64, limit: i64) -> i64 {
    match limit {
        // Nothing may be used: whatever is used is too much, and nothing is not.
        0 => {
            if taken > 0 {
                100
            } else {
                0
            }
        }
        limit => taken.saturating_mul(100) / limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_what_is_taken_and_what_is_left() {
        for (taken, limit, filled, words) in [
            (0, 10, 0, "0 %"),
            (1, 1000, 1, "0 %"),
            (5, 10, 10, "50 %"),
            (999, 1000, 19, "99 %"),
            (10, 10, 20, "100 %"),
            (15, 10, 20, "150 %"),
            (0, 0, 0, "0 %"),
            (1, 0, 20, "100 %"),
        ] {
            let shown = bar(taken, limit).content();
            assert_eq!(shown.matches('█').count(), filled, "{taken} of {limit}: {shown}");
            assert_eq!(shown.matches('░').count(), 20 - filled, "{taken} of {limit}: {shown}");
            assert!(shown.ends_with(words), "{shown}");
        }
        assert_eq!(bar(5, -1).content(), "");
    }
}

//! Tables for people.

use std::io::IsTerminal as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Color, ContentArrangement, Table};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Nothing can be read in a narrower table.
const NARROWEST: u16 = 40;

/// An empty table with a header, as wide as the terminal. Where there is none, it is as wide as what it holds, a line for a
/// row, which other programs can search; people who page through it say in `COLUMNS` how wide that may be.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    if let Some(width) = width(std::io::stdout().is_terminal(), std::env::var("COLUMNS").ok().as_deref()) {
        table.set_width(width);
    }
    table
}

/// How wide a table may be at most, where it is not the terminal that says so.
fn width(is_terminal: bool, columns: Option<&str>) -> Option<u16> {
    columns.filter(|_| !is_terminal)?.trim().parse().ok().filter(|columns| *columns >= NARROWEST)
}

/// A cell in a colour; without it where there is no terminal, or people do not want any (https://no-color.org).
pub fn coloured(text: &str, colour: Color) -> Cell {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted { Cell::new(text) } else { Cell::new(text).fg(colour) }
}

/// A moment in the site's time zone, to the second.
pub fn moment(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Text from a sheet may hold control characters, which a terminal would obey. They are shown
/// escaped; line breaks become spaces.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            // The bidirectional controls can make a line read as another one.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                shown.extend(c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_a_table_is_as_wide_as_people_ask_for() {
        assert_eq!(width(false, None), None);
        assert_eq!(width(false, Some("100")), Some(100));
        assert_eq!(width(false, Some("wide")), None);
        assert_eq!(width(false, Some("3")), None);
        assert_eq!(width(true, Some("100")), None, "the terminal says how wide it is");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(printable("Zoë\n\u{1b}[2J"), "Zoë \\u{1b}[2J");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }
}

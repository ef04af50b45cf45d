//! Dates and times as people and forms write them, without a zone.

use crate::types::{LocalDate, LocalTime};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// What comes first in a date with strokes, where the year does not: `3/14/2018` or `14/3/2018`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateOrder {
    /// The month, as in the United States.
    #[default]
    MonthFirst,
    /// The day.
    DayFirst,
}

/// The time in a text: as a form writes it (`3/14/2018 15:48:48`, in the given order), as the bookkeeping marks are
/// written (`14 Mar 2018 15:48:48`), in ISO form (`2018-03-14 15:48:48`), with the year first (`2018/03/14`), or with
/// full stops (`14.3.2018`), where the day comes first. Seconds may be missing, and `PM` may follow. A date alone is its
/// midnight.
#[must_use]
pub fn time(text: &str, order: DateOrder) -> Option<LocalTime> {
    let (date, rest) = date_and_rest(text, order)?;
    let (hour, minute, second) = if rest.is_empty() { (0, 0, 0) } else { time_of_day(rest)? };
    Some(LocalTime { year: date.year, month: date.month, day: date.day, hour, minute, second })
}

/// The date in a text, in any of the forms of [`time`], with a time of day or without one.
#[must_use]
pub fn date(text: &str, order: DateOrder) -> Option<LocalDate> {
    let (date, rest) = date_and_rest(text, order)?;
    (rest.is_empty() || time_of_day(rest).is_some()).then_some(date)
}

fn date_and_rest(text: &str, order: DateOrder) -> Option<(LocalDate, &str)> {
    let text = text.trim();
    let (first, after) = number(text)?;
    let three = |mark: char| {
        let (second, after) = number(after.strip_prefix(mark)?)?;
        let (third, rest) = number(after.strip_prefix(mark)?)?;
        Some((second, third, rest))
    };
    let (year, month, day, rest) = match after.as_bytes().first()? {
        b'/' => {
            let (second, third, rest) = three('/')?;
            match order {
                // No day and no month has so many digits.
                _ if first > 99 => (first, second, third, rest),
                DateOrder::MonthFirst => (third, first, second, rest),
                DateOrder::DayFirst => (third, second, first, rest),
            }
        }
        b'.' => {
            let (month, year, rest) = three('.')?;
            (year, month, first, rest)
        }
        b'-' => {
            let (month, day, rest) = three('-')?;
            (first, month, day, rest.strip_prefix('T').unwrap_or(rest))
        }
        b' ' => {
            let after = after.trim_start();
            let name = after.get(..3)?;
            let month = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))? + 1;
            let (year, rest) =
                number(after[3..].trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim_start())?;
            (year, month as u32, first, rest)
        }
        _ => return None,
    };
    // A year of two digits could be one of two centuries, and none before 1970 was sent by a form.
    let year = i16::try_from(year).ok().filter(|year| (1970..=9999).contains(year))?;
    let valid = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    valid.then_some((
        LocalDate { year, month: month as u8, day: day as u8 },
        rest.strip_prefix(',').unwrap_or(rest).trim_start(),
    ))
}

fn time_of_day(text: &str) -> Option<(u8, u8, u8)> {
    let (hour, after) = number(text)?;
    let (minute, after) = number(after.strip_prefix(':')?)?;
    let (second, rest) = match after.strip_prefix(':') {
        Some(after) => number(after)?,
        None => (0, after),
    };
    let hour = match rest.trim() {
        "" => hour,
        half if half.eq_ignore_ascii_case("am") && (1..=12).contains(&hour) => hour % 12,
        half if half.eq_ignore_ascii_case("pm") && (1..=12).contains(&hour) => hour % 12 + 12,
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some((hour as u8, minute as u8, second as u8))
}

/// The whole number of at most four digits that a text starts with, and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=4).contains(&digits) {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    Some((number.bytes().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')), rest))
}

fn days_of(year: i16, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<(i16, u8, u8, u8, u8, u8)> {
        time(text, DateOrder::MonthFirst).map(|t| (t.year, t.month, t.day, t.hour, t.minute, t.second))
    }

    #[test]
    fn reads_what_forms_and_tools_write() {
        for text in [
            "3/14/2018 15:48:48",
            " 03/14/2018  15:48:48 ",
            "3/14/2018 3:48:48 PM",
            "14 Mar 2018 15:48:48",
            "14 march 2018 15:48:48",
            "2018-03-14 15:48:48",
            "2018-03-14T15:48:48",
            "2018/03/14 15:48:48",
            "14.03.2018 15:48:48",
            "14.3.2018, 15:48:48",
        ] {
            assert_eq!(at(text), Some((2018, 3, 14, 15, 48, 48)), "{text}");
        }
        assert_eq!(at("3/14/2018 15:48"), Some((2018, 3, 14, 15, 48, 0)));
        assert_eq!(at("12/31/2018 12:00:01 AM"), Some((2018, 12, 31, 0, 0, 1)));
        assert_eq!(at("2/29/2020"), Some((2020, 2, 29, 0, 0, 0)));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "soon",
            "14/3/2018 15:48:48",
            "2/29/2019 10:00:00",
            "2/29/1900 10:00:00",
            "3/14/18 10:00:00",
            "3/14/2018 24:00:00",
            "3/14/2018 15:60:00",
            "3/14/2018 15",
            "3/14/2018 15:48:48 UTC",
            "3/14/2018 13:00 PM",
            "14 Foo 2018",
            "31 \u{e9}\u{e9} 2018",
            "99999/1/2018",
            "3.14.2018",
            "14/3.2018",
            "2018/14/3",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn reads_dates() {
        for text in ["12/31/2018", "2018-12-31", "31 Dec 2018", "12/31/2018 0:00:00"] {
            let found = date(text, DateOrder::MonthFirst);
            assert_eq!(found, Some(LocalDate { year: 2018, month: 12, day: 31 }), "{text}");
        }
        assert_eq!(date("31.12.2018.", DateOrder::MonthFirst), None);
        assert_eq!(date("12/31/2018 at noon", DateOrder::MonthFirst), None);
    }

    #[test]
    fn the_order_of_day_and_month_is_as_the_site_says_and_never_guessed() {
        let at = |text, order| date(text, order).map(|date| (date.month, date.day));
        for (text, month_first, day_first) in [
            ("3/4/2018", Some((3, 4)), Some((4, 3))),
            ("3/14/2018", Some((3, 14)), None),
            ("14/3/2018", None, Some((3, 14))),
            ("4.3.2018", Some((3, 4)), Some((3, 4))),
            ("2018-03-04", Some((3, 4)), Some((3, 4))),
            ("2018/3/4", Some((3, 4)), Some((3, 4))),
            ("4 Mar 2018", Some((3, 4)), Some((3, 4))),
        ] {
            assert_eq!(at(text, DateOrder::MonthFirst), month_first, "{text}");
            assert_eq!(at(text, DateOrder::DayFirst), day_first, "{text}");
        }
    }
}

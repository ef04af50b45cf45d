//! Times at which something is to happen, as in crontab(5).
//!
//! A line says what a clock on the wall shows. On the two days of a year on which clocks are changed, a time may not
//! exist, or come twice:
//!
//! - A line with set times (no `*` among its minutes and hours, such as `30 2 * * *`) happens exactly once a day that it
//!   names: a time that does not exist, at the moment when the clocks go forward; one that comes twice, the first time.
//! - A line that repeats (`*/15 * * * *`) goes on as clocks show: through both of the two hours, and without the hour
//!   that does not exist.

use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Clocks go back by at most so much; a time that comes twice comes the first time within it.
const LONGEST_FOLD: SignedDuration = SignedDuration::from_hours(24);

/// How many times are counted one by one; beyond that, a count says "at least".
const MOST_COUNTED: u32 = 10_000;

/// A line of crontab: five fields, or `@daily` and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronLine {
    text: String,
    cron: Cron,
    /// Whether neither minutes nor hours hold a `*`.
    has_set_times: bool,
}

/// Why a line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CronError {
    /// It is not one.
    #[error(
        "expected five fields as in crontab (minute 0-59, hour 0-23, day of the month 1-31, month 1-12, day of the week 0-7 or \
         SUN-SAT), such as \"30 2 * * MON-FRI\", or @hourly, @daily, @weekly, @monthly or @yearly"
    )]
    Unreadable,
    /// No such day will ever come.
    #[error("no such time ever comes")]
    Never,
}

/// The times that have come since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Come {
    /// The last one.
    pub last: Timestamp,
    /// How many there were, the last one included.
    pub count: u32,
}

impl FromStr for CronLine {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        let fields: Vec<&str> = match in_fields(text) {
            Some(fields) => fields.split(' ').collect(),
            None => text.split_whitespace().collect(),
        };
        let [minute, hour, ..] = fields[..] else { return Err(CronError::Unreadable) };
        // The library reads more than crontab does, such as L for the last day; a field of seconds, which would be
        // taken for the minutes, is refused.
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&fields.join(" ")).map_err(|_| CronError::Unreadable)?;
        let has_set_times = !minute.contains('*') && !hour.contains('*');
        let line = Self { text: text.to_owned(), cron, has_set_times };
        match line.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC) {
            Some(_) => Ok(line),
            None => Err(CronError::Never),
        }
    }
}

impl std::fmt::Display for CronLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for CronLine {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What crontab has a word for.
fn in_fields(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}

impl CronLine {
    /// The first time after a moment; none where none ever comes.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if !self.has_set_times {
            let next = self.cron.find_next_occurrence(&moment.to_zoned(zone.clone()), false).ok()?;
            return Some(next.timestamp());
        }
        // What no wall clock shows later happens no later, so the first one that is after the moment is the next.
        let mut shown = zone.to_datetime(moment);
        loop {
            shown = self.cron.find_next_occurrence(&shown, false).ok()?;
            let happens = happens(shown, zone)?;
            if happens > moment {
                return Some(happens);
            }
        }
    }

    /// The last time up to a moment, that moment included.
    #[must_use]
    fn last_until(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if !self.has_set_times {
            let last = self.cron.find_previous_occurrence(&moment.to_zoned(zone.clone()), true).ok()?;
            return Some(last.timestamp());
        }
        let mut shown = zone.to_datetime(moment).checked_add(LONGEST_FOLD).ok()?;
        loop {
            shown = self.cron.find_previous_occurrence(&shown, false).ok()?;
            let happens = happens(shown, zone)?;
            if happens <= moment {
                return Some(happens);
            }
        }
    }

    /// The times after `since` and up to `until`; none where there are none.
    #[must_use]
    pub fn come(&self, since: Timestamp, until: Timestamp, zone: &TimeZone) -> Option<Come> {
        let last = self.last_until(until, zone).filter(|last| *last > since)?;
        let mut count = 1;
        let mut at = since;
        while count < MOST_COUNTED {
            at = self.next_after(at, zone)?;
            if at >= last {
                break;
            }
            count += 1;
        }
        Some(Come { last, count })
    }
}

/// When a set time happens: one that comes twice, the first time; one that does not exist, when the clocks change.
fn happens(shown: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    use jiff::tz::AmbiguousOffset;
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { .. } => {
            // By the offset before the change, the time lies at the change or after it.
            let beyond = ambiguous.later().ok()?.checked_add(SignedDuration::from_secs(1)).ok()?;
            zone.preceding(beyond).next().map(|change| change.timestamp())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    /// The times between two moments, as a clock in the zone shows them.
    fn times(line: &str, name: &str, since: &str, until: &str) -> Vec<String> {
        let (line, zone) = (line.parse::<CronLine>().unwrap(), zone(name));
        let (mut at, until): (Timestamp, Timestamp) = (since.parse().unwrap(), until.parse().unwrap());
        let mut times = Vec::new();
        while let Some(next) = line.next_after(at, &zone).filter(|next| *next <= until) {
            let come = line.come(at, next, &zone).unwrap();
            assert_eq!(come, Come { last: next, count: 1 }, "{line} after {at}");
            times.push(next.to_zoned(zone.clone()).strftime("%d %H:%M%:z").to_string());
            at = next;
        }
        times
    }

    #[test]
    fn a_time_that_does_not_exist_comes_when_clocks_go_forward_and_only_once() {
        let around = |line| times(line, "Europe/Berlin", "2027-03-27T00:00:00Z", "2027-03-29T00:00:00Z");
        assert_eq!(around("30 2 * * *"), ["27 02:30+01:00", "28 03:00+02:00"]);
        // Sets of times too, where two of them do not exist.
        assert_eq!(
            around("15,45 2,14 * * *"),
            [
                "27 02:15+01:00",
                "27 02:45+01:00",
                "27 14:15+01:00",
                "27 14:45+01:00",
                "28 03:00+02:00",
                "28 14:15+02:00",
                "28 14:45+02:00"
            ]
        );
        // Where clocks change by half an hour.
        let lord_howe =
            times("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z");
        assert_eq!(lord_howe, ["04 02:30+11:00"]);
        // Where they change at midnight.
        let beirut = times("@daily", "Asia/Beirut", "2027-03-27T00:00:00Z", "2027-03-28T12:00:00Z");
        assert_eq!(beirut, ["28 01:00+03:00"]);
    }

    #[test]
    fn a_time_that_comes_twice_is_taken_the_first_time() {
        let around = |line| times(line, "America/New_York", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z");
        assert_eq!(around("30 1 * * *"), ["01 01:30-04:00", "02 01:30-05:00"]);
        let twice = around("0,30 1 * * *");
        assert_eq!(twice, ["01 01:00-04:00", "01 01:30-04:00", "02 01:00-05:00", "02 01:30-05:00"]);
    }

    #[test]
    fn what_repeats_goes_on_as_clocks_show() {
        let back =
            times("*/30 1-2 * * *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-01T12:00:00Z");
        assert_eq!(
            back,
            [
                "01 01:00-04:00",
                "01 01:30-04:00",
                "01 01:00-05:00",
                "01 01:30-05:00",
                "01 02:00-05:00",
                "01 02:30-05:00"
            ]
        );
        let forward = times("@hourly", "Europe/Berlin", "2027-03-27T23:59:00Z", "2027-03-28T02:00:00Z");
        assert_eq!(forward, ["28 01:00+01:00", "28 03:00+02:00", "28 04:00+02:00"]);
    }

    #[test]
    fn a_line_is_read_as_crontab_reads_it() {
        let in_2027 = |line| times(line, "UTC", "2027-01-01T00:00:00Z", "2027-01-16T00:00:00Z");
        // 0 and 7 are Sunday; the 3rd of January 2027 is one.
        assert_eq!(in_2027("0 6 * * 0"), in_2027("0 6 * * 7"));
        assert_eq!(in_2027("0 6 * * SUN"), ["03 06:00+00:00", "10 06:00+00:00"]);
        // Where both kinds of day are named, either will do.
        assert_eq!(in_2027("0 6 13 * MON"), ["04 06:00+00:00", "11 06:00+00:00", "13 06:00+00:00"]);
        assert_eq!(in_2027("@weekly"), ["03 00:00+00:00", "10 00:00+00:00"]);
        for wrong in
            ["", "* * * *", "0 * * * * *", "60 * * * *", "* 24 * * *", "@reboot", "daily", "0 0 * * FOO"]
        {
            assert!(matches!(wrong.parse::<CronLine>(), Err(CronError::Unreadable)), "{wrong}");
        }
        assert!(matches!("0 0 31 2 *".parse::<CronLine>(), Err(CronError::Never)));
    }

    #[test]
    fn what_came_in_a_while_is_counted() {
        let line: CronLine = "0 0,12 * * *".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let utc = TimeZone::UTC;
        let come = line.come(at("2027-01-01T00:00:00Z"), at("2027-02-01T00:00:00Z"), &utc).unwrap();
        assert_eq!(come, Come { last: at("2027-02-01T00:00:00Z"), count: 62 });
        assert_eq!(line.come(at("2027-01-01T00:00:00Z"), at("2027-01-01T11:59:59Z"), &utc), None);
    }
}

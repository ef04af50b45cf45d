//! Dates and times without a zone, between WIT and the host.

use jiff::civil::{Date, DateTime};

use super::bindings::interfaces::types as wit;

/// The day, or what is wrong with it.
pub(super) fn date_from_wit(date: wit::LocalDate) -> Result<Date, String> {
    let month = i8::try_from(date.month).unwrap_or(0);
    let day = i8::try_from(date.day).unwrap_or(0);
    Date::new(date.year, month, day).map_err(|_| {
        format!("the date {}-{}-{}, which is not in the calendar", date.year, date.month, date.day)
    })
}

/// The moment, or what is wrong with it.
pub(super) fn time_from_wit(time: wit::LocalTime) -> Result<DateTime, String> {
    let date = date_from_wit(wit::LocalDate { year: time.year, month: time.month, day: time.day })?;
    let part = |value: u8| i8::try_from(value).unwrap_or(-1);
    let clock =
        jiff::civil::Time::new(part(time.hour), part(time.minute), part(time.second), 0).map_err(|_| {
            format!("the time {}:{}:{}, which no clock shows", time.hour, time.minute, time.second)
        })?;
    Ok(date.to_datetime(clock))
}

/// The day for a component.
pub(super) fn date_to_wit(date: Date) -> wit::LocalDate {
    wit::LocalDate { year: date.year(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() }
}

/// The moment for a component.
pub(super) fn time_to_wit(time: DateTime) -> wit::LocalTime {
    wit::LocalTime {
        year: time.year(),
        month: time.month().unsigned_abs(),
        day: time.day().unsigned_abs(),
        hour: time.hour().unsigned_abs(),
        minute: time.minute().unsigned_abs(),
        second: time.second().unsigned_abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_calendar_has_passes() {
        let day = |year, month, day| date_from_wit(wit::LocalDate { year, month, day });
        assert_eq!(day(2028, 2, 29), Ok(jiff::civil::date(2028, 2, 29)));
        assert!(day(2027, 2, 29).unwrap_err().contains("2027-2-29"));
        assert!(day(2027, 200, 1).is_err());
        let time = |hour, minute| {
            time_from_wit(wit::LocalTime { year: 2027, month: 1, day: 1, hour, minute, second: 0 })
        };
        assert_eq!(time(23, 59), Ok(jiff::civil::datetime(2027, 1, 1, 23, 59, 0, 0)));
        assert!(time(24, 0).is_err());
        assert!(time(0, 200).is_err());
    }

    #[test]
    fn a_time_survives_the_way_there_and_back() {
        let time = jiff::civil::datetime(-44, 3, 15, 12, 30, 59, 0);
        assert_eq!(time_from_wit(time_to_wit(time)), Ok(time));
    }
}

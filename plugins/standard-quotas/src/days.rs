//! Counting days.

use usher_plugin::types::LocalDate;

/// How many days a day comes after another; negative where it comes before.
pub fn days_between(from: LocalDate, to: LocalDate) -> i64 {
    number(to) - number(from)
}

/// The number of a day, counted from 1 March of the year 0, so that the leap day is a year's last.
fn number(day: LocalDate) -> i64 {
    let month = (i64::from(day.month) + 9) % 12;
    let year = i64::from(day.year) - i64::from(month >= 10);
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // The months from March on have 31, 30, 31, 30, 31 days, and again: 153 in five months.
    year * 365 + leap_days + (month * 153 + 2) / 5 + i64::from(day.day) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_over_months_years_and_leap_days() {
        let day = |year, month, day| LocalDate { year, month, day };
        for (from, to, days) in [
            (day(2018, 3, 14), day(2018, 3, 14), 0),
            (day(2018, 3, 14), day(2018, 3, 13), -1),
            (day(2018, 12, 31), day(2019, 1, 1), 1),
            (day(2019, 2, 28), day(2019, 3, 1), 1),
            (day(2020, 2, 28), day(2020, 3, 1), 2),
            (day(2018, 1, 1), day(2019, 1, 1), 365),
            (day(1999, 12, 31), day(2000, 12, 31), 366),
            (day(1900, 1, 1), day(2000, 1, 1), 36_524),
            (day(1970, 1, 1), day(2026, 11, 24), 20_781),
        ] {
            assert_eq!(days_between(from, to), days, "{from:?} {to:?}");
        }
    }
}

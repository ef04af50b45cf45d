//! Working through a sheet: what every kind of run over one has in common.
//!
//! One run reads the sheet, plans, applies the plan through the journal, moves the finished rows, sends the mail and
//! subscribes new users to the mailing list. Knows nothing of what the requests are about ([`Task`] says that), nor of
//! how its report is shown.

pub mod apply;
mod courier;
mod error;
mod exclusive;
pub mod history;
mod moving;
mod noting;
pub mod plan;
pub mod report;
mod run;
pub mod source;
pub mod subscribing;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::error::BatchError;
pub(crate) use self::exclusive::{Exclusive, ExclusiveError};
pub(crate) use self::run::{Task, dry_run, run};

/// A moment as people read it, in the site's time zone: `Monday, 23 November 2026 at 15:04 CET`.
#[must_use]
pub fn in_words(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%A, %-d %B %Y at %H:%M %Z").to_string()
}

/// A day as people read it: `Monday, 23 November 2026`.
#[must_use]
pub fn last_day_in_words(day: Date) -> String {
    day.strftime("%A, %-d %B %Y").to_string()
}

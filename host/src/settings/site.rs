//! `[site]`: what the site is called and where it is.

use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Name, as users read it on the setpass page.
    pub name: String,
    /// Time zone of the sheets, the schedule and the mails.
    #[serde(default = "utc", deserialize_with = "time_zone")]
    pub time_zone: TimeZone,
    /// Whom users write to when something does not work.
    pub support_email: String,
}

fn utc() -> TimeZone {
    TimeZone::UTC
}

fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    let name = String::deserialize(deserializer)?;
    TimeZone::get(&name)
        .map_err(|_| D::Error::custom("expected a time zone of the IANA database, such as \"Europe/Berlin\""))
}

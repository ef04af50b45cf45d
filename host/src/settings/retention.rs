//! `[retention]`: how long records of what is over are kept.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long records are kept. What is still needed is kept for longer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// What names the requester of a finished request.
    #[serde(deserialize_with = "duration::deserialize")]
    pub requests: Duration,
    /// Mail that was finally refused, with its file, and what servers said about mail.
    #[serde(deserialize_with = "duration::deserialize")]
    pub mails: Duration,
    /// The reports of runs.
    #[serde(deserialize_with = "duration::deserialize")]
    pub reports: Duration,
    /// PINs in the rows of finished requests, in the sheet itself; none where they stay.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub pins: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { requests: 365 * DAY, mails: 90 * DAY, reports: 90 * DAY, pins: None }
    }
}

//! `[quotas]`: how temporary quotas end.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// Quotas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// How long before the end of a temporary change its requester is told.
    #[serde(deserialize_with = "duration::deserialize")]
    pub warn_before: Duration,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { warn_before: Duration::from_secs(3 * 24 * 60 * 60) }
    }
}

//! `[import]`: how the import goes about its work.

use serde::Deserialize;

/// The import.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Import {
    /// How many requests are worked on at the same time.
    pub concurrency: usize,
}

impl Default for Import {
    fn default() -> Self {
        Self { concurrency: 4 }
    }
}

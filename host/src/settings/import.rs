//! `[import]`: how the import goes about its work.

use serde::Deserialize;

use crate::registration::UsernameRule;

/// The import.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Import {
    /// Which part of a requester's e-mail address is the user name.
    pub username: UsernameRule,
}

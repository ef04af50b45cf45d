//! `[import]`: how the import goes about its work.

use serde::Deserialize;

use crate::registration::UsernameRule;

/// The import.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Import {
    /// How many requests are worked on at the same time.
    pub concurrency: usize,
    /// Which part of a requester's e-mail address is the user name.
    pub username: UsernameRule,
}

impl Import {
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        if self.concurrency == 0 {
            let message = "with 0 requests at a time nothing is ever done; expected 1 or more";
            return Err(("import.concurrency".to_owned(), message.to_owned()));
        }
        Ok(())
    }
}

impl Default for Import {
    fn default() -> Self {
        Self { concurrency: 4, username: UsernameRule::default() }
    }
}

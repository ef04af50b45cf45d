//! `[database]`: where Usher keeps its own records, and the keys that protect the secrets in them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The SQLite file. Made on first use, readable by its owner only.
    pub file: PathBuf,
    /// The file with the keys that encrypt stored passwords and mails and hash PINs. Made by
    /// `usher keys new`. Kept apart from the database and its backups.
    pub key_file: PathBuf,
}

impl Database {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        super::resolve(folder, &mut self.file);
        super::resolve(folder, &mut self.key_file);
    }
}

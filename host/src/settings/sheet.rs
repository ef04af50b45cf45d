//! `[sheet]`: where the sign-up sheets are.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The sign-up sheets.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "backend", rename_all = "lowercase", deny_unknown_fields)]
pub enum Sheet {
    /// A folder for each sheet, with one CSV file per worksheet.
    Csv {
        /// Folder of the access sheet.
        access: PathBuf,
        /// Folder of the quota sheet, where there is one.
        quota: Option<PathBuf>,
    },
}

impl Sheet {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let Self::Csv { access, quota } = self;
        super::resolve(folder, access);
        if let Some(quota) = quota {
            super::resolve(folder, quota);
        }
    }
}

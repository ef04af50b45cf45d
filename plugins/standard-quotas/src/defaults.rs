//! The quotas of a new project: a size, and limits of its own that win over it.

use std::collections::BTreeMap;

use usher_plugin::settings::{SettingError, Settings};
use usher_plugin::types::DecidedLimit;

use crate::keys;
use crate::sizes::Sizes;
use crate::table::Table;

/// The table of the settings with the limits of a new project.
pub const TABLE: &str = "new_project";
/// The setting that names the size of a new project.
pub const SIZE: &str = "new_project_size";

const REASON: &str = "this site's default for new projects";

/// What a new project gets.
#[derive(Debug, Default)]
pub struct Defaults {
    limits: BTreeMap<&'static str, i64>,
}

impl Defaults {
    /// Reads what a new project gets, and says what is wrong with it. What cannot be used is left out.
    pub fn read(settings: &Settings, sizes: &Sizes, notices: &mut Vec<String>) -> Self {
        let mut limits = BTreeMap::new();
        match settings.text(SIZE).map_err(|error: SettingError| error.to_string()) {
            Ok(None) => {}
            Ok(Some(name)) => match sizes.find(name) {
                Ok(size) => limits.clone_from(&size.table.limits),
                Err(unknown) => notices.push(format!("the plugin's setting `{SIZE}`: {unknown}")),
            },
            Err(problem) => notices.push(problem),
        }
        if let Some((entry, _)) = settings.table(SIZE).next() {
            notices.push(format!(
                "the plugin's setting `{SIZE}.{entry}` is unknown; `{SIZE}` is the name of a size"
            ));
        }
        let own = Table::read(settings, TABLE);
        notices.extend(own.notices("new projects go without it"));
        limits.extend(own.limits);
        Self { limits }
    }

    /// The limits to set.
    pub fn limits(&self) -> Vec<DecidedLimit> {
        let decided = |(key, &limit): (&&str, &i64)| {
            let (key, service) = keys::find(key).ok()?;
            Some(DecidedLimit { service, key: key.to_owned(), limit, reason: REASON.to_owned() })
        };
        self.limits.iter().filter_map(decided).collect()
    }
}

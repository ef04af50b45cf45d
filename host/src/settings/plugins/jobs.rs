//! `[plugins.jobs.NAME]`: components that run at set times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Grant, Limits, OwnLimits, Plugin, Sha256Pin};
use crate::settings::schedule::Times;

/// A component that runs at set times.
#[derive(Clone, Debug)]
pub struct PluginJob {
    /// The component.
    pub plugin: Plugin,
    /// When it runs; without `cron`, only by hand.
    pub schedule: Times,
}

/// A job as it is written: the keys of a component, and when it runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    component: PathBuf,
    sha256: Option<Sha256Pin>,
    #[serde(default)]
    grants: Vec<Grant>,
    files: Option<PathBuf>,
    #[serde(default)]
    settings: BTreeMap<String, toml::Value>,
    limits: Option<OwnLimits>,
    #[serde(default)]
    schedule: Times,
}

impl Written {
    pub(super) fn with_the_rest_of(self, limits: Limits) -> PluginJob {
        let Self { component, sha256, grants, files, settings, limits: own, schedule } = self;
        // A call that reads rows has seconds, a job that asks services for each of them has as long as jobs have.
        let deadline = own.as_ref().and_then(|own| own.deadline).unwrap_or_else(|| schedule.deadline());
        let plugin = Plugin { component, sha256, grants, files, settings, limits: own };
        let mut plugin = plugin.with_the_rest_of(limits);
        plugin.limits = Some(Limits { deadline, ..plugin.limits.unwrap_or(limits) });
        PluginJob { plugin, schedule }
    }
}

impl PluginJob {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.plugin.resolve(folder);
    }
}

/// Fails where a job's name cannot be one on the command line.
pub(super) fn check(jobs: &BTreeMap<String, PluginJob>) -> Result<(), (String, String)> {
    for (name, job) in jobs {
        let key = format!("plugins.jobs.{name}");
        let is_plain =
            |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !is_plain(name) {
            let message =
                "a job's name consists of small letters, digits and hyphens, and begins with a letter";
            return Err((key, message.to_owned()));
        }
        if crate::settings::schedule::BUILT_IN_JOBS.contains(&name.as_str()) {
            return Err((key, "Usher has a job of this name itself; choose another one".to_owned()));
        }
        job.schedule.check(&format!("{key}.schedule"))?;
    }
    Ok(())
}

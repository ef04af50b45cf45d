//! `[plugins]`: the components that make this site different from others, and their limits.

mod jobs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::jobs::PluginJob;

/// The site's components.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Written")]
pub struct Plugins {
    /// Folder for compiled components. Nothing in it needs a backup.
    pub cache: PathBuf,
    /// What each call may use up.
    pub limits: Limits,
    /// Reads the rows of the sheets; there whenever there are sheets.
    pub row_parser: Option<Plugin>,
    /// Decides about quotas; there whenever there are sheets.
    pub quota_policy: Option<Plugin>,
    /// Words the mails.
    pub mail_templates: Plugin,
    /// Run at set times.
    pub jobs: BTreeMap<String, PluginJob>,
}

/// What each call of a component may use up.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory, in MiB.
    pub memory_mib: usize,
    /// Time for one call, including what the host does for the component meanwhile.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub deadline: Duration,
    /// Size of what comes back, in MiB.
    pub answer_mib: usize,
    /// Number of calls to the host in one call.
    pub host_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: 256, deadline: Duration::from_secs(10), answer_mib: 64, host_calls: 10_000 }
    }
}

/// `[plugins]` as it is written, where a component's limits need not be complete.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    cache: PathBuf,
    #[serde(default)]
    limits: Limits,
    row_parser: Option<Plugin<OwnLimits>>,
    quota_policy: Option<Plugin<OwnLimits>>,
    mail_templates: Plugin<OwnLimits>,
    #[serde(default)]
    jobs: BTreeMap<String, jobs::Written>,
}

impl From<Written> for Plugins {
    fn from(written: Written) -> Self {
        let Written { cache, limits, row_parser, quota_policy, mail_templates, jobs } = written;
        Self {
            cache,
            limits,
            row_parser: row_parser.map(|plugin| plugin.with_the_rest_of(limits)),
            quota_policy: quota_policy.map(|plugin| plugin.with_the_rest_of(limits)),
            mail_templates: mail_templates.with_the_rest_of(limits),
            jobs: jobs.into_iter().map(|(name, job)| (name, job.with_the_rest_of(limits))).collect(),
        }
    }
}

/// The limits that a component has for itself; what is not written is as in `[plugins.limits]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnLimits {
    memory_mib: Option<usize>,
    #[serde(default, deserialize_with = "super::duration::deserialize_some")]
    deadline: Option<Duration>,
    answer_mib: Option<usize>,
    host_calls: Option<u32>,
}

impl Plugin<OwnLimits> {
    fn with_the_rest_of(self, limits: Limits) -> Plugin {
        let Self { component, sha256, grants, files, settings, limits: own } = self;
        let limits = own.map(|own| Limits {
            memory_mib: own.memory_mib.unwrap_or(limits.memory_mib),
            deadline: own.deadline.unwrap_or(limits.deadline),
            answer_mib: own.answer_mib.unwrap_or(limits.answer_mib),
            host_calls: own.host_calls.unwrap_or(limits.host_calls),
        });
        Plugin { component, sha256, grants, files, settings, limits }
    }
}

/// One component.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin<L = Limits> {
    /// The component's file.
    pub component: PathBuf,
    /// SHA-256 of the file in hexadecimal. Another file is refused.
    pub sha256: Option<Sha256Pin>,
    /// Interfaces that it may use besides `log` and `settings`.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Folder whose files it may read.
    pub files: Option<PathBuf>,
    /// Its own settings.
    #[serde(default)]
    pub settings: BTreeMap<String, toml::Value>,
    /// Limits for this component alone, in place of `[plugins.limits]`.
    pub limits: Option<L>,
}

impl Plugin {
    fn resolve(&mut self, folder: &Path) {
        super::resolve(folder, &mut self.component);
        if let Some(files) = &mut self.files {
            super::resolve(folder, files);
        }
    }
}

/// An interface of the host that a component has to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Look users, projects and roles up.
    Keystone,
    /// Change users, projects and roles.
    KeystoneAdmin,
    /// Send mail.
    Mail,
    /// Read and mark the sheets.
    Sheet,
    /// Issue setpass links.
    Token,
}

impl Grant {
    /// Every grant there is.
    pub const ALL: [Self; 5] = [Self::Keystone, Self::KeystoneAdmin, Self::Mail, Self::Sheet, Self::Token];

    /// The name in the settings, which is also the interface's name in WIT.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keystone => "keystone",
            Self::KeystoneAdmin => "keystone-admin",
            Self::Mail => "mail",
            Self::Sheet => "sheet",
            Self::Token => "token",
        }
    }
}

/// The SHA-256 that a component's file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256Pin(pub [u8; 32]);

impl<'de> Deserialize<'de> for Sha256Pin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(text.trim(), &mut digest).map_err(|_| {
            serde::de::Error::custom(
                "expected 64 hexadecimal digits, as printed by sha256sum or `usher plugin list`",
            )
        })?;
        Ok(Self(digest))
    }
}

impl Plugins {
    /// The components that there are, with the names of their roles.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, &Plugin)> {
        let roles = [
            ("row_parser", self.row_parser.as_ref()),
            ("quota_policy", self.quota_policy.as_ref()),
            ("mail_templates", Some(&self.mail_templates)),
        ];
        roles.into_iter().filter_map(|(role, plugin)| Some((role, plugin?))).collect()
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        super::resolve(folder, &mut self.cache);
        let for_sheets = self.row_parser.iter_mut().chain(&mut self.quota_policy);
        for plugin in for_sheets.chain([&mut self.mail_templates]) {
            plugin.resolve(folder);
        }
        self.jobs.values_mut().for_each(|job| job.resolve(folder));
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |place: &str, key: &str| {
            Err((format!("plugins.{place}limits.{key}"), "expected 1 to 4096".to_owned()))
        };
        let of_jobs = self.jobs.iter().map(|(name, job)| (format!("jobs.{name}."), job.plugin.limits));
        let of_components =
            self.all().into_iter().map(|(role, plugin)| (format!("{role}."), plugin.limits)).chain(of_jobs);
        for (place, limits) in std::iter::once((String::new(), Some(self.limits))).chain(of_components) {
            let Some(limits) = limits else { continue };
            if limits.memory_mib == 0 || limits.memory_mib > 4096 {
                return fail(&place, "memory_mib");
            }
            if limits.answer_mib == 0 || limits.answer_mib > 4096 {
                return fail(&place, "answer_mib");
            }
        }
        jobs::check(&self.jobs)
    }

    /// Whether there is what a site with sheets needs.
    pub(crate) fn check_for_sheets(&self) -> Result<(), (String, String)> {
        let missing = match (&self.row_parser, &self.quota_policy) {
            (None, _) => "row_parser",
            (_, None) => "quota_policy",
            _ => return Ok(()),
        };
        let message = "a site with a [sheet] needs this component; write the section, or take [sheet] out where this \
                       machine only serves setpass";
        Err((format!("plugins.{missing}"), message.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_as_long_for_its_call_as_its_deadline_is_unless_its_limits_say_otherwise() {
        let plugins: Plugins = toml::from_str(
            r#"
            cache = "c"
            limits = { deadline = "3s", host_calls = 7 }
            mail_templates = { component = "m" }
            [jobs.plain]
            component = "p"
            [jobs.long]
            component = "l"
            limits = { host_calls = 9 }
            schedule = { deadline = "2h" }
            [jobs.limited]
            component = "l"
            limits = { deadline = "5s" }
            schedule = { deadline = "2h" }
            "#,
        )
        .unwrap();
        let limits = |name: &str| {
            let limits = plugins.jobs[name].plugin.limits.unwrap();
            (limits.deadline.as_secs(), limits.host_calls)
        };
        assert_eq!([limits("plain"), limits("long"), limits("limited")], [(3600, 7), (7200, 9), (5, 7)]);
    }

    #[test]
    fn what_a_component_does_not_limit_itself_is_limited_as_for_all() {
        let plugins: Plugins = toml::from_str(
            r#"
            cache = "c"
            limits = { memory_mib = 100, deadline = "3s", host_calls = 7 }
            row_parser = { component = "r", limits = { memory_mib = 512 } }
            quota_policy = { component = "q", limits = { deadline = "1m", answer_mib = 1, host_calls = 1 } }
            mail_templates = { component = "m" }
            "#,
        )
        .unwrap();
        let row_parser = plugins.row_parser.unwrap().limits.unwrap();
        assert_eq!((row_parser.memory_mib, row_parser.deadline), (512, Duration::from_secs(3)));
        assert_eq!((row_parser.answer_mib, row_parser.host_calls), (64, 7));
        let quota_policy = plugins.quota_policy.unwrap().limits.unwrap();
        assert_eq!((quota_policy.memory_mib, quota_policy.deadline), (100, Duration::from_secs(60)));
        assert!(plugins.mail_templates.limits.is_none());
    }
}

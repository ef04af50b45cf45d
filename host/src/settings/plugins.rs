//! `[plugins]`: the components that make this site different from others, and their limits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The site's components.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Folder for compiled components. Nothing in it needs a backup.
    pub cache: PathBuf,
    /// What each call may use up.
    #[serde(default)]
    pub limits: Limits,
    /// Reads the rows of the sheets.
    pub row_parser: Plugin,
    /// Decides about quotas.
    pub quota_policy: Plugin,
    /// Words the mails.
    pub mail_templates: Plugin,
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

/// One component.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
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
    pub limits: Option<Limits>,
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
    /// The three components with the names of their roles.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &Plugin); 3] {
        [
            ("row_parser", &self.row_parser),
            ("quota_policy", &self.quota_policy),
            ("mail_templates", &self.mail_templates),
        ]
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        super::resolve(folder, &mut self.cache);
        for plugin in [&mut self.row_parser, &mut self.quota_policy, &mut self.mail_templates] {
            super::resolve(folder, &mut plugin.component);
            if let Some(files) = &mut plugin.files {
                super::resolve(folder, files);
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("plugins.{key}"), message.to_owned()));
        let sets = std::iter::once(&self.limits)
            .chain(self.all().into_iter().filter_map(|(_, p)| p.limits.as_ref()));
        for limits in sets {
            if limits.memory_mib == 0 || limits.memory_mib > 4096 {
                return fail("limits.memory_mib", "expected 1 to 4096");
            }
            if limits.answer_mib == 0 || limits.answer_mib > 4096 {
                return fail("limits.answer_mib", "expected 1 to 4096");
            }
        }
        Ok(())
    }
}

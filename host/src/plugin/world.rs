//! The worlds that a component can have: the roles that it can play.

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use super::bindings;
use super::state::State;

/// A role that a component can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// Reads the rows of the sheets.
    RowParser,
    /// Decides about quotas.
    QuotaPolicy,
    /// Words the mails.
    MailTemplates,
    /// Runs at set times.
    Job,
}

impl World {
    /// Every world.
    pub const ALL: [Self; 4] = [Self::RowParser, Self::QuotaPolicy, Self::MailTemplates, Self::Job];

    /// The name in WIT.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RowParser => "row-parser",
            Self::QuotaPolicy => "quota-policy",
            Self::MailTemplates => "mail-templates",
            Self::Job => "job",
        }
    }

    /// The functions that a component of this world exports.
    #[must_use]
    pub fn exports(self) -> &'static [&'static str] {
        match self {
            Self::RowParser => &["describe", "parse-rows"],
            Self::QuotaPolicy => &["decide"],
            Self::MailTemplates => &["render"],
            Self::Job => &["run"],
        }
    }

    /// Whether the component exports this world's functions with the right types.
    pub(super) fn fits(self, pre: &InstancePre<State>) -> bool {
        match self {
            Self::RowParser => bindings::row_parser::RowParserPre::new(pre.clone()).is_ok(),
            Self::QuotaPolicy => bindings::quota_policy::QuotaPolicyPre::new(pre.clone()).is_ok(),
            Self::MailTemplates => bindings::mail_templates::MailTemplatesPre::new(pre.clone()).is_ok(),
            Self::Job => bindings::job::JobPre::new(pre.clone()).is_ok(),
        }
    }

    /// The worlds that the component has.
    pub(super) fn all_that_fit(pre: &InstancePre<State>) -> Vec<Self> {
        Self::ALL.into_iter().filter(|world| world.fits(pre)).collect()
    }

    /// The exports of this world that the component lacks, or has with other types.
    pub(super) fn missing(self, engine: &Engine, component: &Component) -> Vec<String> {
        let exported = component.component_type();
        let absent: Vec<_> = self
            .exports()
            .iter()
            .filter(|name| exported.get_export(engine, name).is_none())
            .map(|name| format!("the export {name}"))
            .collect();
        if absent.is_empty() {
            vec![format!("the right types for {}", self.exports().join(" or "))]
        } else {
            absent
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

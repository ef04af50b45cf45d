//! Why a project's quotas could not be looked at or set.

use crate::database::DatabaseError;
use crate::keystone::KeystoneError;
use crate::plugin::PluginError;
use crate::quotas::{QuotaError, UnknownKey};
use crate::registration::QuotaService;

/// Why a project's quotas could not be looked at or set.
#[derive(Debug, thiserror::Error)]
pub enum ProjectQuotaError {
    /// There is no such project.
    #[error("there is no project with the name or id {0} in the domain that keystone.domain names")]
    NoSuchProject(String),
    /// Limits are wanted that no service keeps.
    #[error("{}", unknown(.keys, .absent))]
    UnknownKeys {
        /// The keys.
        keys: Vec<UnknownKey>,
        /// The services that the catalog does not have.
        absent: Vec<QuotaService>,
    },
    /// Limits are wanted that are below what is in use.
    #[error(
        "{}; have the project use less, or set it all the same with --force",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    BelowUse(Vec<BelowUse>),
    /// Keystone.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// A service that keeps quotas.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The records.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The quota policy.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

/// A limit that is wanted although more is in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} cannot be {wanted}: {taken} {} in use or reserved", are(*.taken))]
pub struct BelowUse {
    /// OpenStack's key.
    pub key: String,
    /// The limit.
    pub wanted: i64,
    /// What is in use or reserved.
    pub taken: i64,
}

impl BelowUse {
    /// What to know where it is set all the same.
    pub(super) fn notice(&self) -> String {
        let Self { key, wanted, taken } = self;
        let are = are(*taken);
        format!(
            "{key} is to be {wanted} although {taken} {are} in use or reserved: no more can be made until less is"
        )
    }
}

fn are(number: i64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

fn unknown(keys: &[UnknownKey], absent: &[QuotaService]) -> String {
    let mut words: Vec<String> = keys.iter().map(ToString::to_string).collect();
    words.extend(absent.iter().map(|service| super::reading::notice_of_absence(*service)));
    words.join("; ")
}

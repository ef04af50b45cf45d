//! Why a run could not be made.

use super::exclusive::ExclusiveError;
use crate::database::DatabaseError;
use crate::keystone::KeystoneError;
use crate::mailing_list::MailingListError;
use crate::outbox::OutboxError;
use crate::plugin::PluginError;
use crate::quotas::QuotaError;
use crate::sheet::SheetError;

/// Why a run could not be made at all. What goes wrong with single rows is in its report.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Keystone.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// The role that users are to get does not exist.
    #[error("Keystone has no role {0}; correct keystone.member_role in the settings, or create the role")]
    NoMemberRole(String),
    /// A service that keeps quotas.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The sheet.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// A component.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A mail that no mail server would take.
    #[error(
        "the mail {kind} cannot be sent as its template and settings are: {source}; correct [mail] or the settings \
         and templates of plugins.mail_templates"
    )]
    Wording {
        /// The kind of mail.
        kind: &'static str,
        /// What is wrong with it.
        source: OutboxError,
    },
    /// A mail could not be recorded.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The mailing list's settings.
    #[error(transparent)]
    MailingList(#[from] MailingListError),
    /// The journal.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another run is being made.
    #[error(transparent)]
    Exclusive(#[from] ExclusiveError),
    /// The selection matches nothing.
    #[error("no row of the sheet is {0}'s; check the spelling of the user name")]
    NobodySelected(String),
    /// The selection matches nothing.
    #[error("no row of the sheet is about the project {0}; check the spelling of its name")]
    NothingSelected(String),
    /// The site reminds nobody.
    #[error(
        "nobody is to be reminded: there is no section [reminder] in the settings; name the approvers there"
    )]
    NoReminder,
    /// The site has no such sheet.
    #[error("there is no sheet for quotas: {0}")]
    NoQuotaSheet(&'static str),
}

impl BatchError {
    /// Whether a run may be made later without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Keystone(error) => error.is_passing(),
            Self::Quota(error) => error.is_passing(),
            Self::Sheet(SheetError::Io { .. })
            | Self::Database(_)
            | Self::Outbox(OutboxError::Database(_))
            | Self::Exclusive(_) => true,
            Self::Sheet(error) => error.is_passing(),
            Self::Plugin(error) => error.is_passing(),
            Self::MailingList(error) => error.is_unreachable(),
            Self::NoMemberRole(_)
            | Self::Wording { .. }
            | Self::Outbox(_)
            | Self::NobodySelected(_)
            | Self::NothingSelected(_)
            | Self::NoQuotaSheet(_)
            | Self::NoReminder => false,
        }
    }
}

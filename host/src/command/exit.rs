//! What the exit status says.

use std::process::ExitCode;

use super::signals::CutOff;
use crate::app::AppError;
use crate::batch::BatchError;
use crate::database::DatabaseError;
use crate::keystone::KeystoneError;
use crate::links::LinkError;
use crate::mailer::MailerError;
use crate::mailing_list::MailingListError;
use crate::project_quotas::ProjectQuotaError;
use crate::quotas::QuotaError;
use crate::rekeying::RekeyingError;
use crate::remote_setpass::RemoteSetpassError;
use crate::schedule::by_hand::ByHandError;
use crate::setpass::SetpassError;
use crate::sheet::{Remedy, SheetError};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is done.
    Done = 0,
    /// Some rows, checks or requests failed.
    Failed = 1,
    /// The command line or the settings are wrong.
    Usage = 2,
    /// A service could not be reached.
    Unreachable = 3,
}

impl Exit {
    /// How a run of several things ended, of which some may have failed.
    pub(super) fn of_run(is_unreachable: bool, is_complete: bool) -> Self {
        match (is_unreachable, is_complete) {
            (true, _) => Self::Unreachable,
            (false, true) => Self::Done,
            (false, false) => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit status for an error that ended a command. What is not out of reach, or a failed
/// request, is for the operator to put right in the settings.
#[must_use]
pub fn status_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<BatchError>() {
            return of_batch(error);
        }
        if let Some(error) = cause.downcast_ref::<ProjectQuotaError>() {
            return of_project_quotas(error);
        }
        if let Some(error) = cause.downcast_ref::<KeystoneError>() {
            return of_keystone(error);
        }
        if cause.is::<CutOff>() || matches!(cause.downcast_ref(), Some(ByHandError::Interrupted(_))) {
            return Exit::Failed;
        }
        if cause.is::<DatabaseError>() || cause.is::<ByHandError>() {
            return Exit::Unreachable;
        }
        if let Some(error) = cause.downcast_ref::<RekeyingError>() {
            return of_rekeying(error);
        }
        if let Some(AppError::Keystone(error)) = cause.downcast_ref::<AppError>() {
            return of_keystone(error);
        }
        if let Some(error) = cause.downcast_ref::<LinkError>() {
            return of_links(error);
        }
        if let Some(error) = cause.downcast_ref::<MailerError>() {
            return if error.is_passing() { Exit::Unreachable } else { Exit::Usage };
        }
    }
    Exit::Usage
}

fn of_batch(error: &BatchError) -> Exit {
    match error {
        BatchError::Keystone(error) => of_keystone(error),
        BatchError::Quota(error) if error.is_passing() => Exit::Unreachable,
        BatchError::Exclusive(_) | BatchError::Database(_) => Exit::Unreachable,
        BatchError::Sheet(error) => of_sheet(error),
        BatchError::MailingList(error) => of_mailing_list(error),
        BatchError::NobodySelected(_) | BatchError::NothingSelected(_) => Exit::Failed,
        BatchError::Quota(_)
        | BatchError::NoMemberRole(_)
        | BatchError::NoQuotaSheet(_)
        | BatchError::NoReminder
        | BatchError::Outbox(_)
        | BatchError::Plugin(_)
        | BatchError::Wording { .. } => Exit::Usage,
    }
}

fn of_project_quotas(error: &ProjectQuotaError) -> Exit {
    match error {
        ProjectQuotaError::Keystone(error) | ProjectQuotaError::Quota(QuotaError::Call(error)) => {
            of_keystone(error)
        }
        ProjectQuotaError::Database(_) => Exit::Unreachable,
        ProjectQuotaError::NoSuchProject(_) | ProjectQuotaError::BelowUse(_) => Exit::Failed,
        ProjectQuotaError::UnknownKeys { .. }
        | ProjectQuotaError::Quota(_)
        | ProjectQuotaError::Plugin(_) => Exit::Usage,
    }
}

fn of_links(error: &LinkError) -> Exit {
    match error {
        LinkError::Elsewhere(error) => of_remote_setpass(error),
        LinkError::Busy(_)
        | LinkError::TurnLost
        | LinkError::Database(_)
        | LinkError::Here(SetpassError::Overloaded) => Exit::Unreachable,
        LinkError::Here(_) | LinkError::InvalidPin(_) | LinkError::HashedPin => Exit::Usage,
    }
}

/// The exit status for a setpass on another machine that did not do what it was asked.
pub(super) fn of_remote_setpass(error: &RemoteSetpassError) -> Exit {
    if error.is_passing() { Exit::Unreachable } else { Exit::Usage }
}

fn of_rekeying(error: &RekeyingError) -> Exit {
    match error {
        RekeyingError::Keys(_) => Exit::Usage,
        RekeyingError::Database(_) | RekeyingError::Busy(_) => Exit::Unreachable,
        RekeyingError::Needed { .. } => Exit::Failed,
    }
}

/// The exit status for a mailing list that nobody can be subscribed to at present.
pub(super) fn of_mailing_list(error: &MailingListError) -> Exit {
    if error.is_unreachable() { Exit::Unreachable } else { Exit::Usage }
}

fn of_keystone(error: &KeystoneError) -> Exit {
    if error.is_passing() { Exit::Unreachable } else { Exit::Usage }
}

/// A sheet that is not as the settings say is for the operator; one that is being edited, or on a
/// disk that does not answer, is read by another try.
pub(super) fn of_sheet(error: &SheetError) -> Exit {
    match error {
        SheetError::NotSet
        | SheetError::NoSuchWorksheet { .. }
        | SheetError::NoFolder { .. }
        | SheetError::NotAFile { .. }
        | SheetError::Unreadable { .. }
        | SheetError::Forbidden { .. }
        | SheetError::SameWorksheet { .. } => Exit::Usage,
        SheetError::Changed { .. } | SheetError::Io { .. } => Exit::Unreachable,
        SheetError::Interrupted { .. }
        | SheetError::Unsettled { .. }
        | SheetError::NotesLost { .. }
        | SheetError::MarksAstray { .. } => Exit::Failed,
        SheetError::Google(error) => match error.remedy() {
            Remedy::Operator => Exit::Usage,
            Remedy::Waiting => Exit::Unreachable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_or_misplaced_sheet_is_not_a_service_out_of_reach() {
        let file = || std::path::PathBuf::from("sheet/requests.csv");
        let worksheet = || "requests".to_owned();
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let cases = [
            (SheetError::NoSuchWorksheet { worksheet: worksheet(), there: Vec::new() }, Exit::Usage),
            (SheetError::NoFolder { folder: file() }, Exit::Usage),
            (SheetError::NotAFile { file: file() }, Exit::Usage),
            (SheetError::Unreadable { file: file(), row: 3, problem: "an open quote" }, Exit::Usage),
            (SheetError::Forbidden { action: "read", file: file(), source: denied() }, Exit::Usage),
            (SheetError::SameWorksheet { worksheet: worksheet() }, Exit::Usage),
            (SheetError::Changed { worksheet: worksheet() }, Exit::Unreachable),
            (SheetError::Io { action: "read", file: file(), source: denied() }, Exit::Unreachable),
            (SheetError::Interrupted { file: file(), prepared: file(), record: file() }, Exit::Failed),
            (
                SheetError::Unsettled { worksheet: worksheet(), missing: vec![3], reason: String::new() },
                Exit::Failed,
            ),
        ];
        for (error, exit) in cases {
            let told = error.to_string();
            assert_eq!(status_of(&anyhow::Error::from(BatchError::Sheet(error))), exit, "{told}");
        }
    }
}

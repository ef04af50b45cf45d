//! What the exit status says.

use std::process::ExitCode;

use crate::app::AppError;
use crate::import::ImportError;
use crate::keystone::KeystoneError;
use crate::mailer::MailerError;
use crate::sheet::SheetError;

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
        if let Some(error) = cause.downcast_ref::<ImportError>() {
            return of_import(error);
        }
        if let Some(error) = cause.downcast_ref::<KeystoneError>() {
            return of_keystone(error);
        }
        if let Some(AppError::Keystone(error)) = cause.downcast_ref::<AppError>() {
            return of_keystone(error);
        }
        if let Some(error) = cause.downcast_ref::<MailerError>() {
            return if error.is_passing() { Exit::Unreachable } else { Exit::Usage };
        }
    }
    Exit::Usage
}

fn of_import(error: &ImportError) -> Exit {
    match error {
        ImportError::Keystone(error) => of_keystone(error),
        ImportError::Quota(error) if error.is_passing() => Exit::Unreachable,
        ImportError::Exclusive(_) | ImportError::Database(_) | ImportError::Outbox(_) => Exit::Unreachable,
        ImportError::Sheet(SheetError::NoSuchWorksheet { .. }) => Exit::Usage,
        ImportError::Sheet(_) => Exit::Unreachable,
        ImportError::NobodySelected(_) => Exit::Failed,
        ImportError::Quota(_) | ImportError::NoMemberRole(_) | ImportError::Plugin(_) => Exit::Usage,
    }
}

fn of_keystone(error: &KeystoneError) -> Exit {
    if error.is_passing() { Exit::Unreachable } else { Exit::Usage }
}

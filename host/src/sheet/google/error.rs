//! Why Google did not do what it was asked, and what to do about it.

use std::path::PathBuf;

/// Why Google did not do what it was asked. No error holds a cell, a token or the key.
#[derive(Debug, thiserror::Error)]
pub enum GoogleError {
    /// The key file of the service account cannot be used.
    #[error("{file}: {reason}; correct sheet.credentials in the settings", file = file.display())]
    Account {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Google does not accept the account.
    #[error(
        "Google does not accept the service account {account}: {reason}; was its key revoked, and is this machine's \
         clock right?"
    )]
    Refused {
        /// The account's address.
        account: String,
        /// Google's words.
        reason: String,
    },
    /// The account may not open the spreadsheet.
    #[error(
        "Google does not let Usher's account {do_what} the spreadsheet {spreadsheet}: {reason}; share it as editor \
         with {account}, and see that the Google Sheets API is enabled in the account's project"
    )]
    NotShared {
        /// What was tried.
        do_what: &'static str,
        /// The spreadsheet's id.
        spreadsheet: String,
        /// The address to share it with.
        account: String,
        /// Google's words.
        reason: String,
    },
    /// There is no such spreadsheet.
    #[error(
        "Google has no spreadsheet {spreadsheet}; its id is the part of its URL between /d/ and /edit: correct \
         [sheet] in the settings"
    )]
    NoSpreadsheet {
        /// The id.
        spreadsheet: String,
    },
    /// Google does not understand, or does not want to do, what it was asked.
    #[error("Google refuses to {do_what} the spreadsheet ({status}): {reason}")]
    Request {
        /// What was tried.
        do_what: &'static str,
        /// The HTTP status.
        status: u16,
        /// Google's words.
        reason: String,
    },
    /// Google cannot be used at present, and nothing was changed.
    #[error("Google cannot be used to {do_what} the spreadsheet at present: {reason}; try again later")]
    Unavailable {
        /// What was tried.
        do_what: &'static str,
        /// Why.
        reason: String,
    },
    /// A change was asked for, and no answer came: it may have been made.
    #[error("it is not known whether Google has changed the spreadsheet: {reason}; the next run finds out")]
    Uncertain {
        /// What happened.
        reason: String,
    },
}

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The operator, in the settings or in Google's console.
    Operator,
    /// Time.
    Waiting,
}

impl GoogleError {
    /// Who can do something about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unavailable { .. } | Self::Uncertain { .. } => Remedy::Waiting,
            Self::Account { .. }
            | Self::Refused { .. }
            | Self::NotShared { .. }
            | Self::NoSpreadsheet { .. }
            | Self::Request { .. } => Remedy::Operator,
        }
    }

    /// Whether Google did not understand the request.
    pub(super) fn is_about_the_request(&self) -> bool {
        matches!(self, Self::Request { status: 400, .. })
    }
}

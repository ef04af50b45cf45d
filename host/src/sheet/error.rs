//! Why a sheet was not read or not changed.

use std::io;
use std::path::PathBuf;

use super::google::{GoogleError, Remedy};
use crate::registration::RowNumber;

/// Why a sheet was not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The site has no sheets.
    #[error(
        "the settings name no sheet; write [sheet] where this machine is to process one, and not only to serve setpass"
    )]
    NotSet,
    /// There is no such worksheet.
    #[error(
        "there is no worksheet {worksheet:?}; there {are}",
        are = if there.is_empty() { "is none at all".to_owned() } else { format!("are {}", quoted(there)) }
    )]
    NoSuchWorksheet {
        /// The name asked for.
        worksheet: String,
        /// The names that there are.
        there: Vec<String>,
    },
    /// The folder of the sheet is missing.
    #[error(
        "there is no folder {folder} for the sheet; make it and put a file WORKSHEET.csv for each worksheet \
         into it, or correct [sheet] in the settings",
        folder = folder.display()
    )]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A worksheet is a link, a folder or the like.
    #[error(
        "{file} is not a file of its own; a worksheet is replaced as a whole, so put the file itself there instead \
         of a link",
        file = file.display()
    )]
    NotAFile {
        /// What stands at its place.
        file: PathBuf,
    },
    /// The user that this program runs as may not do what is needed.
    #[error(
        "not allowed to {action} {file}: {source}; this user needs to read and write the folder and its files",
        file = file.display()
    )]
    Forbidden {
        /// What was tried.
        action: &'static str,
        /// With what.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system refuses for another reason.
    #[error("cannot {action} {file}: {source}", file = file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A worksheet is not what it should be.
    #[error("{file}: row {row}: {problem}", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The row, as a spreadsheet shows it.
        row: usize,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// Somebody changed the worksheet since it was read.
    #[error("the worksheet {worksheet:?} was changed since it was read; read it again")]
    Changed {
        /// The worksheet.
        worksheet: String,
    },
    /// Rows cannot move to where they are.
    #[error("rows cannot move from the worksheet {worksheet:?} to itself")]
    SameWorksheet {
        /// The worksheet.
        worksheet: String,
    },
    /// A move was interrupted, and somebody edited one of the worksheets before it could be finished.
    #[error(
        "a move of rows was interrupted, and {file} was edited before it could be finished. What the file was to \
         become is in {prepared}: bring the two together in {file}, see that no row is in both worksheets, and \
         delete {record}",
        file = file.display(), prepared = prepared.display(), record = record.display()
    )]
    Interrupted {
        /// The worksheet's file.
        file: PathBuf,
        /// What it was to become.
        prepared: PathBuf,
        /// The record of the move.
        record: PathBuf,
    },
    /// Rows moved while somebody changed their order, and what that led to could not be put right.
    #[error(
        "somebody edited the worksheet {worksheet:?} in the moment in which finished rows moved, and what that led to \
         could not be put right: {reason}. Compare the worksheet with the spreadsheet's version history at Google: put \
         back {}, and delete rows that are in both worksheets",
        if missing.is_empty() { "rows that are missing".to_owned() } else {
            format!("what is missing of the rows that had the numbers {}", numbers(missing))
        }
    )]
    Unsettled {
        /// The worksheet that the rows moved from.
        worksheet: String,
        /// Rows that are not there as they were, by their numbers before the move.
        missing: Vec<RowNumber>,
        /// What stood in the way.
        reason: String,
    },
    /// Remarks were written while somebody changed the order of the rows, and took the places of notes that are
    /// not known to be back.
    #[error(
        "somebody edited the worksheet {worksheet:?} in the moment in which reasons were noted in it, and people's \
         notes at the first cells of the rows that had the numbers {} may be lost: see that they are there, or copy \
         them from the spreadsheet's version history at Google",
        numbers(rows)
    )]
    NotesLost {
        /// The worksheet.
        worksheet: String,
        /// The rows, by their numbers before the edit.
        rows: Vec<RowNumber>,
    },
    /// Marks were written while somebody changed the order of the rows again and again.
    #[error(
        "somebody changed the order of the rows of the worksheet {worksheet:?} in the moment in which marks were \
         written into its column {column}, and again while they were put right: compare the column with the \
         spreadsheet's version history at Google in the rows that have the numbers {}",
        numbers(rows)
    )]
    MarksAstray {
        /// The worksheet.
        worksheet: String,
        /// The letter of the column.
        column: String,
        /// The rows whose cell may hold what belongs to another one.
        rows: Vec<RowNumber>,
    },
    /// Google did not do what it was asked.
    #[error(transparent)]
    Google(#[from] GoogleError),
}

impl SheetError {
    /// Whether reading again and trying again may help without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Changed { .. } | Self::NotesLost { .. } => true,
            Self::Google(error) => error.remedy() == Remedy::Waiting,
            _ => false,
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// Numbers in order, where those that follow one another are told by the first and the last.
pub(crate) fn numbers(rows: &[RowNumber]) -> String {
    let run = |run: &[RowNumber]| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(ToString::to_string).collect(),
    };
    rows.chunk_by(|left, right| *right == left + 1).map(run).collect::<Vec<_>>().join(", ")
}

//! Reads and changes the site's spreadsheets.
//!
//! A spreadsheet has worksheets; each is a table of text cells whose first row is the header. Rows are
//! changed only if they are still what was read: people sort and edit these sheets while Usher works.
//!
//! Knows nothing of what the columns mean.

mod csv;
mod error;
mod google;
pub mod remark;

pub use csv::exported_rows;
pub use error::SheetError;
pub(crate) use error::numbers;
pub use google::{GoogleError, Remedy};

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::registration::{Row, RowNumber};
use crate::settings;
use remark::Remark;

/// One spreadsheet, wherever it is kept.
#[derive(Clone, Debug)]
pub enum Sheet {
    /// A folder of CSV files.
    Csv(csv::CsvSheet),
    /// A spreadsheet at Google.
    Google(google::GoogleSheet),
}

/// The spreadsheets of a site.
#[derive(Clone, Debug)]
pub struct Sheets {
    access: Option<Sheet>,
    /// Quotas, where the site has a sheet for them.
    pub quota: Option<Sheet>,
}

/// What a worksheet held when it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Name of the worksheet.
    pub worksheet: String,
    /// Every row, blank ones and the header too, numbered from 1.
    pub rows: Vec<Row>,
    /// Differs whenever anything in the worksheet differs.
    pub version: String,
}

/// Cells hold personal data and PINs.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("worksheet", &self.worksheet)
            .field("rows", &self.rows.len())
            .field("version", &self.version)
            .finish()
    }
}

/// What a move came to besides the rows that it moved, where somebody changed the order of the rows in the moment
/// of the move. Rows have the numbers of the snapshot that they were moved from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MoveOutcome {
    /// Rows that were deleted in the place of others, and were put back at the end of the worksheet.
    pub put_back: Vec<RowNumber>,
    /// Rows that are not there as they were, and were not put back, because a row that was not there before may
    /// be what somebody made of them in that moment.
    pub in_doubt: Vec<RowNumber>,
    /// Rows that are in both worksheets, because somebody edited them in that moment.
    pub in_both: Vec<RowNumber>,
    /// How many rows were deleted that nobody has read, because they were put in in that moment.
    pub unread: usize,
}

impl Sheets {
    /// The spreadsheets that the settings name. Looks at nothing yet.
    #[must_use]
    pub fn new(settings: Option<&settings::sheet::Sheet>) -> Self {
        match settings {
            None => Self { access: None, quota: None },
            Some(settings::sheet::Sheet::Csv(csv)) => {
                let folder = |folder: &PathBuf| Sheet::Csv(csv::CsvSheet::new(folder.clone()));
                Self { access: Some(folder(&csv.access)), quota: csv.quota.as_ref().map(folder) }
            }
            Some(settings::sheet::Sheet::Google(google)) => {
                let account = Arc::new(google::Access::new(google));
                let sheet = |id: &str| Sheet::Google(google::GoogleSheet::new(id, Arc::clone(&account)));
                Self { access: Some(sheet(&google.access)), quota: google.quota.as_deref().map(sheet) }
            }
        }
    }

    /// The sheet of accounts and projects.
    ///
    /// # Errors
    /// [`SheetError::NotSet`] where the site has none.
    pub fn access(&self) -> Result<&Sheet, SheetError> {
        self.access.as_ref().ok_or(SheetError::NotSet)
    }

    /// All of them, the access sheet first.
    pub fn iter(&self) -> impl Iterator<Item = &Sheet> {
        self.access.iter().chain(&self.quota)
    }
}

impl Sheet {
    /// Finds out whether the sheet is there. Answers the names of its worksheets. Changes nothing.
    ///
    /// # Errors
    /// Where it cannot.
    pub async fn check(&self) -> Result<Vec<String>, SheetError> {
        match self {
            Self::Csv(sheet) => sheet.check().await,
            Self::Google(sheet) => sheet.check().await,
        }
    }

    /// Finishes a move of rows that was interrupted, if there is one.
    ///
    /// # Errors
    /// Where it cannot be finished.
    pub async fn finish(&self) -> Result<(), SheetError> {
        match self {
            Self::Csv(sheet) => sheet.finish().await,
            // Google makes a move as a whole or not at all.
            Self::Google(_) => Ok(()),
        }
    }

    /// Reads a worksheet, as it is once an interrupted move has been finished. Changes nothing.
    ///
    /// # Errors
    /// Where there is none of that name, or it cannot be read.
    pub async fn read(&self, worksheet: &str) -> Result<Snapshot, SheetError> {
        match self {
            Self::Csv(sheet) => sheet.read(worksheet).await,
            Self::Google(sheet) => sheet.read(worksheet).await,
        }
    }

    /// Moves rows to the end of another worksheet, which is made where it is missing. All or nothing, also
    /// when the program is killed half-way: whoever changes the sheet next finishes the move.
    ///
    /// # Errors
    /// [`SheetError::Changed`] where the worksheet is not what was read; nothing has been moved then.
    pub async fn move_rows(
        &self,
        from: &Snapshot,
        rows: &[RowNumber],
        to: &str,
    ) -> Result<MoveOutcome, SheetError> {
        match self {
            Self::Csv(sheet) => sheet.move_rows(from, rows, to).await.map(|()| MoveOutcome::default()),
            Self::Google(sheet) => sheet.move_rows(from, rows, to).await,
        }
    }

    /// Writes a text into one cell of a row, whose column is counted from 0. The text is never evaluated as a
    /// formula.
    ///
    /// # Errors
    /// [`SheetError::Changed`] where the row at that number is not the expected one; nothing is written then.
    pub async fn mark(
        &self,
        worksheet: &str,
        expected: &Row,
        column: u32,
        text: &str,
    ) -> Result<(), SheetError> {
        match self {
            Self::Csv(sheet) => sheet.mark(worksheet, expected, column, text).await,
            Self::Google(sheet) => sheet.mark(worksheet, expected, column, text).await,
        }
    }

    /// Writes texts into cells of one column, counted from 0, of the rows with these numbers, all at once and none
    /// of them as a formula. The rows are those of the snapshot: where one is another row by now, or people change the
    /// order of the rows in that moment, no text stays in the place of another row.
    ///
    /// # Errors
    /// [`SheetError::Changed`] where the worksheet is not what was read. In a CSV file nothing is written then; at
    /// Google rows may have got their text, so read again and say for each what is to be written.
    /// [`SheetError::MarksAstray`] where a text may be in the place of another row for all that.
    pub async fn mark_cells(
        &self,
        seen: &Snapshot,
        column: u32,
        marks: &BTreeMap<RowNumber, String>,
    ) -> Result<(), SheetError> {
        match self {
            Self::Csv(sheet) => sheet.mark_cells(seen, column, marks).await,
            Self::Google(sheet) => sheet.mark_cells(seen, column, marks).await,
        }
    }

    /// Writes remarks beside rows, or takes Usher's own away where there is none to make: at Google as the note of
    /// the row's first cell, in a CSV file in a column of their own. Rows that are not named are left alone, and so
    /// is what somebody else wrote there: the numbers of rows where that is in the way are the answer.
    ///
    /// # Errors
    /// [`SheetError::Changed`] where the worksheet is not what was read. In a CSV file nothing is written then; at
    /// Google remarks may be beside other rows, so read again and say for each row what is to be there.
    /// [`SheetError::NotesLost`] where, besides, notes of people may have been overwritten.
    pub async fn remark(
        &self,
        seen: &Snapshot,
        remarks: &BTreeMap<RowNumber, Option<Remark>>,
    ) -> Result<Vec<RowNumber>, SheetError> {
        match self {
            Self::Csv(sheet) => sheet.remark(seen, remarks).await,
            Self::Google(sheet) => sheet.remark(seen, remarks).await,
        }
    }

    /// The cells of a row that people and the form have filled, without blank ones at the end.
    #[must_use]
    pub fn cells_of_people<'a>(&self, snapshot: &Snapshot, row: &'a Row) -> Vec<&'a str> {
        let own = match self {
            Self::Csv(_) => snapshot.rows.first().and_then(|header| remark::column(&header.cells)),
            Self::Google(_) => None,
        };
        let cells = row.cells.iter().enumerate();
        let mut cells: Vec<&str> =
            cells.map(|(at, cell)| if Some(at) == own { "" } else { cell.as_str() }).collect();
        cells.truncate(cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1));
        cells
    }

    /// Appends rows at the end of a worksheet. Cells are never evaluated as formulas.
    ///
    /// # Errors
    /// Where there is no such worksheet, or it cannot be changed.
    pub async fn append(&self, worksheet: &str, rows: &[Vec<String>]) -> Result<(), SheetError> {
        match self {
            Self::Csv(sheet) => sheet.append(worksheet, rows).await,
            Self::Google(sheet) => sheet.append(worksheet, rows).await,
        }
    }
}

/// The cells of a row without the blank ones at its end.
fn filled(cells: &[String]) -> &[String] {
    &cells[..cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1)]
}

/// Whether rows hold the same, where missing cells at the end are blank.
fn same_cells(left: &[String], right: &[String]) -> bool {
    filled(left) == filled(right)
}

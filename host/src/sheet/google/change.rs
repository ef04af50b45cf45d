//! The requests of a `spreadsheets.batchUpdate`, as the Sheets API reads them.
//!
//! The client library makes some kilobytes of each cell, because a cell can have a hundred properties: a thousand
//! rows that move would take a hundred megabytes. So a request has what Usher says and nothing else.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// All of a change.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Batch<'a> {
    pub requests: Vec<Request<'a>>,
    /// What is to be looked at after the change.
    #[serde(flatten)]
    pub look: Option<Look>,
}

/// A look at a range, which the answer to a change holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Look {
    include_spreadsheet_in_response: bool,
    response_include_grid_data: bool,
    response_ranges: [String; 1],
}

impl Look {
    pub(super) fn at(range: String) -> Self {
        Self {
            include_spreadsheet_in_response: true,
            response_include_grid_data: true,
            response_ranges: [range],
        }
    }
}

/// One request. The variants carry the names that they have in the API.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Request<'a> {
    /// A new worksheet.
    AddSheet {
        /// What it is called.
        properties: NewSheet<'a>,
    },
    /// Rows below the last one of a worksheet.
    AppendCells(AppendCells<'a>),
    /// Cells in place of others.
    UpdateCells(UpdateCells<'a>),
    /// Blank rows or columns at the end.
    AppendDimension(AppendDimension),
    /// Rows that go.
    DeleteDimension {
        /// Which.
        range: DimensionRange,
    },
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSheet<'a> {
    pub sheet_id: i32,
    pub title: &'a str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppendCells<'a> {
    pub fields: Field,
    pub rows: Vec<Cells<'a>>,
    pub sheet_id: i32,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct UpdateCells<'a> {
    pub fields: Field,
    pub rows: Vec<Cells<'a>>,
    pub start: Place,
}

/// A cell. Indices begin at 0.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    pub sheet_id: i32,
    pub row_index: i32,
    pub column_index: i32,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppendDimension {
    pub sheet_id: i32,
    pub dimension: Dimension,
    pub length: i32,
}

/// Some rows. Indices begin at 0, and the last one is not in it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DimensionRange {
    pub sheet_id: i32,
    pub dimension: Dimension,
    pub start_index: i32,
    pub end_index: i32,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Dimension {
    Rows,
    Columns,
}

/// The part of a cell that is written; others stay as they are.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Field {
    /// Its content.
    UserEnteredValue,
    /// The remark on it.
    Note,
}

/// What is written to a row, cell by cell.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cells<'a> {
    pub values: Vec<Cell<'a>>,
}

/// What is written to a cell.
#[derive(Clone, Debug)]
pub(super) enum Cell<'a> {
    /// A text, which Google never evaluates. A cell whose text is blank stays blank; an empty string would count as
    /// filled.
    Text(&'a str),
    /// A note; a blank one takes the note away.
    Note(&'a str),
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct StringValue<'a> {
            string_value: &'a str,
        }
        match self {
            Self::Text("") => serializer.serialize_map(Some(0))?.end(),
            Self::Text(text) => {
                let mut cell = serializer.serialize_map(Some(1))?;
                cell.serialize_entry("userEnteredValue", &StringValue { string_value: text })?;
                cell.end()
            }
            Self::Note(note) => {
                let mut cell = serializer.serialize_map(Some(1))?;
                cell.serialize_entry("note", note)?;
                cell.end()
            }
        }
    }
}

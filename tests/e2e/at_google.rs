//! A site whose sign-up sheet is at Google, by the emulator that Google's own clients work with.

use std::collections::BTreeMap;

use usher_tests::google_sheets::GoogleSheets;
use usher_tests::sheet::{AccessRow, DONE, REQUESTS};
use usher_tests::site::Site;

use crate::stage::Stage;

/// What reads a worksheet.
pub const READ: &str = "sheets.spreadsheets.values.get";
/// What lists the worksheets.
pub const LIST: &str = "sheets.spreadsheets.get";
/// What changes a spreadsheet.
pub const CHANGE: &str = "sheets.spreadsheets.batchUpdate";

/// A site whose access sheet is at Google.
pub struct AtGoogle {
    /// The services.
    pub stage: Stage,
    /// The emulator.
    pub google: GoogleSheets,
    /// The site.
    pub site: Site,
    /// The access sheet's id.
    pub spreadsheet: String,
    // Dropped after the emulator that writes into it.
    _folder: tempfile::TempDir,
}

impl AtGoogle {
    /// With these rows, and with the done worksheet or without one.
    pub fn new(rows: &[AccessRow], with_done: bool) -> Self {
        let stage = Stage::new();
        let folder = tempfile::Builder::new().prefix("usher-google-").tempdir().unwrap();
        let google = GoogleSheets::start(folder.path()).unwrap();
        let spreadsheet = google.create_access(rows, with_done).unwrap();
        let site = stage.site(&[]);
        site.use_google(&google, &spreadsheet).unwrap();
        google.calm().unwrap();
        Self { stage, google, site, spreadsheet, _folder: folder }
    }

    /// The rows that wait, header first.
    pub fn requests(&self) -> Vec<Vec<String>> {
        self.google.rows(&self.spreadsheet, REQUESTS).unwrap().unwrap()
    }

    /// The rows that were finished, header first.
    pub fn done(&self) -> Vec<Vec<String>> {
        self.google.rows(&self.spreadsheet, DONE).unwrap().unwrap()
    }

    /// The notes in the worksheet that the form fills, by cell.
    pub fn notes(&self) -> BTreeMap<String, String> {
        self.google.notes(&self.spreadsheet, REQUESTS).unwrap()
    }

    /// What a person does to the access sheet.
    pub fn edit(&self, edit: serde_json::Value) {
        self.google.edit(&self.spreadsheet, &serde_json::Value::Array(vec![edit])).unwrap();
    }

    /// The addresses in the rows below the header.
    pub fn addresses(rows: &[Vec<String>]) -> Vec<&str> {
        rows[1..].iter().map(|row| row[4].as_str()).collect()
    }
}

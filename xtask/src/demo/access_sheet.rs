//! Where the demo's access sheet is: in CSV files, or at an emulator of Google.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use usher_tests::google_sheets::GoogleSheets;
use usher_tests::sheet::{self, DONE, REQUESTS};
use usher_tests::site::Site;

/// Where the sheet is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// CSV files.
    Files,
    /// The emulator.
    Google,
}

/// The access sheet.
pub enum AccessSheet {
    /// CSV files of the site.
    Files,
    /// A spreadsheet.
    Google {
        /// The emulator, which ends with this value.
        google: GoogleSheets,
        /// The spreadsheet's id.
        spreadsheet: String,
    },
}

impl AccessSheet {
    /// Brings the sheet to its place, and says where that is. The emulator keeps its files in `folder`.
    pub fn prepare(place: Place, site: &Site, folder: &Path) -> Result<Self> {
        let file = |worksheet: &str| site.access().join(format!("{worksheet}.csv"));
        if place == Place::Files {
            println!("sheet           {}", file(REQUESTS).display());
            return Ok(Self::Files);
        }
        fs::create_dir_all(folder)?;
        let google = GoogleSheets::start(folder)?;
        let (requests, done) = (sheet::read(&file(REQUESTS))?, sheet::read(&file(DONE))?);
        let spreadsheet = google.create(&[(REQUESTS, &requests), (DONE, &done)])?;
        site.use_google(&google, &spreadsheet)?;
        println!("Google Sheets   {} (an emulator), spreadsheet {spreadsheet}", google.url());
        println!("                {}control/spreadsheets/{spreadsheet} shows it", google.url());
        Ok(Self::Google { google, spreadsheet })
    }

    /// Forgets which calls were made of the emulator.
    pub fn count_calls_from_now(&self) -> Result<()> {
        match self {
            Self::Files => Ok(()),
            Self::Google { google, .. } => google.calm(),
        }
    }

    /// Says how many calls the emulator has answered.
    pub fn tell_calls(&self) -> Result<()> {
        let Self::Google { google, .. } = self else { return Ok(()) };
        let calls = google.calls()?;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for call in &calls {
            *counts.entry(call.trim_start_matches("sheets.")).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(call, count)| format!("{count} {call}")).collect();
        println!("{} calls of the Sheets API: {}", calls.len(), counts.join(", "));
        google.expect_order()
    }

    /// The rows of the done worksheet, header first.
    pub fn done(&self, site: &Site) -> Result<Vec<Vec<String>>> {
        match self {
            Self::Files => site.done(),
            Self::Google { google, spreadsheet } => {
                google.rows(spreadsheet, DONE)?.context("the done worksheet is gone")
            }
        }
    }
}

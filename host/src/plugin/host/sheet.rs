//! `sheet`: reading and marking the site's sheets.
//!
//! A site may have two spreadsheets. A worksheet is looked for in the access sheet first, then in
//! the quota sheet.

use wasmtime::Result;

use crate::plugin::bindings::interfaces::sheet::{Error, Host};
use crate::plugin::bindings::interfaces::types::Row;
use crate::plugin::capabilities::ABSENT;
use crate::plugin::rehearsal::REFUSAL;
use crate::plugin::sheet_rows::{row_from_wit, row_to_wit};
use crate::plugin::state::State;
use crate::sheet::{Sheet, SheetError};

impl Host for State {
    async fn read(&mut self, worksheet: String) -> Result<Result<Vec<Row>, Error>> {
        self.count_host_call()?;
        let mut search = Search::default();
        for sheet in sheets(self) {
            if let Some(found) = search.settle(sheet.read(&worksheet).await) {
                return Ok(found.map(|snapshot| snapshot.rows.into_iter().map(row_to_wit).collect()));
            }
        }
        Ok(Err(search.without_success()))
    }

    async fn mark(
        &mut self,
        worksheet: String,
        expected: Row,
        column: u32,
        text: String,
    ) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        if self.rehearsal.is_some() {
            return Ok(Err(Error::Unavailable(REFUSAL.to_owned())));
        }
        let expected = row_from_wit(expected);
        let mut search = Search::default();
        for sheet in sheets(self) {
            if let Some(done) = search.settle(sheet.mark(&worksheet, &expected, column, &text).await) {
                return Ok(done);
            }
        }
        Ok(Err(search.without_success()))
    }

    async fn append(&mut self, worksheet: String, rows: Vec<Vec<String>>) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        if self.rehearsal.is_some() {
            return Ok(Err(Error::Unavailable(REFUSAL.to_owned())));
        }
        let mut search = Search::default();
        for sheet in sheets(self) {
            if let Some(done) = search.settle(sheet.append(&worksheet, &rows).await) {
                return Ok(done);
            }
        }
        Ok(Err(search.without_success()))
    }
}

fn sheets(state: &State) -> Vec<Sheet> {
    state.profile.capabilities.sheets.clone()
}

/// The search for the sheet that has a worksheet.
#[derive(Default)]
struct Search {
    searched: bool,
    /// The worksheets of the sheets that were searched.
    there: Vec<String>,
}

impl Search {
    /// The answer of the sheet that has the worksheet; none where the next sheet has to be tried.
    fn settle<T>(&mut self, answer: Result<T, SheetError>) -> Option<Result<T, Error>> {
        self.searched = true;
        match answer {
            Err(SheetError::NoSuchWorksheet { there, .. }) => {
                self.there.extend(there);
                None
            }
            Err(error @ SheetError::Changed { .. }) => Some(Err(Error::Changed(error.to_string()))),
            Err(error) => Some(Err(Error::Unavailable(error.to_string()))),
            Ok(done) => Some(Ok(done)),
        }
    }

    fn without_success(self) -> Error {
        if self.searched {
            Error::NoSuchWorksheet(format!("there are {}", self.there.join(", ")))
        } else {
            Error::Unavailable(ABSENT.to_owned())
        }
    }
}

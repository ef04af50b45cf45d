//! `sheet`: reading and marking the site's sheets.
//!
//! A site may have two spreadsheets. A worksheet is looked for in the access sheet first, then in
//! the quota sheet.

use wasmtime::Result;

use crate::plugin::bindings::interfaces::sheet::{Error, Host};
use crate::plugin::bindings::interfaces::types::Row;
use crate::plugin::capabilities::ABSENT;
use crate::plugin::sheet_rows::{row_from_wit, row_to_wit};
use crate::plugin::state::State;
use crate::sheet::{Sheet, SheetError};

impl Host for State {
    async fn read(&mut self, worksheet: String) -> Result<Result<Vec<Row>, Error>> {
        self.count_host_call()?;
        let snapshot = in_any(sheets(self), async |sheet| sheet.read(&worksheet).await).await;
        Ok(snapshot.map(|snapshot| snapshot.rows.into_iter().map(row_to_wit).collect()))
    }

    async fn mark(
        &mut self,
        worksheet: String,
        expected: Row,
        column: u32,
        text: String,
    ) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        let expected = row_from_wit(expected);
        Ok(in_any(sheets(self), async |sheet| sheet.mark(&worksheet, &expected, column, &text).await).await)
    }

    async fn append(&mut self, worksheet: String, rows: Vec<Vec<String>>) -> Result<Result<(), Error>> {
        self.count_host_call()?;
        Ok(in_any(sheets(self), async |sheet| sheet.append(&worksheet, &rows).await).await)
    }
}

fn sheets(state: &State) -> Vec<Sheet> {
    state.profile.capabilities.sheets.clone()
}

/// Does something in the first sheet that has the worksheet.
async fn in_any<T>(
    sheets: Vec<Sheet>,
    act: impl AsyncFn(&Sheet) -> Result<T, SheetError>,
) -> Result<T, Error> {
    if sheets.is_empty() {
        return Err(Error::Unavailable(ABSENT.to_owned()));
    }
    let mut all = Vec::new();
    for sheet in &sheets {
        match act(sheet).await {
            Err(SheetError::NoSuchWorksheet { there, .. }) => all.extend(there),
            Err(error) => return Err(other(&error)),
            Ok(done) => return Ok(done),
        }
    }
    Err(Error::NoSuchWorksheet(format!("there are {}", all.join(", "))))
}

fn other(error: &SheetError) -> Error {
    match error {
        SheetError::Changed { .. } => Error::Changed(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}

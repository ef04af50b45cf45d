//! A spreadsheet that is kept by Google.
//!
//! Reads and writes through the Sheets API v4 with a service account, to which the spreadsheet has to be
//! shared. Cells are read as people see them and written as plain text, so that nothing that was typed into
//! the form is ever evaluated as a formula.
//!
//! How many calls are made does not depend on how many rows there are: one to read a worksheet, two to
//! move any number of rows. A move is one `spreadsheets.batchUpdate`, of which Google applies all or
//! nothing. Google has no way to make a change depend on what a row holds. So the caller reads the
//! worksheet immediately before, and what it read goes with the move; between that reading and the move
//! lies the time of one call, in which nobody can be kept from sorting the sheet. Whether somebody did, the
//! answer to the move tells, and what was deleted in the place of another row is put back where the rows as
//! they are then leave no doubt.

mod account;
mod api;
mod change;
mod error;
mod grid;
mod marks;
mod names;
mod notes;
mod pace;
mod repair;
mod requests;
mod settle;
mod witness;

use std::sync::Arc;

use google_sheets4::api::SheetProperties;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

pub use error::{GoogleError, Remedy};

use crate::registration::{Row, RowNumber};
use crate::settings;
use crate::sheet::{MoveOutcome, SheetError, Snapshot};
use account::Account;
use api::Api;
use witness::Witness;

/// A spreadsheet that is kept by Google.
#[derive(Clone, Debug)]
pub struct GoogleSheet {
    /// The id, as in the spreadsheet's URL.
    id: Arc<str>,
    access: Arc<Access>,
}

/// The way to Google, which all spreadsheets of a site share.
#[derive(Debug)]
pub struct Access {
    settings: settings::sheet::Google,
    api: OnceCell<Api>,
}

impl Access {
    /// Looks at nothing yet: the key file is read when something is asked of Google.
    #[must_use]
    pub fn new(settings: &settings::sheet::Google) -> Self {
        Self { settings: settings.clone(), api: OnceCell::new() }
    }

    async fn api(&self) -> Result<&Api, GoogleError> {
        let connect = async || {
            let account = Account::read(&self.settings.credentials).await?;
            Api::new(account, &self.settings).await
        };
        self.api.get_or_try_init(connect).await
    }
}

impl GoogleSheet {
    /// The spreadsheet with this id. Looks at nothing yet.
    #[must_use]
    pub fn new(id: &str, access: Arc<Access>) -> Self {
        Self { id: id.into(), access }
    }

    /// See [`super::Sheet::check`].
    pub(super) async fn check(&self) -> Result<Vec<String>, SheetError> {
        Ok(self.worksheets().await?.into_iter().filter_map(|sheet| sheet.title).collect())
    }

    /// See [`super::Sheet::read`].
    pub(super) async fn read(&self, worksheet: &str) -> Result<Snapshot, SheetError> {
        let read = self.access.api().await?.values(&self.id, &names::range(worksheet)).await;
        let cells = match read {
            Ok(cells) => cells,
            // Google does not tell an unknown worksheet from a range that it cannot read.
            Err(error) if error.is_about_the_request() => {
                self.worksheet(worksheet).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        let mut hash = Sha256::new();
        let mut rows = Vec::with_capacity(cells.len());
        for (number, cells) in (1..).zip(cells) {
            for cell in &cells {
                hash.update(cell.len().to_be_bytes());
                hash.update(cell);
            }
            hash.update(b"\n");
            rows.push(Row { number, cells });
        }
        Ok(Snapshot { worksheet: worksheet.to_owned(), rows, version: hex::encode(hash.finalize()) })
    }

    /// See [`super::Sheet::move_rows`].
    pub(super) async fn move_rows(
        &self,
        from: &Snapshot,
        rows: &[RowNumber],
        to: &str,
    ) -> Result<MoveOutcome, SheetError> {
        if from.worksheet == to {
            return Err(SheetError::SameWorksheet { worksheet: to.to_owned() });
        }
        if rows.is_empty() {
            return Ok(MoveOutcome::default());
        }
        let worksheets = self.worksheets().await?;
        let source = find(&worksheets, &from.worksheet)?;
        let target = match find(&worksheets, to) {
            Ok(target) => Some(target),
            Err(SheetError::NoSuchWorksheet { .. }) => None,
            Err(error) => return Err(error),
        };
        let requests = requests::move_rows(from, rows, source, target, to)
            .ok_or_else(|| SheetError::Changed { worksheet: from.worksheet.clone() })?;
        let Some(witness) = Witness::of(&from.rows) else {
            return Err(SheetError::Changed { worksheet: from.worksheet.clone() });
        };
        let range = names::column(&from.worksheet, witness.column);
        let mut after = match self.access.api().await?.change(&self.id, requests, Some(range)).await {
            Ok(after) => after,
            Err(error @ GoogleError::Uncertain { .. }) => {
                return self.settle_uncertain(from, rows, source, to, error).await;
            }
            Err(error) => return Err(error.into()),
        };
        if witness.shows_gone(from, rows, &after.texts(0)) {
            return Ok(MoveOutcome::default());
        }
        self.settle(from, rows, source).await
    }

    /// See [`super::Sheet::mark`].
    pub(super) async fn mark(
        &self,
        worksheet: &str,
        expected: &Row,
        column: u32,
        text: &str,
    ) -> Result<(), SheetError> {
        let snapshot = self.read(worksheet).await?;
        let there = snapshot.rows.get((expected.number as usize).wrapping_sub(1));
        if !there.is_some_and(|there| super::same_cells(&there.cells, &expected.cells)) {
            return Err(SheetError::Changed { worksheet: worksheet.to_owned() });
        }
        let sheet = self.worksheet(worksheet).await?;
        let request = requests::write_cell(&sheet, expected.number, column, text);
        self.access.api().await?.change(&self.id, request, None).await?;
        Ok(())
    }

    /// See [`super::Sheet::append`].
    pub(super) async fn append(&self, worksheet: &str, rows: &[Vec<String>]) -> Result<(), SheetError> {
        let sheet = self.worksheet(worksheet).await?;
        let request = requests::append(sheet.sheet_id.unwrap_or_default(), rows);
        self.access.api().await?.change(&self.id, vec![request], None).await?;
        Ok(())
    }

    async fn worksheets(&self) -> Result<Vec<SheetProperties>, SheetError> {
        Ok(self.access.api().await?.worksheets(&self.id).await?)
    }

    async fn worksheet(&self, name: &str) -> Result<SheetProperties, SheetError> {
        find(&self.worksheets().await?, name).cloned()
    }
}

fn find<'a>(worksheets: &'a [SheetProperties], name: &str) -> Result<&'a SheetProperties, SheetError> {
    worksheets.iter().find(|sheet| sheet.title.as_deref() == Some(name)).ok_or_else(|| {
        SheetError::NoSuchWorksheet {
            worksheet: name.to_owned(),
            there: worksheets.iter().filter_map(|sheet| sheet.title.clone()).collect(),
        }
    })
}

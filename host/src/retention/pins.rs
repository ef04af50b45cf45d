//! PINs in the done worksheet: the form wrote them there in clear, and nobody needs them once a request is finished.
//!
//! Only rows of requests that Usher itself has finished and moved are touched, found by their requests.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::app::App;
use crate::batch::BatchError;
use crate::batch::source::{Source, key};
use crate::registration::{RowNumber, SheetKind};
use crate::sheet::SheetError;

/// How often a sheet that changes between reading and writing is read again.
const ATTEMPTS: u32 = 5;

/// Empties the cells of PINs in rows that moved before a moment. Answers how many there were.
pub(super) async fn erase(app: &App, before: Timestamp, dry_run: bool) -> Result<u64, BatchError> {
    let Ok(sheet) = app.sheets.access() else { return Ok(0) };
    let parser = app.row_parser().await?;
    let layout = parser.describe().await?.access;
    let Some(column) = layout.pin_column else { return Ok(0) };
    let source = Source { app, kind: SheetKind::Access, sheet, parser: &parser, layout: &layout };
    let mut attempt = 1;
    loop {
        let snapshot = match source.sheet.read(&layout.done).await {
            Ok(snapshot) => snapshot,
            // Nothing has ever moved there.
            Err(SheetError::NoSuchWorksheet { .. }) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let has_pin = |number: RowNumber| {
            let cells = snapshot.rows.get((number as usize).wrapping_sub(1)).map(|row| &row.cells);
            cells.and_then(|cells| cells.get(column as usize)).is_some_and(|cell| !cell.trim().is_empty())
        };
        let rows = source.parse(&snapshot.rows).await?;
        let with_pin: Vec<(RowNumber, &str)> = rows
            .iter()
            .filter(|row| has_pin(row.number))
            .filter_map(|row| Some((row.number, key(row)?)))
            .collect();
        let keys: Vec<&str> = with_pin.iter().map(|(_, key)| *key).collect();
        let moved = app.database.moved_before(SheetKind::Access, &keys, before).await?;
        let emptied: BTreeMap<RowNumber, String> = with_pin
            .iter()
            .filter(|(_, key)| moved.contains(*key))
            .map(|(number, _)| (*number, String::new()))
            .collect();
        let count = emptied.len() as u64;
        if dry_run || emptied.is_empty() {
            return Ok(count);
        }
        match source.sheet.mark_cells(&snapshot, column, &emptied).await {
            Err(SheetError::Changed { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(count),
        }
    }
}

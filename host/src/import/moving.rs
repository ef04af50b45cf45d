//! Moving finished rows from the request worksheet to the done worksheet.
//!
//! Rows are found by the key of their request in the sheet as it is now, never by where they were
//! when they were read.

use std::collections::{BTreeMap, BTreeSet};

use super::{ImportError, ready_key};
use crate::app::App;
use crate::plugin::RowParser;
use crate::registration::{Layout, Outcome, Parsed, RowNumber, SheetKind};
use crate::sheet::SheetError;

/// How often a sheet that changes between reading and moving is read again.
const ATTEMPTS: u32 = 5;

/// Notes which rows of finished requests are in the done worksheet already: an earlier run may have
/// ended between the move and its note. A copy of such a row in the request worksheet is then not
/// taken for the row itself.
pub(super) async fn recognise_moved(
    app: &App,
    parser: &RowParser,
    layout: &Layout,
) -> Result<(), ImportError> {
    let unmoved = app.database.unmoved_requests(SheetKind::Access).await?;
    if unmoved.is_empty() {
        return Ok(());
    }
    let snapshot = match app.access_sheet.read(&layout.access.done).await {
        Ok(snapshot) => snapshot,
        // Nothing has ever moved there.
        Err(SheetError::NoSuchWorksheet { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Parsed { rows } = parser.parse_rows(SheetKind::Access, &snapshot.rows).await?;
    let keys: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Request(request) => Some(request.key.as_str()),
            Outcome::Rejected(_) => None,
        })
        .collect();
    let moved: Vec<i64> = unmoved
        .iter()
        .filter(|request| keys.contains(request.key.as_str()))
        .map(|request| request.id)
        .collect();
    app.database.mark_moved(&moved, app.clock.now()).await?;
    Ok(())
}

/// Moves the rows of the requests with these keys, and answers how many.
pub(super) async fn move_finished(
    app: &App,
    parser: &RowParser,
    layout: &Layout,
    keys: &BTreeSet<String>,
) -> Result<usize, ImportError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let mut attempt = 1;
    loop {
        let snapshot = app.access_sheet.read(&layout.access.requests).await?;
        let Parsed { rows } = parser.parse_rows(SheetKind::Access, &snapshot.rows).await?;
        // Of twins, the first is the one that was processed.
        let mut found: BTreeMap<&str, RowNumber> = BTreeMap::new();
        for row in &rows {
            if let Some(key) = ready_key(row).filter(|key| keys.contains(*key)) {
                found.entry(key).or_insert(row.number);
            }
        }
        let mut numbers: Vec<RowNumber> = found.values().copied().collect();
        numbers.sort_unstable();
        if !numbers.is_empty() {
            match app.access_sheet.move_rows(&snapshot, &numbers, &layout.access.done).await {
                Ok(()) => {}
                Err(SheetError::Changed { .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        note_moved(app, keys, &found).await?;
        return Ok(numbers.len());
    }
}

/// A finished request whose row somebody has taken out of the sheet meanwhile counts as moved too:
/// there is nothing left to move.
async fn note_moved(
    app: &App,
    keys: &BTreeSet<String>,
    found: &BTreeMap<&str, RowNumber>,
) -> Result<(), ImportError> {
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    let known = app.database.known_requests(SheetKind::Access, &all).await?;
    for request in known.values().filter(|request| !found.contains_key(request.key.as_str())) {
        tracing::warn!(
            request = request.id,
            "the row of a finished request is no longer in the request worksheet"
        );
    }
    let ids: Vec<i64> = known.values().map(|request| request.id).collect();
    app.database.mark_moved(&ids, app.clock.now()).await?;
    Ok(())
}

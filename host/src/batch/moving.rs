//! Moving finished rows from the request worksheet to the done worksheet.
//!
//! Rows are found by the key of their request in the sheet as it is now, never by where they were
//! when they were read.

use std::collections::{BTreeMap, BTreeSet};

use super::BatchError;
use super::exclusive::{Exclusive, ExclusiveError};
use super::report::counted;
use super::source::{Source, key};
use crate::fail_point;
use crate::registration::{Outcome, ParsedRow, RowNumber, SheetLayout};
use crate::sheet::{MoveOutcome, SheetError, numbers};

/// How often a sheet that changes between reading and moving is read again.
const ATTEMPTS: u32 = 5;

/// Notes which rows of finished requests are in the done worksheet already: an earlier run may have
/// ended between the move and its note. A copy of such a row in the request worksheet is then not
/// taken for the row itself.
pub(super) async fn recognise_moved(source: &Source<'_>) -> Result<(), BatchError> {
    let Source { app, kind, sheet, layout, .. } = *source;
    if app.database.unmoved_requests(kind).await?.is_empty() {
        return Ok(());
    }
    let snapshot = match sheet.read(&layout.done).await {
        Ok(snapshot) => snapshot,
        // Nothing has ever moved there.
        Err(SheetError::NoSuchWorksheet { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let rows = match source.parse(&snapshot.rows).await {
        Ok(parsed) => parsed,
        // The rows stay known as finished but unmoved, which costs another look by the next run.
        Err(error) => {
            tracing::warn!(%error, worksheet = layout.done, "cannot tell which rows have moved already");
            return Ok(());
        }
    };
    let keys: BTreeSet<&str> = rows.iter().filter_map(key).collect();
    let moved = app.database.unmoved_among(kind, &keys).await?;
    app.database.mark_moved(&moved, app.clock.now()).await?;
    Ok(())
}

/// What moving came to.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// How many rows moved.
    pub rows: usize,
    /// What the operator should know.
    pub notices: Vec<String>,
}

/// Moves the rows of the requests with these keys.
pub(super) async fn move_finished(
    source: &Source<'_>,
    keys: &BTreeSet<String>,
    exclusive: &Exclusive,
) -> Result<Moved, BatchError> {
    let Source { app, kind, sheet, layout, .. } = *source;
    if keys.is_empty() {
        return Ok(Moved::default());
    }
    let mut attempt = 1;
    loop {
        let snapshot = sheet.read(&layout.requests).await?;
        let rows = source.parse(&snapshot.rows).await?;
        // Of twins, the first is the one that was processed.
        let mut found: BTreeMap<&str, RowNumber> = BTreeMap::new();
        for row in &rows {
            if let Some(key) = source.key_to_move(row).filter(|key| keys.contains(*key)) {
                found.entry(key).or_insert(row.number);
            }
        }
        let mut finished: Vec<RowNumber> = found.values().copied().collect();
        finished.sort_unstable();
        let mut outcome = MoveOutcome::default();
        if !finished.is_empty() {
            fail_point::reached(|| "rows to move".to_owned());
            if exclusive.is_lost() {
                return Err(ExclusiveError::Lost.into());
            }
            match sheet.move_rows(&snapshot, &finished, &layout.done).await {
                Ok(moved) => outcome = moved,
                Err(SheetError::Changed { .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        fail_point::reached(|| "rows moved and not noted".to_owned());
        let moved: Vec<&str> = found.keys().copied().collect();
        let known = app.database.known_requests(kind, &moved).await?;
        let ids: Vec<i64> = known.values().map(|request| request.id).collect();
        app.database.mark_moved(&ids, app.clock.now()).await?;
        let left = keys.iter().filter(|key| !found.contains_key(key.as_str()));
        let mut notices: Vec<String> = left.map(|key| not_moved(key)).collect();
        notices.extend(outcome.put_back.iter().map(|number| put_back(&rows, *number)));
        notices.extend(outcome.in_both.iter().map(|number| in_both(&rows, *number, layout)));
        if !outcome.in_doubt.is_empty() {
            notices.push(in_doubt(&rows, &outcome.in_doubt, layout));
        }
        if outcome.unread > 0 {
            notices.push(unread(outcome.unread, layout));
        }
        return Ok(Moved { rows: finished.len(), notices });
    }
}

/// Somebody edited or took out the row while its request was processed. It stays known as finished,
/// so that it moves as soon as it is there and approved again.
fn not_moved(key: &str) -> String {
    format!(
        "the request \"{key}\" is finished, but its row has not moved: it is gone from the request worksheet, or \
         was edited so that it is not an approved one any more; the next run that finds it approved moves it"
    )
}

/// Somebody changed the order of the rows in the moment of the move.
fn put_back(rows: &[ParsedRow], number: RowNumber) -> String {
    format!(
        "somebody edited the sheet in the moment in which finished rows moved, so that {} was deleted in the place of \
         another row; it was put back at the end of the worksheet, without formats and notes, which are in the \
         spreadsheet's version history",
        named(rows, number)
    )
}

fn in_both(rows: &[ParsedRow], number: RowNumber, layout: &SheetLayout) -> String {
    format!(
        "somebody edited {} in the moment in which it moved, so that it is in the worksheet \"{}\" as it was and still \
         in \"{}\" as it is now: delete it there",
        named(rows, number),
        layout.done,
        layout.requests
    )
}

/// The rows may be many, as after a text was replaced in all of them.
fn in_doubt(rows: &[ParsedRow], doubtful: &[RowNumber], layout: &SheetLayout) -> String {
    let which = match doubtful {
        [number] => named(rows, *number),
        _ => format!("the rows that had the numbers {}", numbers(doubtful)),
    };
    format!(
        "somebody edited the worksheet \"{}\" in the moment in which finished rows moved, and {which} cannot be found \
         as before; rows like that are there, so nothing was put back: see in the spreadsheet's version history \
         that nothing is missing",
        layout.requests
    )
}

fn unread(count: usize, layout: &SheetLayout) -> String {
    format!(
        "somebody put rows into the worksheet \"{}\" in the moment in which finished ones moved, and {} deleted before \
         anybody could read {}: look for what is missing in the spreadsheet's version history",
        layout.requests,
        counted(count, "row was", "rows were"),
        if count == 1 { "it" } else { "them" }
    )
}

/// A row that moved, or stayed, by the number that it had.
fn named(rows: &[ParsedRow], number: RowNumber) -> String {
    match rows.iter().find(|row| row.number == number).map(|row| &row.outcome) {
        Some(Outcome::Request(request)) => format!("row {number} (the request \"{}\")", request.key),
        Some(Outcome::Rejected(rejection)) if !rejection.requester.is_empty() => {
            format!("row {number} (of {})", rejection.requester)
        }
        _ => format!("row {number}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::database::{Outlived, RequestState, finish_request_in};
    use crate::notices::tests::{Site, requests};
    use crate::registration::SheetKind;

    const KEY: &str = "2018-03-14T15:48:48 a@example.org";

    /// Nobody has noted that the row moved before the request's name was erased.
    #[tokio::test]
    async fn a_row_that_moved_is_recognised_although_its_request_has_lost_its_name() {
        let site = Site::new("").await;
        let (app, now) = (&site.app, site.app.clock.now());
        let run = app.database.begin_run("import", now).await.unwrap();
        for key in [KEY, "another"] {
            let batch = [(key, key.to_owned())];
            let request =
                app.database.take_up_requests(SheetKind::Access, &batch, run, now).await.unwrap().remove(0);
            let mut transaction = app.database.begin().await.unwrap();
            finish_request_in(&mut transaction, request.id, now).await.unwrap();
            transaction.commit().await.unwrap();
        }
        site.pass(1);
        let now = app.clock.now();
        assert_eq!(app.database.erase_outlived(Outlived::Requests, now).await.unwrap(), 2);

        let row = "Approved,14 Mar 2018 16:00:00,,3/14/2018 15:48:48,a@example.org,New,User,No,,,,,4821,,,,,,Genomics,,\n";
        let header = fs::read_to_string(requests(site.folder(), "access")).unwrap();
        fs::write(site.folder().join("access/Current Users.csv"), header + row).unwrap();
        let parser = app.row_parser().await.unwrap();
        let layout = parser.describe().await.unwrap().access;
        let sheet = app.sheets.access().unwrap();
        let source = Source { app, kind: SheetKind::Access, sheet, parser: &parser, layout: &layout };
        recognise_moved(&source).await.unwrap();
        let known = app.database.known_requests(SheetKind::Access, &[KEY, "another"]).await.unwrap();
        assert_eq!(known[KEY].state, RequestState::Moved);
        assert_eq!(known["another"].state, RequestState::Done, "its row is not there");
        // What counts from the move on counts from now on.
        let soon = now + jiff::SignedDuration::from_secs(1);
        let moved = app.database.moved_before(SheetKind::Access, &[KEY], soon).await.unwrap();
        assert_eq!(moved.len(), 1);
    }
}

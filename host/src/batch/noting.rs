//! Writing the reasons beside the rows that could not be processed, where the site wants that.
//!
//! Rows are found by their cells in the sheet as it is now. A row that somebody has edited since it was
//! read gets no remark: the next run reads it anew.

use std::collections::{BTreeMap, HashMap};

use super::report::{ReportedRow, RowOutcome};
use super::source::Source;
use crate::registration::{Row, RowNumber};
use crate::sheet::remark::Remark;
use crate::sheet::{Sheet, SheetError, Snapshot, numbers};

/// How often a sheet that changes between reading and writing is read again.
const ATTEMPTS: u32 = 4;

/// What a place in the sheet is to say about a row: nothing, where nothing is wrong with it.
type Remarks = BTreeMap<RowNumber, Option<Remark>>;

/// Writes the reasons, and takes away those that do not hold any more. `seen` is what the rows were read
/// from. Answers what the operator should know; that the sheet has no remarks is no failure of a run.
pub(super) async fn note_problems(source: &Source<'_>, seen: &Snapshot, rows: &[ReportedRow]) -> Vec<String> {
    let mut notices = Vec::new();
    match write(source, seen, rows, &mut notices).await {
        Ok(in_the_way) if in_the_way.is_empty() => {}
        Ok(in_the_way) => notices.push(format!(
            "no reason was written beside these rows, because somebody else's text is there: {}",
            numbers(&in_the_way)
        )),
        Err(error) => {
            notices.push(format!("the reasons could not be written beside the rows of the sheet: {error}"));
        }
    }
    notices
}

async fn write(
    source: &Source<'_>,
    seen: &Snapshot,
    rows: &[ReportedRow],
    notices: &mut Vec<String>,
) -> Result<Vec<RowNumber>, SheetError> {
    let (app, sheet) = (source.app, source.sheet);
    let zone = app.settings.site.time_zone.clone();
    let when = app.clock.now().to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string();
    let mut attempt = 1;
    loop {
        let now = sheet.read(&seen.worksheet).await?;
        let remarks = place(sheet, seen, &now, rows, &when);
        if remarks.is_empty() {
            return Ok(Vec::new());
        }
        match sheet.remark(&now, &remarks).await {
            Err(SheetError::Changed { .. }) if attempt < ATTEMPTS => attempt += 1,
            // The next attempt finds nothing of it any more.
            Err(error @ SheetError::NotesLost { .. }) if attempt < ATTEMPTS => {
                notices.push(error.to_string());
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Finds the rows again.
fn place(sheet: &Sheet, seen: &Snapshot, now: &Snapshot, rows: &[ReportedRow], when: &str) -> Remarks {
    let mut there: HashMap<Vec<&str>, Vec<RowNumber>> = HashMap::new();
    for row in &now.rows {
        there.entry(sheet.cells_of_people(now, row)).or_default().push(row.number);
    }
    let mut reported: HashMap<Vec<&str>, Vec<&ReportedRow>> = HashMap::new();
    for row in rows {
        if let Some(read) = row_with(seen, row.row) {
            reported.entry(sheet.cells_of_people(seen, read)).or_default().push(row);
        }
    }
    let mut remarks = Remarks::new();
    for (cells, rows) in reported {
        let Some(numbers) = there.get(&cells) else { continue };
        for (number, row) in pair(numbers, &rows) {
            let reason = row.error.as_deref().filter(|_| row.outcome.is_problem());
            remarks.insert(number, reason.map(|reason| Remark::new(when, reason)));
        }
    }
    remarks
}

fn row_with(snapshot: &Snapshot, number: RowNumber) -> Option<&Row> {
    snapshot.rows.get((number as usize).checked_sub(1)?)
}

/// Rows whose cells are all alike are told apart by their order, which is as good as any other. Where there
/// are neither as many of them as there were nor as many as were left, nobody knows which is which.
fn pair<'a>(numbers: &[RowNumber], rows: &[&'a ReportedRow]) -> Vec<(RowNumber, &'a ReportedRow)> {
    let is_finished = |row: &ReportedRow| matches!(row.outcome, RowOutcome::Done | RowOutcome::Finished);
    let left: Vec<&ReportedRow> = rows.iter().copied().filter(|row| !is_finished(row)).collect();
    let rows = if numbers.len() == rows.len() { rows } else { &left };
    if numbers.len() != rows.len() {
        return Vec::new();
    }
    numbers.iter().copied().zip(rows.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: RowNumber, outcome: RowOutcome) -> ReportedRow {
        ReportedRow {
            row: number,
            user: String::new(),
            project: String::new(),
            outcome,
            done: Vec::new(),
            error: Some("why".to_owned()),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn rows_that_are_alike_are_paired_by_their_order_or_not_at_all() {
        let (first, second) = (row(2, RowOutcome::Done), row(5, RowOutcome::Rejected));
        let rows = [&first, &second];
        let pairs = |numbers: &[RowNumber]| -> Vec<_> {
            pair(numbers, &rows).into_iter().map(|(number, row)| (number, row.row)).collect()
        };
        assert_eq!(pairs(&[2, 5]), [(2, 2), (5, 5)], "neither has moved");
        assert_eq!(pairs(&[4]), [(4, 5)], "the finished one has moved");
        assert_eq!(pairs(&[2, 4, 5]), [], "somebody has copied one of them");
        assert_eq!(pairs(&[]), []);
    }
}

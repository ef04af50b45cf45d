//! Marks: texts in one column of a worksheet, written at the places of their rows in one change.
//!
//! Nothing can make a change depend on which row is at a place. Whether somebody changed the order of the rows in the
//! moment of the change, its answer shows; then the worksheet is read again, and what was written into the cells of
//! other rows is taken back. Rows are known again by all of their other cells.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::witness::Witness;
use super::{GoogleError, GoogleSheet, names, requests};
use crate::registration::{Row, RowNumber};
use crate::sheet::{SheetError, Snapshot};

impl GoogleSheet {
    /// See [`crate::sheet::Sheet::mark_cells`].
    pub(in crate::sheet) async fn mark_cells(
        &self,
        seen: &Snapshot,
        column: u32,
        marks: &BTreeMap<RowNumber, String>,
    ) -> Result<(), SheetError> {
        let changed = || SheetError::Changed { worksheet: seen.worksheet.clone() };
        if marks.is_empty() {
            return Ok(());
        }
        if marks.keys().any(|number| *number < 2 || *number as usize > seen.rows.len()) {
            return Err(changed());
        }
        let witness = Witness::beside(&seen.rows, column as usize).ok_or_else(changed)?;
        let sheet = self.worksheet(&seen.worksheet).await?;
        let texts: Vec<(RowNumber, &str)> =
            marks.iter().map(|(number, text)| (*number, text.as_str())).collect();
        let requests = requests::write_texts(&sheet, column, &texts);
        let range = names::column(&seen.worksheet, witness.column);
        let change = self.access.api().await?.change(&self.id, requests, Some(range)).await;
        match change.map(|mut after| after.texts(0)) {
            Ok(after) if witness.is_as_read(&seen.rows, &after) => Ok(()),
            Ok(_) => {
                self.take_back(seen, column, marks).await?;
                Err(changed())
            }
            Err(error @ GoogleError::Uncertain { .. }) => {
                // Where the change was made, and in another order, its marks must not stay where they are.
                if let Err(error) = self.take_back(seen, column, marks).await {
                    tracing::warn!(%error, "marks that may be in the places of other rows could not be looked at");
                }
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts back what marks have taken the place of in rows that they were not meant for.
    async fn take_back(
        &self,
        seen: &Snapshot,
        column: u32,
        marks: &BTreeMap<RowNumber, String>,
    ) -> Result<(), SheetError> {
        let now = self.read(&seen.worksheet).await?;
        let wrong = misplaced(seen, column as usize, marks, &now);
        if wrong.is_empty() {
            return Ok(());
        }
        tracing::warn!(worksheet = seen.worksheet, rows = wrong.len(), "marks met another order of rows");
        let astray = || SheetError::MarksAstray {
            worksheet: seen.worksheet.clone(),
            column: names::letters(column as usize),
            rows: wrong.iter().map(|(number, _)| *number).collect(),
        };
        let witness = Witness::beside(&now.rows, column as usize).ok_or_else(astray)?;
        let sheet = self.worksheet(&seen.worksheet).await?;
        let texts: Vec<(RowNumber, &str)> =
            wrong.iter().map(|(number, text)| (*number, text.as_str())).collect();
        let requests = requests::write_texts(&sheet, column, &texts);
        let range = names::column(&seen.worksheet, witness.column);
        let change = self.access.api().await?.change(&self.id, requests, Some(range)).await;
        match change.map(|mut after| after.texts(0)) {
            Ok(after) if witness.is_as_read(&now.rows, &after) => Ok(()),
            _ => Err(astray()),
        }
    }
}

/// The rows that hold a mark which was meant for another row, with what is to be in the mark's place.
fn misplaced(
    seen: &Snapshot,
    column: usize,
    marks: &BTreeMap<RowNumber, String>,
    now: &Snapshot,
) -> Vec<(RowNumber, String)> {
    let written: HashSet<&str> = marks.values().map(String::as_str).collect();
    let right =
        |row: &Row| marks.get(&row.number).map_or_else(|| cell(row, column), String::as_str).to_owned();
    let mut unclaimed: HashMap<Vec<&str>, Vec<String>> = HashMap::new();
    for row in &seen.rows {
        unclaimed.entry(others(row, column)).or_default().push(right(row));
    }
    // Rows that are alike but for their marks: those that hold what one of them is to hold come first.
    let mut doubtful = Vec::new();
    for row in &now.rows {
        let texts = unclaimed.get_mut(&others(row, column));
        let claimed = texts.and_then(|texts| {
            let at = texts.iter().position(|text| text == cell(row, column))?;
            Some(texts.swap_remove(at))
        });
        if claimed.is_none() && written.contains(cell(row, column)) {
            doubtful.push(row);
        }
    }
    let witness = Witness::beside(&seen.rows, column);
    let alone = |rows: &[Row], text: &str| -> Option<RowNumber> {
        let at = witness?.column;
        let mut found = rows.iter().filter(|row| !text.is_empty() && cell(row, at) == text);
        found.next().filter(|_| found.next().is_none()).map(|row| row.number)
    };
    let restored = doubtful.into_iter().map(|row| {
        let same = unclaimed.get_mut(&others(row, column)).and_then(Vec::pop);
        let text = same.or_else(|| {
            // Somebody edited the row as well. What no other row has beside it may still tell which one it was.
            let text = cell(row, witness?.column);
            alone(&now.rows, text)?;
            let number = alone(&seen.rows, text)?;
            seen.rows.iter().find(|row| row.number == number).map(right)
        });
        // A row that nobody has read bore no mark.
        (row.number, text.unwrap_or_default(), cell(row, column))
    });
    restored.filter(|(_, text, there)| text != there).map(|(number, text, _)| (number, text)).collect()
}

fn cell(row: &Row, column: usize) -> &str {
    row.cells.get(column).map_or("", String::as_str)
}

/// The cells that tell which row it is.
fn others(row: &Row, column: usize) -> Vec<&str> {
    let cells = row.cells.iter().enumerate();
    let mut others: Vec<&str> =
        cells.filter(|(at, _)| *at != column).map(|(_, cell)| cell.as_str()).collect();
    others.truncate(others.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1));
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of three cells: a decision, a mark, and who sent it.
    fn snapshot(rows: &[[&str; 3]]) -> Snapshot {
        let row = |(number, cells): (RowNumber, &[&str; 3])| Row {
            number,
            cells: cells.iter().map(|&cell| cell.to_owned()).collect(),
        };
        let rows = (1..).zip(rows).map(row).collect();
        Snapshot { worksheet: "Requests".to_owned(), rows, version: String::new() }
    }

    const HEADER: [&str; 3] = ["Approved", "Notified", "E-mail"];
    const SEEN: [[&str; 3]; 4] = [HEADER, ["yes", "", "a"], ["yes", "before", "b"], ["yes", "", "c"]];

    fn taken_back(now: &[[&str; 3]]) -> Vec<(RowNumber, String)> {
        let marks = BTreeMap::from([(2, "T".to_owned()), (4, "T".to_owned())]);
        misplaced(&snapshot(&SEEN), 1, &marks, &snapshot(now))
    }

    #[test]
    fn marks_that_are_right_stay_wherever_their_rows_are_now() {
        assert!(
            taken_back(&[HEADER, ["yes", "T", "c"], ["yes", "before", "b"], ["yes", "T", "a"]]).is_empty()
        );
        let late = ["", "", "late"];
        assert!(
            taken_back(&[HEADER, ["yes", "T", "a"], ["yes", "before", "b"], ["yes", "T", "c"], late])
                .is_empty()
        );
        // The change was not made.
        assert!(taken_back(&SEEN).is_empty());
    }

    #[test]
    fn a_mark_in_the_place_of_another_row_gives_way_to_what_was_there() {
        let now = [HEADER, ["yes", "T", "b"], ["yes", "", "a"], ["yes", "T", "c"]];
        assert_eq!(taken_back(&now), [(2, "before".to_owned())]);
        let now = [HEADER, ["", "T", "late"], ["yes", "", "a"], ["yes", "T", "b"], ["yes", "", "c"]];
        assert_eq!(taken_back(&now), [(2, String::new()), (4, "before".to_owned())]);
    }

    #[test]
    fn a_row_that_was_edited_too_is_known_by_what_no_other_row_has() {
        let now = [HEADER, ["denied", "T", "b"], ["yes", "", "a"], ["no", "T", "c"]];
        assert_eq!(taken_back(&now), [(2, "before".to_owned())]);
    }

    #[test]
    fn of_rows_that_are_alike_as_many_bear_a_mark_as_are_to() {
        let twin = |mark| ["yes", mark, "a"];
        let seen = snapshot(&[HEADER, twin(""), twin(""), twin("before")]);
        let marks = BTreeMap::from([(2, "T".to_owned())]);
        let now = |rows: [&'static str; 3]| snapshot(&[HEADER, twin(rows[0]), twin(rows[1]), twin(rows[2])]);
        assert!(misplaced(&seen, 1, &marks, &now(["", "T", "before"])).is_empty());
        assert!(misplaced(&seen, 1, &marks, &now(["before", "T", ""])).is_empty());
        assert_eq!(misplaced(&seen, 1, &marks, &now(["", "T", "T"])), [(4, "before".to_owned())]);
    }
}

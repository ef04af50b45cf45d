//! What has to be done after a move that took other rows than it was meant to, because somebody sorted the
//! worksheet, or put rows in or out, in the moment of the move.
//!
//! What was to move is in the other worksheet for certain; it was written there as it was read. What was taken
//! out in its place is known from the same reading, and is written back.

use std::collections::{HashMap, HashSet};

use crate::registration::{Row, RowNumber};
use crate::sheet::{Snapshot, filled};

/// The difference between a worksheet as it is and as it has to be after a move.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Repair {
    /// Rows that are missing, by their numbers before the move.
    pub missing: Vec<RowNumber>,
    /// Rows that should have gone and are still there: their numbers before the move, and now.
    pub still_there: Vec<(RowNumber, RowNumber)>,
    /// Rows that should have gone and are there with another cell: somebody edited them. Their numbers before
    /// the move.
    pub edited: Vec<RowNumber>,
}

impl Repair {
    /// Compares rows by all of their cells.
    pub(super) fn plan(before: &Snapshot, moved: &[RowNumber], now: &Snapshot) -> Self {
        let moved: HashSet<RowNumber> = moved.iter().copied().collect();
        let mut unclaimed: HashMap<&[String], Vec<&Row>> = HashMap::new();
        for row in now.rows.iter().rev().filter(|row| !filled(&row.cells).is_empty()) {
            unclaimed.entry(filled(&row.cells)).or_default().push(row);
        }
        let (leaving, staying): (Vec<&Row>, Vec<&Row>) = before
            .rows
            .iter()
            .filter(|row| !filled(&row.cells).is_empty())
            .partition(|row| moved.contains(&row.number));
        let mut repair = Self::default();
        // Of rows that are alike, those that stay come first: none is deleted that could be one of them.
        let mut claim = |row: &Row| unclaimed.get_mut(filled(&row.cells)).and_then(Vec::pop);
        let staying: Vec<&Row> = staying.into_iter().filter(|row| claim(row).is_none()).collect();
        let mut unfound = Vec::new();
        for row in leaving {
            match claim(row) {
                Some(there) => repair.still_there.push((row.number, there.number)),
                None => unfound.push(row),
            }
        }
        let mut others: Vec<&Row> = unclaimed.into_values().flatten().collect();
        let mut claim_edited = |row: &Row| {
            let at = others.iter().position(|other| is_edited(&row.cells, &other.cells));
            at.map(|at| others.swap_remove(at)).is_some()
        };
        repair.missing = staying.iter().filter(|row| !claim_edited(row)).map(|row| row.number).collect();
        repair.edited = unfound.iter().filter(|row| claim_edited(row)).map(|row| row.number).collect();
        repair
    }

    /// How many rows were deleted that are none of those that were read: for each that should have gone and is
    /// there, another one went.
    pub(super) fn unread(&self) -> usize {
        (self.still_there.len() + self.edited.len()).saturating_sub(self.missing.len())
    }

    /// Whether there is something to do.
    pub(super) fn is_needed(&self) -> bool {
        !(self.missing.is_empty() && self.still_there.is_empty())
    }
}

/// Whether rows differ in one cell alone: in such a moment nobody edits more. Rows that differ in more are
/// different rows, so that rather one is written back that was not lost than one is lost.
fn is_edited(before: &[String], now: &[String]) -> bool {
    let cell = |cells: &[String], at: usize| cells.get(at).cloned().unwrap_or_default();
    (0..before.len().max(now.len())).filter(|&at| cell(before, at) != cell(now, at)).count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(rows: &[&str]) -> Snapshot {
        let row = |(number, cells): (RowNumber, &&str)| Row {
            number,
            cells: cells.split_terminator('|').map(str::to_owned).collect(),
        };
        Snapshot {
            worksheet: "Requests".to_owned(),
            rows: (1..).zip(rows).map(row).collect(),
            version: String::new(),
        }
    }

    const BEFORE: [&str; 5] = ["head|er", "a|1", "b|2", "c|3", "d|4"];

    #[test]
    fn a_row_that_was_deleted_in_the_place_of_another_is_missing() {
        let repair = Repair::plan(&snapshot(&BEFORE), &[2], &snapshot(&["head|er", "a|1", "c|3", "d|4"]));
        let expected = Repair { missing: vec![3], still_there: vec![(2, 2)], edited: Vec::new() };
        assert_eq!(repair, expected);
        assert!(repair.is_needed());
        assert_eq!(repair.unread(), 0);
    }

    #[test]
    fn new_rows_and_edited_ones_are_let_alone() {
        let now = snapshot(&["head|er", "new|row", "d|4", "b|9", "c|3|"]);
        let repair = Repair::plan(&snapshot(&BEFORE), &[2], &now);
        assert_eq!(repair, Repair::default());
        assert!(!repair.is_needed());
    }

    #[test]
    fn a_row_that_should_have_gone_and_was_edited_is_told_and_not_deleted() {
        let now = snapshot(&["head|er", "a|edited", "b|2", "c|3", "d|4"]);
        let repair = Repair::plan(&snapshot(&BEFORE), &[2], &now);
        assert_eq!(repair, Repair { edited: vec![2], ..Repair::default() });
        assert_eq!(repair.unread(), 1, "what was deleted in its place is none of these rows");
    }

    #[test]
    fn of_rows_that_are_alike_one_stays() {
        let before = snapshot(&["head|er", "a|1", "a|1", "b|2"]);
        let repair = Repair::plan(&before, &[2], &snapshot(&["head|er", "a|1", "a|1"]));
        assert_eq!((repair.missing, repair.still_there), (vec![4], vec![(2, 3)]));
    }
}

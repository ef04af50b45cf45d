//! What has to be done after a move that took other rows than it was meant to, because somebody sorted the
//! worksheet, or put rows in or out, in the moment of the move.
//!
//! What was to move is in the other worksheet for certain; it was written there as it was read. What was taken
//! out in its place is known from the same reading, and is written back, but only where it cannot be doubted
//! that it is gone: an approved row that somebody has just denied must not come back as an approved one.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::registration::{Row, RowNumber};
use crate::sheet::{Snapshot, filled};

/// The difference between a worksheet as it is and as it has to be after a move.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Repair {
    /// Rows that are missing, by their numbers before the move.
    pub missing: Vec<RowNumber>,
    /// Rows that should have gone and are still there: their numbers before the move, and now.
    pub still_there: Vec<(RowNumber, RowNumber)>,
    /// Rows that should have gone and are there with other cells: somebody edited them. Their numbers before
    /// the move.
    pub edited: Vec<RowNumber>,
    /// Rows that should be there and are not as they were, while a row that nobody has read may be what
    /// somebody made of them. Their numbers before the move.
    pub in_doubt: Vec<RowNumber>,
}

/// Why it is not clear what has to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Rows that are not there as they were, by their numbers before the move.
    pub missing: Vec<RowNumber>,
    /// What happened.
    pub reason: &'static str,
}

impl Repair {
    /// Compares rows by all of their cells.
    ///
    /// # Errors
    /// Where more has changed than the order of the rows and some cells: whoever then writes back what is
    /// missing doubles what is there.
    pub(super) fn plan(before: &Snapshot, moved: &[RowNumber], now: &Snapshot) -> Result<Self, Doubt> {
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
        let staying: Vec<&Row> =
            staying.into_iter().filter(|row| claim(row).is_none() && row.number > 1).collect();
        let mut unfound = Vec::new();
        for row in leaving {
            match claim(row) {
                Some(there) => repair.still_there.push((row.number, there.number)),
                None => unfound.push(row),
            }
        }
        let doubt =
            |rows: &[&Row], reason| Doubt { missing: rows.iter().map(|row| row.number).collect(), reason };
        let others: Vec<&Row> = unclaimed.into_values().flatten().filter(|row| row.number > 1).collect();
        let is_clear = staying.is_empty() && repair.still_there.is_empty() && others.is_empty();
        // No move takes out the header.
        if header(before) != header(now) && !is_clear {
            return Err(doubt(
                &staying,
                "the header is another one now, as after a column was put in, moved or taken out, so that the rows \
                 cannot be compared with what was read; nothing was put back",
            ));
        }
        let telling = Telling::of(before);
        let mut free: BTreeSet<RowNumber> = others.iter().map(|row| row.number).collect();
        let mut missing = Vec::new();
        for row in staying {
            let like: Vec<RowNumber> = others
                .iter()
                .filter(|other| telling.is_edited(row, other))
                .map(|other| other.number)
                .collect();
            if like.is_empty() {
                missing.push(row);
            } else {
                repair.in_doubt.push(row.number);
                like.iter().for_each(|number| {
                    free.remove(number);
                });
            }
        }
        if missing.len() > moved.len() {
            return Err(doubt(
                &missing,
                "more rows are not as they were read than the move can have taken out; nothing was put back",
            ));
        }
        repair.missing = missing.iter().map(|row| row.number).collect();
        for row in unfound {
            let like = others.iter().find(|it| free.contains(&it.number) && telling.is_edited(row, it));
            if let Some(like) = like {
                free.remove(&like.number);
                repair.edited.push(row.number);
            }
        }
        Ok(repair)
    }

    /// How many rows that nobody has read were deleted by the change before this look: for each that should
    /// have gone in it and is there, another one went. `last` is the look before that change.
    pub(super) fn unread(&self, last: Option<&Self>) -> usize {
        let known = last.map_or(&[][..], |last| &last.edited);
        let edited = self.edited.iter().filter(|number| !known.contains(number)).count();
        (self.still_there.len() + edited).saturating_sub(self.missing.len())
    }

    /// Whether other rows are missing, or too many, in a later look.
    pub(super) fn has_changed(&self, later: &Self) -> bool {
        let still_there = |it: &Self| it.still_there.iter().map(|(before, _)| *before).collect::<Vec<_>>();
        self.missing != later.missing || still_there(self) != still_there(later)
    }

    /// Whether there is something to do.
    pub(super) fn is_needed(&self) -> bool {
        !(self.missing.is_empty() && self.still_there.is_empty())
    }
}

/// Whether a worksheet has a row for each of these.
pub(super) fn holds_all(worksheet: &Snapshot, from: &Snapshot, rows: &[RowNumber]) -> bool {
    let mut there: HashMap<&[String], usize> = HashMap::new();
    for row in &worksheet.rows {
        *there.entry(filled(&row.cells)).or_default() += 1;
    }
    let rows: HashSet<RowNumber> = rows.iter().copied().collect();
    from.rows.iter().filter(|row| rows.contains(&row.number)).all(|row| {
        let left = there.get_mut(filled(&row.cells)).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    })
}

fn header(snapshot: &Snapshot) -> &[String] {
    snapshot.rows.first().map_or(&[], |row| filled(&row.cells))
}

/// Which cells tell a row from others: those whose text no other row has in that column.
struct Telling<'a> {
    counts: HashMap<(usize, &'a str), usize>,
}

impl<'a> Telling<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut counts = HashMap::new();
        for (at, cell) in snapshot.rows.iter().flat_map(|row| texts(&row.cells)) {
            *counts.entry((at, cell)).or_default() += 1;
        }
        Self { counts }
    }

    /// Whether `now` may be what somebody made of `before`: all cells are the same but one, or half of those that
    /// tell the row from others, or of all where none does. Of the form's rows, many are alike in most cells.
    fn is_edited(&self, before: &Row, now: &Row) -> bool {
        let cell = |row: &'_ Row, at: usize| row.cells.get(at).cloned().unwrap_or_default();
        let columns = 0..before.cells.len().max(now.cells.len());
        if columns.filter(|&at| cell(before, at) != cell(now, at)).count() <= 1 {
            return true;
        }
        let mut telling: Vec<(usize, &str)> = texts(&before.cells)
            .filter(|text| self.counts.get(text).is_none_or(|count| *count == 1))
            .collect();
        if telling.is_empty() {
            telling = texts(&before.cells).collect();
        }
        let same =
            telling.iter().filter(|(at, text)| now.cells.get(*at).is_some_and(|cell| cell == text)).count();
        same > 0 && 2 * same >= telling.len()
    }
}

/// The cells that are not blank, by their columns.
fn texts(cells: &[String]) -> impl Iterator<Item = (usize, &str)> {
    cells.iter().map(String::as_str).enumerate().filter(|(_, cell)| !cell.is_empty())
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

    fn plan(before: &[&str], moved: &[RowNumber], now: &[&str]) -> Result<Repair, Doubt> {
        Repair::plan(&snapshot(before), moved, &snapshot(now))
    }

    const BEFORE: [&str; 5] = ["head|er", "a|1", "b|2", "c|3", "d|4"];

    #[test]
    fn a_row_that_was_deleted_in_the_place_of_another_is_missing() {
        let repair = plan(&BEFORE, &[2], &["head|er", "a|1", "c|3", "d|4"]).unwrap();
        let expected = Repair { missing: vec![3], still_there: vec![(2, 2)], ..Repair::default() };
        assert_eq!(repair, expected);
        assert!(repair.is_needed());
        assert_eq!(repair.unread(None), 0);
    }

    #[test]
    fn new_rows_and_edited_ones_are_let_alone() {
        let repair = plan(&BEFORE, &[2], &["head|er", "new|row", "d|4", "b|9", "c|3|"]).unwrap();
        assert_eq!(repair, Repair { in_doubt: vec![3], ..Repair::default() });
        assert!(!repair.is_needed());
    }

    #[test]
    fn a_row_that_should_have_gone_and_was_edited_is_told_and_not_deleted() {
        let repair = plan(&BEFORE, &[2], &["head|er", "a|edited", "b|2", "c|3", "d|4"]).unwrap();
        assert_eq!(repair, Repair { edited: vec![2], ..Repair::default() });
        assert_eq!(repair.unread(None), 1, "what was deleted in its place is none of these rows");
        assert_eq!(repair.unread(Some(&repair)), 0, "and the next change did not delete it again");
    }

    #[test]
    fn of_rows_that_are_alike_one_stays() {
        let before = ["head|er", "a|1", "a|1", "b|2"];
        let repair = plan(&before, &[2], &["head|er", "a|1", "a|1"]).unwrap();
        assert_eq!((repair.missing, repair.still_there), (vec![4], vec![(2, 3)]));
    }

    #[test]
    fn where_a_column_was_put_in_or_taken_out_nothing_is_put_back() {
        let inserted = ["|head|er", "|b|2", "|c|3", "|d|4"];
        let deleted = ["er", "2", "3", "4"];
        for now in [&inserted, &deleted] {
            let doubt = plan(&BEFORE, &[2], now).unwrap_err();
            assert_eq!(doubt.missing, [3, 4, 5]);
            assert!(doubt.reason.contains("header"), "{}", doubt.reason);
        }
    }

    #[test]
    fn more_rows_than_a_move_takes_out_are_not_put_back() {
        let doubt = plan(&BEFORE, &[2], &["head|er", "d|4"]).unwrap_err();
        assert_eq!(doubt.missing, [3, 4]);
        assert!(plan(&BEFORE, &[2, 5], &["head|er", "a|1", "d|4"]).is_ok());
    }

    #[test]
    fn a_row_that_was_denied_with_a_comment_does_not_come_back_approved() {
        let before = ["ok|note|email|time|project", "yes||a@|9:00|p", "yes||b@|9:01|p", "yes||c@|9:02|p"];
        // Sorted, so that the move of row 2 took row 4.
        let now = ["ok|note|email|time|project", "no|why|b@|9:01|p", "yes||a@|9:00|p"];
        let repair = plan(&before, &[2], &now).unwrap();
        assert_eq!((repair.missing, repair.in_doubt), (vec![4], vec![3]), "rows are alike in other cells");
        assert_eq!(repair.still_there, [(2, 3)]);
    }

    #[test]
    fn rows_are_in_the_other_worksheet_only_if_each_of_them_is() {
        let from = snapshot(&["head|er", "a|1", "a|1", "b|2"]);
        assert!(holds_all(&snapshot(&["head|er", "a|1", "x|y", "a|1|"]), &from, &[2, 3]));
        assert!(!holds_all(&snapshot(&["head|er", "a|1"]), &from, &[2, 3]));
    }
}

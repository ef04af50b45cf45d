//! How a change that counts on the order of rows finds out whether the order was still what it counted on.
//!
//! Google makes a change as a whole, and nothing of it can depend on what a row holds. But its answer can
//! hold cells as they are after the change. One column is asked for, the one that tells rows apart best:
//! what is in it afterwards shows whether the rows were where they were believed to be.

use std::collections::{HashMap, HashSet};

use crate::registration::{Row, RowNumber};
use crate::sheet::Snapshot;

/// A column whose texts stand for the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// Counted from 0.
    pub column: usize,
}

impl Witness {
    /// The column with the most different texts; none where there is no text at all.
    pub(super) fn of(rows: &[Row]) -> Option<Self> {
        Self::among(rows, |_| true)
    }

    /// The same without one column, which the change itself writes into.
    pub(super) fn beside(rows: &[Row], column: usize) -> Option<Self> {
        Self::among(rows, |other| other != column)
    }

    fn among(rows: &[Row], may_be: impl Fn(usize) -> bool) -> Option<Self> {
        let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let mut best = (0, None);
        for column in (0..columns).filter(|column| may_be(*column)) {
            let different: HashSet<&str> =
                rows.iter().map(|row| text(row, column)).filter(|text| !text.is_empty()).collect();
            if different.len() > best.0 {
                best = (different.len(), Some(Self { column }));
            }
            if different.len() == rows.len() {
                break;
            }
        }
        best.1
    }

    /// Whether these are the texts of all rows, in this order, where missing ones at the end are blank.
    pub(super) fn is_as_read(self, rows: &[Row], now: &[String]) -> bool {
        let length = rows.len().max(now.len());
        (0..length).all(|at| {
            let read = rows.get(at).map_or("", |row| text(row, self.column));
            read == now.get(at).map_or("", String::as_str)
        })
    }

    /// Whether `gone` are gone and the other rows are there, in whatever order and among whatever others.
    pub(super) fn shows_gone(self, from: &Snapshot, gone: &[RowNumber], now: &[String]) -> bool {
        let gone: HashSet<RowNumber> = gone.iter().copied().collect();
        let mut staying: HashMap<&str, usize> = HashMap::new();
        let mut leaving: HashSet<&str> = HashSet::new();
        for row in &from.rows {
            let text = text(row, self.column);
            if gone.contains(&row.number) {
                leaving.insert(text);
            } else {
                *staying.entry(text).or_default() += 1;
            }
        }
        let mut there: HashMap<&str, usize> = HashMap::new();
        for text in now {
            *there.entry(text).or_default() += 1;
        }
        // Nobody can count the rows below the last one that are blank.
        staying.remove("");
        leaving.remove("");
        let count = |counts: &HashMap<&str, usize>, text: &str| counts.get(text).copied().unwrap_or(0);
        staying.iter().all(|(text, wanted)| count(&there, text) >= *wanted)
            && leaving.iter().all(|text| count(&there, text) <= count(&staying, text))
    }
}

fn text(row: &Row, column: usize) -> &str {
    row.cells.get(column).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(rows: &[[&str; 2]]) -> Snapshot {
        let row = |(number, cells): (RowNumber, &[&str; 2])| Row {
            number,
            cells: cells.iter().map(|&cell| cell.to_owned()).collect(),
        };
        Snapshot {
            worksheet: "Requests".to_owned(),
            rows: (1..).zip(rows).map(row).collect(),
            version: String::new(),
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn the_column_that_tells_rows_apart_best_is_the_witness() {
        let sheet = snapshot(&[["Approved", "E-mail"], ["yes", "a"], ["yes", "b"]]);
        assert_eq!(Witness::of(&sheet.rows), Some(Witness { column: 1 }));
        assert_eq!(Witness::beside(&sheet.rows, 1), Some(Witness { column: 0 }));
        assert_eq!(Witness::of(&snapshot(&[["", ""]]).rows), None);
    }

    #[test]
    fn new_rows_and_another_order_are_no_trouble_but_a_missing_row_is() {
        let sheet = snapshot(&[["", "E-mail"], ["", "a"], ["", "b"], ["", "a"], ["", ""]]);
        let witness = Witness { column: 1 };
        let shows = |now: &[&str]| witness.shows_gone(&sheet, &[2], &texts(now));
        assert!(shows(&["E-mail", "b", "a"]));
        assert!(shows(&["E-mail", "new", "a", "b"]));
        assert!(!shows(&["E-mail", "a"]), "b is missing");
        assert!(!shows(&["E-mail", "b", "a", "a"]), "the row is still there");
    }

    #[test]
    fn the_order_is_as_read_whatever_is_blank_at_the_end() {
        let sheet = snapshot(&[["", "E-mail"], ["", "a"], ["", ""]]);
        let witness = Witness { column: 1 };
        assert!(witness.is_as_read(&sheet.rows, &texts(&["E-mail", "a"])));
        assert!(witness.is_as_read(&sheet.rows, &texts(&["E-mail", "a", "", ""])));
        assert!(!witness.is_as_read(&sheet.rows, &texts(&["E-mail", "a", "", "b"])));
        assert!(!witness.is_as_read(&sheet.rows, &texts(&["a", "E-mail"])));
    }
}

//! Remarks in a CSV file, whose cells have no notes: a column of their own holds them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::records::{self, Table};
use crate::registration::RowNumber;
use crate::sheet::remark::{self, Decision, Remark};

/// The rows that are other ones with these remarks, the header among them where it gets its column now, and the
/// numbers of those where somebody else has written.
pub(super) fn with_remarks(
    table: &Table<'_>,
    remarks: &BTreeMap<RowNumber, Option<Remark>>,
) -> (BTreeMap<RowNumber, Vec<String>>, Vec<RowNumber>) {
    let header = table.cells(1).unwrap_or_default();
    let there = remark::column(&header);
    let column = there.unwrap_or_else(|| table.width());
    let mut replaced = BTreeMap::new();
    let mut in_the_way = Vec::new();
    let put = |mut cells: Vec<String>, text: String| {
        cells.resize(cells.len().max(column + 1), String::new());
        cells[column] = text;
        cells
    };
    for (number, remark) in remarks {
        let Some(cells) = table.cells(*number).filter(|_| *number > 1) else { continue };
        match Decision::of(cells.get(column).map_or("", String::as_str), remark.as_ref()) {
            Decision::Keep => {}
            Decision::Write(text) => drop(replaced.insert(*number, put(cells, text))),
            Decision::NotOurs => in_the_way.push(*number),
        }
    }
    if there.is_none() && !replaced.is_empty() {
        replaced.insert(1, put(header, remark::COLUMN.to_owned()));
    }
    (replaced, in_the_way)
}

/// A row as it is written, without the remark in it if there is one of Usher's: a row that moves is done.
pub(super) fn record_without<'a>(table: &Table<'_>, number: RowNumber, record: &'a [u8]) -> Cow<'a, [u8]> {
    without(table, number, record, remark::is_own)
}

/// The header as it is written, without the heading of the remarks where that is the last one. Between others it
/// may well be the site's own.
pub(super) fn header_without<'a>(table: &Table<'a>) -> Cow<'a, [u8]> {
    let record = table.record(1).unwrap_or_default();
    let header = table.cells(1).unwrap_or_default();
    if remark::column(&header).is_some_and(|column| column + 1 == header.len()) {
        without(table, 1, record, |_| true)
    } else {
        Cow::Borrowed(record)
    }
}

fn without<'a>(
    table: &Table<'_>,
    number: RowNumber,
    record: &'a [u8],
    is_taken: impl Fn(&str) -> bool,
) -> Cow<'a, [u8]> {
    let mut cells = table.cells(number).unwrap_or_default();
    let column = table.cells(1).and_then(|header| remark::column(&header));
    let Some(column) = column.filter(|at| cells.get(*at).is_some_and(|cell| is_taken(cell))) else {
        return Cow::Borrowed(record);
    };
    if column + 1 == cells.len() {
        cells.truncate(column);
    } else {
        cells[column].clear();
    }
    Cow::Owned(records::write(&cells))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sheet::csv::CsvSheet;
    use crate::sheet::{Sheet, SheetError};

    const REQUESTS: &str = "Form Responses 1";
    const DONE: &str = "Current Users";

    struct Site {
        folder: tempfile::TempDir,
        sheet: Sheet,
    }

    fn site(requests: &str) -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Form Responses 1.csv"), requests).unwrap();
        let sheet = Sheet::Csv(CsvSheet::new(folder.path().to_owned()));
        Site { folder, sheet }
    }

    impl Site {
        fn text(&self, worksheet: &str) -> String {
            fs::read_to_string(self.folder.path().join(format!("{worksheet}.csv"))).unwrap()
        }

        async fn remark(&self, remarks: &[(RowNumber, Option<&str>)]) -> Vec<RowNumber> {
            let seen = self.sheet.read(REQUESTS).await.unwrap();
            self.sheet.remark(&seen, &wanted(remarks)).await.unwrap()
        }
    }

    fn wanted(remarks: &[(RowNumber, Option<&str>)]) -> BTreeMap<RowNumber, Option<Remark>> {
        let remark = |reason: &str| Remark::new("2026-11-24 14:03", reason);
        remarks.iter().map(|(number, reason)| (*number, reason.map(remark))).collect()
    }

    #[tokio::test]
    async fn the_column_is_made_when_it_is_needed_and_beyond_all_that_is_filled() {
        let site = site("\u{feff}Approved,E-mail\r\nyes,\"a\"\r\nyes,b,extra\r\n,c\r\n");
        site.remark(&[(2, None), (3, None)]).await;
        assert!(!site.text(REQUESTS).contains("Usher"));
        site.remark(&[(2, Some("no PIN, none at all")), (3, None)]).await;
        assert_eq!(
            site.text(REQUESTS),
            "\u{feff}Approved,E-mail,,Usher\r\nyes,a,,\"Usher, 2026-11-24 14:03: no PIN, none at all\"\r\nyes,b,extra\r\n,c\r\n"
        );
        site.remark(&[(2, None), (4, Some("x"))]).await;
        assert_eq!(
            site.text(REQUESTS),
            "\u{feff}Approved,E-mail,,Usher\r\nyes,a,,\r\nyes,b,extra\r\n,c,,\"Usher, 2026-11-24 14:03: x\"\r\n"
        );
    }

    #[tokio::test]
    async fn what_people_wrote_stays_and_is_told() {
        let site = site("Approved,Usher\nyes,ask Ann\nyes,ask Bob\n");
        assert_eq!(site.remark(&[(2, Some("no PIN")), (3, None)]).await, [2]);
        assert_eq!(site.text(REQUESTS), "Approved,Usher\nyes,ask Ann\nyes,ask Bob\n");
    }

    #[tokio::test]
    async fn nothing_is_written_into_a_sheet_that_somebody_edited() {
        let site = site("Approved,E-mail\nyes,a\n");
        let seen = site.sheet.read(REQUESTS).await.unwrap();
        let edited = "Approved,E-mail\nyes,new\nyes,a\n";
        fs::write(site.folder.path().join("Form Responses 1.csv"), edited).unwrap();
        let error = site.sheet.remark(&seen, &wanted(&[(2, Some("x"))])).await.unwrap_err();
        assert!(matches!(error, SheetError::Changed { .. }), "{error}");
        assert_eq!(site.text(REQUESTS), edited);
    }

    #[tokio::test]
    async fn a_row_that_moves_leaves_its_remark_and_the_column_behind() {
        let site = site("Approved,E-mail\nyes,a\nyes,b\nyes,c\n");
        site.remark(&[(2, Some("x")), (4, Some("y"))]).await;
        let seen = site.sheet.read(REQUESTS).await.unwrap();
        site.sheet.move_rows(&seen, &[2, 3], DONE).await.unwrap();
        assert_eq!(site.text(DONE), "Approved,E-mail\nyes,a\nyes,b\n");
        assert_eq!(site.text(REQUESTS), "Approved,E-mail,Usher\nyes,c,\"Usher, 2026-11-24 14:03: y\"\n");
    }

    #[tokio::test]
    async fn a_column_of_somebody_elses_moves_as_it_is() {
        let site = site("Usher,E-mail\nask Ann,a\n\"Usher, 2026-11-24 14:03: x\",b\n");
        let seen = site.sheet.read(REQUESTS).await.unwrap();
        site.sheet.move_rows(&seen, &[2, 3], DONE).await.unwrap();
        assert_eq!(site.text(DONE), "Usher,E-mail\nask Ann,a\n,b\n");
    }

    #[tokio::test]
    async fn a_remark_is_none_of_the_cells_of_people() {
        let site = site("Approved,E-mail\nyes,a\n");
        let before = site.sheet.read(REQUESTS).await.unwrap();
        site.remark(&[(2, Some("x"))]).await;
        let after = site.sheet.read(REQUESTS).await.unwrap();
        for row in 0..2 {
            assert_eq!(
                site.sheet.cells_of_people(&before, &before.rows[row]),
                site.sheet.cells_of_people(&after, &after.rows[row])
            );
        }
    }
}

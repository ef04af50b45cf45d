//! What a change of a spreadsheet is made of.
//!
//! Every text is written as a string value, which Google never evaluates.

use google_sheets4::api::SheetProperties;

use super::change::{
    AppendCells, AppendDimension, Cell, Cells, Dimension, DimensionRange, Field, NewSheet, Place, Request,
    UpdateCells,
};
use crate::random;
use crate::registration::RowNumber;
use crate::sheet::Snapshot;

/// Rows of `from` to the end of `target`, which is made where there is none; none where a row of that number
/// was not read. The header, row 1, does not move.
pub(super) fn move_rows<'a>(
    from: &'a Snapshot,
    rows: &[RowNumber],
    source: &SheetProperties,
    target: Option<&SheetProperties>,
    to: &'a str,
) -> Option<Vec<Request<'a>>> {
    let mut numbers = rows.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    let cells = |number: RowNumber| from.rows.get(number as usize - 1).map(|row| texts(&row.cells));
    let mut moved = Vec::with_capacity(numbers.len());
    for number in &numbers {
        moved.push((*number > 1).then(|| cells(*number)).flatten()?);
    }
    let source_id = source.sheet_id.unwrap_or_default();
    let mut requests = Vec::new();
    let target_id = match target {
        Some(target) => target.sheet_id.unwrap_or_default(),
        None => {
            let id = new_id();
            requests.push(Request::AddSheet { properties: NewSheet { sheet_id: id, title: to } });
            moved.splice(0..0, cells(1));
            id
        }
    };
    requests.push(append_cells(target_id, moved));
    if let Some(request) = keep_a_row(source, numbers.len()) {
        requests.push(request);
    }
    // From the last row up, so that no deletion changes the numbers of those that follow.
    requests.extend(runs(&numbers).into_iter().rev().map(|(first, last)| delete(source_id, first, last)));
    Some(requests)
}

/// Rows at the end of a worksheet, and others of it deleted, whose numbers are in order.
pub(super) fn repair<'a>(
    source: &SheetProperties,
    put_back: &'a [Vec<String>],
    deleted: &[RowNumber],
) -> Vec<Request<'a>> {
    let sheet_id = source.sheet_id.unwrap_or_default();
    // How many rows there are by now is not known, and Google does not delete the last one.
    let mut requests = vec![append_dimension(source, Dimension::Rows, 1)];
    if !put_back.is_empty() {
        requests.push(append(sheet_id, put_back));
    }
    requests.extend(runs(deleted).into_iter().rev().map(|(first, last)| delete(sheet_id, first, last)));
    requests
}

/// Notes of the first cells of rows; a blank one takes the note away.
pub(super) fn write_notes(sheet_id: i32, notes: &[(RowNumber, String)]) -> Vec<Request<'_>> {
    let update = |run| Request::UpdateCells(note_run(sheet_id, run));
    notes.chunk_by(|left, right| right.0 == left.0 + 1).map(update).collect()
}

/// Notes of rows that follow on each other.
fn note_run(sheet_id: i32, run: &[(RowNumber, String)]) -> UpdateCells<'_> {
    let first = run.first().map_or(1, |(number, _)| *number);
    let start = Place { sheet_id, row_index: index(first) - 1, column_index: 0 };
    let rows = run.iter().map(|(_, note)| Cells { values: vec![Cell::Note(note)] }).collect();
    UpdateCells { fields: Field::Note, rows, start }
}

/// Rows at the end of a worksheet.
pub(super) fn append(sheet_id: i32, rows: &[Vec<String>]) -> Request<'_> {
    append_cells(sheet_id, rows.iter().map(|cells| texts(cells)).collect())
}

/// One text in one cell.
pub(super) fn write_cell<'a>(
    sheet: &SheetProperties,
    number: RowNumber,
    column: u32,
    text: &'a str,
) -> Vec<Request<'a>> {
    write_texts(sheet, column, &[(number, text)])
}

/// Texts in cells of one column, by the numbers of their rows in order; a blank one empties its cell.
pub(super) fn write_texts<'a>(
    sheet: &SheetProperties,
    column: u32,
    texts: &[(RowNumber, &'a str)],
) -> Vec<Request<'a>> {
    let mut requests = Vec::new();
    // A mark may be the first thing in its column.
    let columns = sheet.grid_properties.as_ref().and_then(|grid| grid.column_count).unwrap_or(i32::MAX);
    if index(column) >= columns {
        requests.push(append_dimension(sheet, Dimension::Columns, index(column) + 1 - columns));
    }
    for run in texts.chunk_by(|left, right| right.0 == left.0 + 1) {
        let first = run.first().map_or(1, |(number, _)| *number);
        let start = Place {
            sheet_id: sheet.sheet_id.unwrap_or_default(),
            row_index: index(first) - 1,
            column_index: index(column),
        };
        let rows = run.iter().map(|(_, text)| Cells { values: vec![Cell::Text(text)] }).collect();
        requests.push(Request::UpdateCells(UpdateCells { fields: Field::UserEnteredValue, rows, start }));
    }
    requests
}

fn texts(cells: &[String]) -> Cells<'_> {
    Cells { values: cells.iter().map(|text| Cell::Text(text)).collect() }
}

fn append_cells(sheet_id: i32, rows: Vec<Cells<'_>>) -> Request<'_> {
    Request::AppendCells(AppendCells { fields: Field::UserEnteredValue, rows, sheet_id })
}

/// Rows `first` to `last`, both included.
fn delete(sheet_id: i32, first: RowNumber, last: RowNumber) -> Request<'static> {
    let range = DimensionRange {
        sheet_id,
        dimension: Dimension::Rows,
        start_index: index(first) - 1,
        end_index: index(last),
    };
    Request::DeleteDimension { range }
}

/// Google does not delete the last row that is not frozen. Where that would happen, another one is added.
fn keep_a_row(source: &SheetProperties, deleted: usize) -> Option<Request<'static>> {
    let grid = source.grid_properties.as_ref()?;
    let frozen = grid.frozen_row_count.unwrap_or(0).max(1);
    let left = i64::from(grid.row_count?) - i64::try_from(deleted).unwrap_or(i64::MAX);
    (left <= i64::from(frozen)).then(|| append_dimension(source, Dimension::Rows, 1))
}

fn append_dimension(sheet: &SheetProperties, dimension: Dimension, length: i32) -> Request<'static> {
    let sheet_id = sheet.sheet_id.unwrap_or_default();
    Request::AppendDimension(AppendDimension { sheet_id, dimension, length })
}

/// Numbers in order as runs without gaps.
fn runs(numbers: &[RowNumber]) -> Vec<(RowNumber, RowNumber)> {
    let run = |run: &[RowNumber]| run.first().copied().zip(run.last().copied());
    numbers.chunk_by(|left, right| *right == left + 1).filter_map(run).collect()
}

/// Ids of worksheets are not negative; that a new one is taken already is as unlikely as it gets with 31 bits.
fn new_id() -> i32 {
    i32::from_be_bytes(random::bytes()) & i32::MAX
}

/// Google counts in 32 bits, and has fewer rows than that.
fn index(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use google_sheets4::api::GridProperties;

    use super::*;
    use crate::registration::Row;

    fn sheet(id: i32, rows: i32, frozen: i32) -> SheetProperties {
        let grid = GridProperties {
            row_count: Some(rows),
            frozen_row_count: Some(frozen),
            column_count: Some(3),
            ..GridProperties::default()
        };
        SheetProperties { sheet_id: Some(id), grid_properties: Some(grid), ..SheetProperties::default() }
    }

    fn snapshot(rows: u32) -> Snapshot {
        let rows =
            (1..=rows).map(|number| Row { number, cells: vec![format!("cell {number}"), String::new()] });
        Snapshot { worksheet: "Requests".to_owned(), rows: rows.collect(), version: String::new() }
    }

    fn json(requests: &[Request<'_>]) -> serde_json::Value {
        serde_json::to_value(requests).unwrap()
    }

    #[test]
    fn rows_are_appended_in_order_and_deleted_from_the_last_one_up() {
        let (source, target) = (sheet(7, 100, 1), sheet(9, 10, 0));
        let read = snapshot(9);
        let requests = move_rows(&read, &[5, 2, 6, 9, 5], &source, Some(&target), "Done").unwrap();
        let json = json(&requests);
        let texts: Vec<_> = json[0]["appendCells"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["values"][0]["userEnteredValue"]["stringValue"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["cell 2", "cell 5", "cell 6", "cell 9"]);
        assert_eq!(json[0]["appendCells"]["sheetId"], 9);
        assert_eq!(json[0]["appendCells"]["fields"], "userEnteredValue");
        let blank = &json[0]["appendCells"]["rows"][0]["values"][1];
        assert_eq!(*blank, serde_json::json!({}), "a blank cell is not filled with a blank text");
        let deleted: Vec<_> = json.as_array().unwrap()[1..]
            .iter()
            .map(|request| {
                let range = &request["deleteDimension"]["range"];
                assert_eq!((&range["sheetId"], &range["dimension"]), (&7.into(), &"ROWS".into()));
                (range["startIndex"].as_i64().unwrap(), range["endIndex"].as_i64().unwrap())
            })
            .collect();
        assert_eq!(deleted, [(8, 9), (4, 6), (1, 2)]);
    }

    #[test]
    fn a_missing_worksheet_is_made_with_the_header() {
        let read = snapshot(3);
        let requests = move_rows(&read, &[3], &sheet(7, 100, 1), None, "Done").unwrap();
        let json = json(&requests);
        assert_eq!(json[0]["addSheet"]["properties"]["title"], "Done");
        assert_eq!(json[0]["addSheet"]["properties"]["sheetId"], json[1]["appendCells"]["sheetId"]);
        let rows = json[1]["appendCells"]["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["values"][0]["userEnteredValue"]["stringValue"], "cell 1");
    }

    #[test]
    fn the_last_row_that_is_not_frozen_is_not_deleted() {
        let read = snapshot(3);
        let requests = move_rows(&read, &[2, 3], &sheet(7, 3, 1), Some(&sheet(9, 9, 0)), "Done").unwrap();
        assert_eq!(json(&requests)[1]["appendDimension"]["length"], 1);
        let requests = move_rows(&read, &[2, 3], &sheet(7, 4, 1), Some(&sheet(9, 9, 0)), "Done").unwrap();
        assert!(json(&requests)[1].get("deleteDimension").is_some());
    }

    #[test]
    fn the_header_and_rows_that_were_not_read_do_not_move() {
        let (source, target) = (sheet(7, 100, 1), sheet(9, 10, 0));
        assert!(move_rows(&snapshot(3), &[1], &source, Some(&target), "Done").is_none());
        assert!(move_rows(&snapshot(3), &[4], &source, Some(&target), "Done").is_none());
    }

    #[test]
    fn a_formula_is_written_as_text_and_a_column_is_made_where_it_is_missing() {
        let requests = json(&write_cell(&sheet(7, 100, 1), 5, 3, "=1+1"));
        assert_eq!(requests[0]["appendDimension"]["length"], 1);
        let update = &requests[1]["updateCells"];
        assert_eq!(update["rows"][0]["values"][0]["userEnteredValue"]["stringValue"], "=1+1");
        assert_eq!((&update["start"]["rowIndex"], &update["start"]["columnIndex"]), (&4.into(), &3.into()));
        assert_eq!(update["fields"], "userEnteredValue");
    }

    #[test]
    fn texts_of_neighbours_are_written_together_and_a_blank_one_empties_its_cell() {
        let json = json(&write_texts(&sheet(7, 100, 1), 1, &[(2, "x"), (3, ""), (7, "y")]));
        assert_eq!(json.as_array().unwrap().len(), 2);
        let first = &json[0]["updateCells"];
        assert_eq!((&first["start"]["rowIndex"], &first["start"]["columnIndex"]), (&1.into(), &1.into()));
        assert_eq!(first["rows"][1]["values"][0], serde_json::json!({}));
        assert_eq!(json[1]["updateCells"]["start"]["rowIndex"], 6);
    }

    #[test]
    fn notes_of_neighbours_are_written_together_and_a_blank_one_is_said() {
        let notes = [(2, "Usher, x".to_owned()), (3, String::new()), (7, "Usher, y".to_owned())];
        let json = json(&write_notes(7, &notes));
        assert_eq!(json.as_array().unwrap().len(), 2);
        let first = &json[0]["updateCells"];
        assert_eq!((&first["start"]["rowIndex"], &first["fields"]), (&1.into(), &"note".into()));
        assert_eq!(first["rows"][1]["values"][0]["note"], "");
        assert_eq!(json[1]["updateCells"]["start"]["rowIndex"], 6);
    }
}

//! What a change of a spreadsheet is made of: the requests of one `spreadsheets.batchUpdate`.
//!
//! Every text is written as a string value, which Google never evaluates.

use google_sheets4::FieldMask;
use google_sheets4::api::{
    AddSheetRequest, AppendCellsRequest, AppendDimensionRequest, CellData, DeleteDimensionRequest,
    DimensionRange, ExtendedValue, GridCoordinate, Request, RowData, SheetProperties, UpdateCellsRequest,
};

use crate::random;
use crate::registration::RowNumber;
use crate::sheet::Snapshot;

/// The part of a cell that is written.
const VALUE: &str = "userEnteredValue";

/// The part of a cell that holds a remark.
const NOTE: &str = "note";

/// Rows of `from` to the end of `target`, which is made where there is none; none where a row of that number
/// was not read. The header, row 1, does not move.
pub(super) fn move_rows(
    from: &Snapshot,
    rows: &[RowNumber],
    source: &SheetProperties,
    target: Option<&SheetProperties>,
    to: &str,
) -> Option<Vec<Request>> {
    let mut numbers = rows.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    let cells = |number: RowNumber| from.rows.get(number as usize - 1).map(|row| row.cells.clone());
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
            requests.push(add_sheet(id, to));
            moved.insert(0, cells(1).unwrap_or_default());
            id
        }
    };
    requests.push(append(target_id, &moved));
    if let Some(request) = keep_a_row(source, numbers.len()) {
        requests.push(request);
    }
    // From the last row up, so that no deletion changes the numbers of those that follow.
    requests.extend(runs(&numbers).into_iter().rev().map(|(first, last)| delete(source_id, first, last)));
    Some(requests)
}

/// Rows at the end of a worksheet, and others of it deleted, whose numbers are in order.
pub(super) fn repair(
    source: &SheetProperties,
    put_back: &[Vec<String>],
    deleted: &[RowNumber],
) -> Vec<Request> {
    let sheet_id = source.sheet_id.unwrap_or_default();
    // How many rows there are by now is not known, and Google does not delete the last one.
    let mut requests = vec![append_dimension(source, "ROWS", 1)];
    if !put_back.is_empty() {
        requests.push(append(sheet_id, put_back));
    }
    requests.extend(runs(deleted).into_iter().rev().map(|(first, last)| delete(sheet_id, first, last)));
    requests
}

/// Notes of the first cells of rows; a blank one takes the note away.
pub(super) fn write_notes(sheet_id: i32, notes: &[(RowNumber, String)]) -> Vec<Request> {
    let row = |(_, note): &(RowNumber, String)| {
        let cell = CellData { note: Some(note.clone()), ..CellData::default() };
        RowData { values: Some(vec![cell]) }
    };
    let update = |run: &[(RowNumber, String)]| {
        let first = run.first().map_or(1, |(number, _)| *number);
        let start = GridCoordinate {
            sheet_id: Some(sheet_id),
            row_index: Some(index(first) - 1),
            column_index: Some(0),
        };
        let update_cells = UpdateCellsRequest {
            fields: Some(FieldMask::new(&[NOTE])),
            rows: Some(run.iter().map(row).collect()),
            start: Some(start),
            ..UpdateCellsRequest::default()
        };
        Request { update_cells: Some(update_cells), ..Request::default() }
    };
    notes.chunk_by(|left, right| right.0 == left.0 + 1).map(update).collect()
}

/// Rows at the end of a worksheet.
pub(super) fn append(sheet_id: i32, rows: &[Vec<String>]) -> Request {
    let append_cells = AppendCellsRequest {
        fields: Some(FieldMask::new(&[VALUE])),
        rows: Some(rows.iter().map(|cells| row(cells)).collect()),
        sheet_id: Some(sheet_id),
        ..AppendCellsRequest::default()
    };
    Request { append_cells: Some(append_cells), ..Request::default() }
}

/// One text in one cell.
pub(super) fn write_cell(
    sheet: &SheetProperties,
    number: RowNumber,
    column: u32,
    text: &str,
) -> Vec<Request> {
    let start = GridCoordinate {
        sheet_id: sheet.sheet_id,
        row_index: Some(index(number) - 1),
        column_index: Some(index(column)),
    };
    let update = UpdateCellsRequest {
        fields: Some(FieldMask::new(&[VALUE])),
        rows: Some(vec![row(&[text.to_owned()])]),
        start: Some(start),
        ..UpdateCellsRequest::default()
    };
    let mut requests = Vec::new();
    // A mark may be the first thing in its column.
    let columns = sheet.grid_properties.as_ref().and_then(|grid| grid.column_count).unwrap_or(i32::MAX);
    if index(column) >= columns {
        requests.push(append_dimension(sheet, "COLUMNS", index(column) + 1 - columns));
    }
    requests.push(Request { update_cells: Some(update), ..Request::default() });
    requests
}

fn row(cells: &[String]) -> RowData {
    let cell = |text: &String| {
        // A cell without a value stays blank; an empty string would count as filled.
        let value = (!text.is_empty())
            .then(|| ExtendedValue { string_value: Some(text.clone()), ..ExtendedValue::default() });
        CellData { user_entered_value: value, ..CellData::default() }
    };
    RowData { values: Some(cells.iter().map(cell).collect()) }
}

fn add_sheet(id: i32, title: &str) -> Request {
    let properties =
        SheetProperties { sheet_id: Some(id), title: Some(title.to_owned()), ..SheetProperties::default() };
    let add_sheet = AddSheetRequest { properties: Some(properties) };
    Request { add_sheet: Some(add_sheet), ..Request::default() }
}

/// Rows `first` to `last`, both included.
fn delete(sheet_id: i32, first: RowNumber, last: RowNumber) -> Request {
    let range = DimensionRange {
        sheet_id: Some(sheet_id),
        dimension: Some("ROWS".to_owned()),
        start_index: Some(index(first) - 1),
        end_index: Some(index(last)),
    };
    let delete_dimension = DeleteDimensionRequest { range: Some(range) };
    Request { delete_dimension: Some(delete_dimension), ..Request::default() }
}

/// Google does not delete the last row that is not frozen. Where that would happen, another one is added.
fn keep_a_row(source: &SheetProperties, deleted: usize) -> Option<Request> {
    let grid = source.grid_properties.as_ref()?;
    let frozen = grid.frozen_row_count.unwrap_or(0).max(1);
    let left = i64::from(grid.row_count?) - i64::try_from(deleted).unwrap_or(i64::MAX);
    (left <= i64::from(frozen)).then(|| append_dimension(source, "ROWS", 1))
}

fn append_dimension(sheet: &SheetProperties, dimension: &str, length: i32) -> Request {
    let append = AppendDimensionRequest {
        sheet_id: sheet.sheet_id,
        dimension: Some(dimension.to_owned()),
        length: Some(length),
    };
    Request { append_dimension: Some(append), ..Request::default() }
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

    fn json(requests: &[Request]) -> serde_json::Value {
        serde_json::to_value(requests).unwrap()
    }

    #[test]
    fn rows_are_appended_in_order_and_deleted_from_the_last_one_up() {
        let (source, target) = (sheet(7, 100, 1), sheet(9, 10, 0));
        let requests = move_rows(&snapshot(9), &[5, 2, 6, 9, 5], &source, Some(&target), "Done").unwrap();
        let json = json(&requests);
        let texts: Vec<_> = json[0]["appendCells"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["values"][0]["userEnteredValue"]["stringValue"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["cell 2", "cell 5", "cell 6", "cell 9"]);
        assert_eq!(json[0]["appendCells"]["sheetId"], 9);
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
        let requests = move_rows(&snapshot(3), &[3], &sheet(7, 100, 1), None, "Done").unwrap();
        let json = json(&requests);
        assert_eq!(json[0]["addSheet"]["properties"]["title"], "Done");
        assert_eq!(json[0]["addSheet"]["properties"]["sheetId"], json[1]["appendCells"]["sheetId"]);
        let rows = json[1]["appendCells"]["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["values"][0]["userEnteredValue"]["stringValue"], "cell 1");
    }

    #[test]
    fn the_last_row_that_is_not_frozen_is_not_deleted() {
        let requests =
            move_rows(&snapshot(3), &[2, 3], &sheet(7, 3, 1), Some(&sheet(9, 9, 0)), "Done").unwrap();
        assert_eq!(json(&requests)[1]["appendDimension"]["length"], 1);
        let requests =
            move_rows(&snapshot(3), &[2, 3], &sheet(7, 4, 1), Some(&sheet(9, 9, 0)), "Done").unwrap();
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

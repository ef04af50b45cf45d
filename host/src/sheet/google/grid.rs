//! Columns of a worksheet with what is beside their texts, as the Sheets API answers them (`GridData`).

use google_sheets4::api::SheetProperties;
use serde::Deserialize;

/// What is asked of the cells of a spreadsheet.
pub(super) const CELLS: &str =
    "sheets(properties(sheetId,title,gridProperties),data.rowData.values(formattedValue,note))";

/// What is asked of the answer to a change.
pub(super) const CELLS_AFTER_A_CHANGE: &str =
    "spreadsheetId,updatedSpreadsheet.sheets.data.rowData.values.formattedValue";

/// The parts of a spreadsheet that were asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Grids {
    sheets: Vec<Grid>,
}

/// The answer to a change.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Changed {
    pub updated_spreadsheet: Grids,
}

/// One worksheet.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Grid {
    properties: SheetProperties,
    /// One for each range that was asked for, in that order.
    data: Vec<Range>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Range {
    row_data: Vec<Cells>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cells {
    values: Vec<Cell>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Cell {
    formatted_value: String,
    note: String,
}

impl Grids {
    /// The worksheet that the ranges are in.
    pub(super) fn worksheet(&mut self) -> SheetProperties {
        self.sheets.first_mut().map(|sheet| std::mem::take(&mut sheet.properties)).unwrap_or_default()
    }

    /// The texts of a range that is one column, from its first row on.
    pub(super) fn texts(&mut self, range: usize) -> Vec<String> {
        self.column(range, |cell| cell.formatted_value)
    }

    /// The notes of a range that is one column, from its first row on.
    pub(super) fn notes(&mut self, range: usize) -> Vec<String> {
        self.column(range, |cell| cell.note)
    }

    fn column(&mut self, range: usize, part: impl Fn(Cell) -> String) -> Vec<String> {
        let range = self.sheets.first_mut().and_then(|sheet| sheet.data.get_mut(range));
        let rows = range.map(|range| std::mem::take(&mut range.row_data)).unwrap_or_default();
        rows.into_iter().map(|row| row.values.into_iter().next().map(&part).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_google_leaves_out_is_blank() {
        let rows = json!([{ "values": [{ "formattedValue": "a" }] }, {}, { "values": [{ "note": "n" }] }]);
        let answer =
            json!({ "sheets": [{ "properties": { "sheetId": 7 }, "data": [{ "rowData": rows }, {}] }] });
        let read = || serde_json::from_value::<Grids>(answer.clone()).unwrap();
        assert_eq!(read().texts(0), ["a", "", ""]);
        assert_eq!(read().notes(0), ["", "", "n"]);
        assert!(read().texts(1).is_empty() && read().texts(2).is_empty());
        assert_eq!(read().worksheet().sheet_id, Some(7));
        let mut nothing: Changed = serde_json::from_value(json!({})).unwrap();
        assert!(nothing.updated_spreadsheet.texts(0).is_empty());
    }
}

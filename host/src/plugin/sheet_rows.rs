//! Rows of a sheet and their kind, between WIT and the host.

use wasmtime::component::{ComponentType, Lower};

use crate::registration::{Row, RowNumber, SheetKind};

use super::bindings::interfaces::types as wit;

/// A row for a component, whose cells are copied only into the component's memory.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct BorrowedRow<'a> {
    /// The number that the spreadsheet shows.
    pub(super) number: RowNumber,
    /// The cells from the first column on.
    pub(super) cells: &'a [String],
}

/// The kind for a component.
pub(super) fn kind_to_wit(kind: SheetKind) -> wit::SheetKind {
    match kind {
        SheetKind::Access => wit::SheetKind::Access,
        SheetKind::Quota => wit::SheetKind::Quota,
    }
}

/// The rows for a component, without the blank cells at their ends: each cell that is copied costs its time, and
/// what is missing counts as blank.
pub(super) fn borrowed(rows: &[Row]) -> Vec<BorrowedRow<'_>> {
    let filled =
        |cells: &[String]| cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    rows.iter()
        .map(|row| BorrowedRow { number: row.number, cells: &row.cells[..filled(&row.cells)] })
        .collect()
}

/// A row for a component that takes it as an answer.
pub(super) fn row_to_wit(row: Row) -> wit::Row {
    wit::Row { number: row.number, cells: row.cells }
}

/// A row from a component.
pub(super) fn row_from_wit(row: wit::Row) -> Row {
    Row { number: row.number, cells: row.cells }
}

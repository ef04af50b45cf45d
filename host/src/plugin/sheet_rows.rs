//! Rows of a sheet and their kind, between WIT and the host.

use crate::registration::{Row, SheetKind};

use super::bindings::interfaces::types as wit;

/// The kind for a component.
pub(super) fn kind_to_wit(kind: SheetKind) -> wit::SheetKind {
    match kind {
        SheetKind::Access => wit::SheetKind::Access,
        SheetKind::Quota => wit::SheetKind::Quota,
    }
}

/// The rows for a component.
pub(super) fn rows_to_wit(rows: &[Row]) -> Vec<wit::Row> {
    rows.iter().cloned().map(row_to_wit).collect()
}

/// A row for a component.
pub(super) fn row_to_wit(row: Row) -> wit::Row {
    wit::Row { number: row.number, cells: row.cells }
}

/// A row from a component.
pub(super) fn row_from_wit(row: wit::Row) -> Row {
    Row { number: row.number, cells: row.cells }
}

//! The component around the parser.

use usher_plugin::Arena;
use usher_plugin::log;
use usher_plugin::row_parser::{self, RowParser};
use usher_plugin::settings::Settings;
use usher_plugin::types::{Layout, Parsed, Row, SheetKind};

use crate::Worksheets;

#[global_allocator]
static MEMORY: Arena = Arena::new();

struct MocRows;

impl RowParser for MocRows {
    fn describe() -> Layout {
        // The settings' error reaches the operator with the rows; here there is no place for it but the log.
        let worksheets = Worksheets::from_settings(&Settings::load()).unwrap_or_else(|error| {
            log::error(&error.to_string());
            Worksheets::default()
        });
        worksheets.layout()
    }

    fn parse_rows(kind: SheetKind, rows: Vec<Row>) -> Parsed {
        match Worksheets::from_settings(&Settings::load()) {
            Ok(worksheets) => {
                let parsed = crate::parse_rows(kind, &rows, worksheets.reading());
                // The memory goes with the call, so letting go of cell by cell is a waste of time.
                std::mem::forget(rows);
                parsed
            }
            Err(error) => Parsed::Unreadable(error.to_string()),
        }
    }
}

row_parser::export!(MocRows);

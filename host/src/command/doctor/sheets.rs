//! The sheets, read as an import would.

use super::findings::Findings;
use crate::batch::report::counted;
use crate::command::Exit;
use crate::command::exit::of_sheet;
use crate::plugin::RowParser;
use crate::registration::{Layout, Outcome, SheetKind};
use crate::settings::Settings;
use crate::sheet::{Sheet, Sheets};

pub(super) async fn check_sheets(
    settings: &Settings,
    row_parser: Option<&(RowParser, Layout)>,
    findings: &mut Findings,
) {
    let sheets = Sheets::new(settings.sheet.as_ref());
    let Ok(access) = sheets.access() else {
        return findings.good("sheet", "none: this machine serves setpass and processes no sheet");
    };
    let Some((parser, layout)) = row_parser else {
        for sheet in sheets.iter() {
            match sheet.check().await {
                Ok(worksheets) => findings.warn(
                    "sheet",
                    format!("worksheets: {}; without a row parser, none was read", worksheets.join(", ")),
                ),
                Err(error) => findings.bad("sheet", &error, of_sheet(&error)),
            }
        }
        return;
    };
    check_worksheet(access, &layout.access.requests, SheetKind::Access, parser, findings).await;
    match (&sheets.quota, &layout.quota) {
        (Some(sheet), Some(layout)) => {
            check_worksheet(sheet, &layout.requests, SheetKind::Quota, parser, findings).await;
        }
        (Some(_), None) => {
            findings.warn("sheet", "the row parser does not read the quota sheet that the settings name");
        }
        (None, _) => {}
    }
}

/// Reads a worksheet as an import would.
async fn check_worksheet(
    sheet: &Sheet,
    worksheet: &str,
    kind: SheetKind,
    parser: &RowParser,
    findings: &mut Findings,
) {
    let kind_name = kind.name();
    let snapshot = match sheet.read(worksheet).await {
        Ok(snapshot) => snapshot,
        Err(error) => return findings.bad("sheet", format!("{kind_name}: {error}"), of_sheet(&error)),
    };
    let parsed = match parser.parse_rows(kind, &snapshot.rows).await {
        Ok(parsed) => parsed,
        Err(error) => {
            return findings.bad(
                "sheet",
                format!("{kind_name}: worksheet {worksheet:?}: {error}"),
                Exit::Usage,
            );
        }
    };
    let rejected = parsed.rows.iter().filter(|row| matches!(row.outcome, Outcome::Rejected(_))).count();
    let rows = counted(parsed.rows.len(), "row", "rows");
    let finding = format!("{kind_name}: worksheet {worksheet:?} has {rows}");
    match rejected {
        0 => findings.good("sheet", finding),
        _ => findings.warn("sheet", format!("{finding}, of which {rejected} cannot be used as they are")),
    }
}

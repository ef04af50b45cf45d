//! The role of reading the rows of the sheets.

use crate::registration::{Layout, Parsed, Row, RowNumber, SheetKind, SheetLayout};

use super::bindings::interfaces::types as wit;
use super::bindings::row_parser::RowParserPre;
use super::blame;
use super::call::Callee;
use super::error::PluginError;
use super::request_from_wit::parsed_row;
use super::role::Role;
use super::sheet_rows::{BorrowedRow, borrowed, kind_to_wit};

const DESCRIBE: &str = "describe";
const PARSE_ROWS: &str = "parse-rows";

/// The component that reads the rows of the sheets.
#[derive(Clone)]
pub struct RowParser {
    role: Role,
}

impl RowParser {
    pub(super) fn new(role: Role) -> Self {
        Self { role }
    }

    /// Where the sheets' worksheets and bookkeeping columns are.
    ///
    /// # Errors
    /// Where the component fails, or names no worksheet.
    pub async fn describe(&self) -> Result<Layout, PluginError> {
        let callee = self.role.callee().await;
        let (_place, mut store) = callee.store().await;
        let layout = callee
            .within_deadline(async {
                let guest = RowParserPre::new(callee.pre.clone())?.instantiate_async(&mut store).await?;
                guest.call_describe(&mut store).await
            })
            .await
            .map_err(|error| callee.explain(&error, DESCRIBE, &store))?;
        for sheet in std::iter::once(&layout.access).chain(&layout.quota) {
            if sheet.requests.trim().is_empty() || sheet.done.trim().is_empty() {
                return Err(callee.bad_answer(DESCRIBE, None, "a worksheet without a name".to_owned()));
            }
            if sheet.requests == sheet.done {
                let reason = "finished rows would stay in the worksheet that the form fills".to_owned();
                return Err(callee.bad_answer(DESCRIBE, None, reason));
            }
        }
        Ok(Layout { access: sheet_layout(layout.access), quota: layout.quota.map(sheet_layout) })
    }

    /// Reads all rows of a worksheet, header included. Where the component fails, the error names
    /// the row at which it does, if that can be found within the time of one more call.
    ///
    /// # Errors
    /// Where the sheet does not have the layout, the component fails, or its answer does not hold
    /// every row below the header that is not blank exactly once.
    pub async fn parse_rows(&self, kind: SheetKind, rows: &[Row]) -> Result<Parsed, PluginError> {
        let callee = self.role.callee().await;
        let given = borrowed(rows);
        let answer = match call(&callee, kind, &given).await {
            Ok(answer) => answer,
            Err(error) => {
                let row = blame::find_row(&callee, &error, &given, |callee, rows| async move {
                    call(&callee, kind, &rows).await.err()
                })
                .await;
                return Err(match row {
                    Some(row) => error.with_row(row),
                    None => error,
                });
            }
        };
        let answered = match answer {
            wit::Parsed::Rows(rows) => rows,
            wit::Parsed::Unreadable(reason) => {
                return Err(PluginError::Unreadable { plugin: callee.profile.name.clone(), reason });
            }
        };
        let bad = |(row, reason)| callee.bad_answer(PARSE_ROWS, Some(row), reason);
        check_rows(rows, &answered).map_err(bad)?;
        let rows = answered.into_iter().map(parsed_row).collect::<Result<_, _>>().map_err(bad)?;
        Ok(Parsed { rows })
    }

    /// SHA-256 of the component that runs.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.role.sha256()
    }
}

async fn call(
    callee: &Callee,
    kind: SheetKind,
    rows: &[BorrowedRow<'_>],
) -> Result<wit::Parsed, PluginError> {
    let (_place, mut store) = callee.store().await;
    callee
        .within_deadline(async {
            // What bindgen makes of this export takes rows that own their cells.
            let guest = callee.pre.instantiate_async(&mut store).await?;
            let parse = guest.get_typed_func::<(wit::SheetKind, &[BorrowedRow<'_>]), (wit::Parsed,)>(
                &mut store, PARSE_ROWS,
            )?;
            let (parsed,) = parse.call_async(&mut store, (kind_to_wit(kind), rows)).await?;
            Ok(parsed)
        })
        .await
        .map_err(|error| callee.explain(&error, PARSE_ROWS, &store))
}

/// Checks that the answer holds every row below the header that is not blank exactly once, in the
/// order of the sheet. A row that is left out would never be processed, and nobody would know.
fn check_rows(given: &[Row], answered: &[wit::ParsedRow]) -> Result<(), (RowNumber, String)> {
    let mut expected = given.iter().skip(1).filter(|row| !row.is_blank()).map(|row| row.number);
    let mut before = None;
    for number in answered.iter().map(|row| row.number) {
        match expected.next() {
            Some(next) if next == number => before = Some(number),
            _ if before == Some(number) => return Err((number, "the row is answered twice".to_owned())),
            Some(next) => {
                let reason = format!(
                    "row {number} is answered where this row was to come: a row is left out, out of order, or not in the sheet"
                );
                return Err((next, reason));
            }
            None => return Err((number, "a row is answered that is blank or not in the sheet".to_owned())),
        }
    }
    expected.next().map_or(Ok(()), |next| Err((next, "the row is left out".to_owned())))
}

fn sheet_layout(layout: wit::SheetLayout) -> SheetLayout {
    SheetLayout {
        requests: layout.requests,
        done: layout.done,
        notified_column: layout.notified_column,
        reminded_column: layout.reminded_column,
        pin_column: layout.pin_column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Vec<Row> {
        [(1, "Header"), (2, "a"), (3, " "), (4, "b")]
            .map(|(number, cell)| Row { number, cells: vec![cell.to_owned()] })
            .into()
    }

    fn check(numbers: &[u32]) -> Result<(), (RowNumber, String)> {
        let answered: Vec<_> = numbers
            .iter()
            .map(|number| wit::ParsedRow {
                number: *number,
                outcome: wit::Outcome::Rejected(wit::Rejection {
                    requester: String::new(),
                    reason: String::new(),
                }),
                warnings: Vec::new(),
            })
            .collect();
        check_rows(&given(), &answered)
    }

    #[test]
    fn every_row_that_is_not_blank_has_to_be_answered_once() {
        assert_eq!(check(&[2, 4]), Ok(()));
        assert_eq!(check(&[2]).unwrap_err().0, 4);
        assert_eq!(check(&[4]).unwrap_err().0, 2);
        assert_eq!(check(&[2, 2, 4]).unwrap_err(), (2, "the row is answered twice".to_owned()));
        assert_eq!(check(&[2, 4, 5]).unwrap_err().0, 5);
        assert!(check(&[1, 2, 4]).is_err(), "the header is no request");
        assert!(check(&[2, 3, 4]).is_err(), "a blank row is no request");
        assert!(check(&[4, 2]).is_err(), "out of order");
    }
}

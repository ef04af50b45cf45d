//! The sheet that a batch is about, with what reads it.

use crate::app::App;
use crate::plugin::{PluginError, RowParser};
use crate::registration::{Outcome, Parsed, ParsedRow, Row, SheetKind, SheetLayout, Stage};
use crate::sheet::Sheet;

/// One of the site's sheets.
pub struct Source<'a> {
    /// The services.
    pub app: &'a App,
    /// Which sheet it is.
    pub kind: SheetKind,
    /// Where it is kept.
    pub sheet: &'a Sheet,
    /// What reads its rows.
    pub parser: &'a RowParser,
    /// Its worksheets.
    pub layout: &'a SheetLayout,
}

impl Source<'_> {
    /// What the parser makes of rows.
    pub(crate) async fn parse(&self, rows: &[Row]) -> Result<Vec<ParsedRow>, PluginError> {
        let Parsed { rows } = self.parser.parse_rows(self.kind, rows).await?;
        Ok(rows)
    }

    /// The key of a row that may move once its request is finished: the request is still approved, or it is one
    /// that the site's policy may have granted without anybody's approval.
    pub(super) fn key_to_move<'b>(&self, row: &'b ParsedRow) -> Option<&'b str> {
        match (&row.outcome, self.kind) {
            (Outcome::Request(request), SheetKind::Quota)
                if matches!(request.stage, Stage::Waiting { .. }) =>
            {
                Some(&request.key)
            }
            _ => ready_key(row),
        }
    }
}

/// The key of a row's request; none where the row could not be read.
pub(crate) fn key(row: &ParsedRow) -> Option<&str> {
    match &row.outcome {
        Outcome::Request(request) => Some(&request.key),
        Outcome::Rejected(_) => None,
    }
}

/// The key of a row's request, where the request is approved and the helpdesk knows.
pub(crate) fn ready_key(row: &ParsedRow) -> Option<&str> {
    match &row.outcome {
        Outcome::Request(request) if request.stage == Stage::Ready => Some(&request.key),
        _ => None,
    }
}

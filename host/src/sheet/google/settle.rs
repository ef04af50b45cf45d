//! Putting right what a move did that met another order of rows than it was made for.

use google_sheets4::api::SheetProperties;

use super::repair::Repair;
use super::{GoogleError, GoogleSheet, Remedy, requests};
use crate::registration::RowNumber;
use crate::sheet::{MoveOutcome, SheetError, Snapshot};

/// How often what somebody's edit in the moment of a move led to is looked at and put right.
const REPAIRS: u32 = 4;

impl GoogleSheet {
    /// Compares the worksheet with what was read before a move that was made, and puts right what differs.
    ///
    /// # Errors
    /// [`SheetError::Unsettled`] where that is not possible, or where it is not clear what is right.
    pub(super) async fn settle(
        &self,
        from: &Snapshot,
        rows: &[RowNumber],
        source: &SheetProperties,
    ) -> Result<MoveOutcome, SheetError> {
        tracing::warn!(worksheet = from.worksheet, "the worksheet was edited in the moment of a move");
        let mut outcome = MoveOutcome::default();
        let mut last: Option<Repair> = None;
        // Whether the change before the next look was made, as far as that is known.
        let mut is_made = Some(true);
        let unsettled = |missing: &[RowNumber], reason: String| SheetError::Unsettled {
            worksheet: from.worksheet.clone(),
            missing: missing.to_vec(),
            reason,
        };
        let still_missing = |last: &Option<Repair>| last.as_ref().map_or(Vec::new(), |it| it.missing.clone());
        let mut reason = "it was edited again and again".to_owned();
        for _ in 0..REPAIRS {
            let now = self
                .read(&from.worksheet)
                .await
                .map_err(|error| unsettled(&still_missing(&last), error.to_string()))?;
            let repair = Repair::plan(from, rows, &now)
                .map_err(|doubt| unsettled(&doubt.missing, doubt.reason.to_owned()))?;
            if is_made.unwrap_or_else(|| last.as_ref().is_none_or(|last| last.has_changed(&repair))) {
                outcome.unread += repair.unread(last.as_ref());
            }
            outcome.in_both.clone_from(&repair.edited);
            outcome.in_doubt.clone_from(&repair.in_doubt);
            if !repair.is_needed() {
                return Ok(outcome);
            }
            let put_back: Vec<Vec<String>> = from
                .rows
                .iter()
                .filter(|row| repair.missing.contains(&row.number))
                .map(|row| row.cells.clone())
                .collect();
            let mut deleted: Vec<RowNumber> = repair.still_there.iter().map(|(_, now)| *now).collect();
            deleted.sort_unstable();
            outcome.put_back.extend(&repair.missing);
            outcome.put_back.sort_unstable();
            outcome.put_back.dedup();
            let requests = requests::repair(source, &put_back, &deleted);
            // Whether somebody edited the worksheet again, the next look tells.
            let change = self.access.api().await?.change(&self.id, requests, None).await;
            is_made = match &change {
                Ok(_) => Some(true),
                Err(GoogleError::Uncertain { .. }) => None,
                Err(_) => Some(false),
            };
            if let Err(error) = change {
                if error.remedy() == Remedy::Operator {
                    return Err(unsettled(&repair.missing, error.to_string()));
                }
                reason = error.to_string();
            }
            last = Some(repair);
        }
        Err(unsettled(&still_missing(&last), reason))
    }

    /// Looks at what came of a move whose answer was lost. Only one that was made and took other rows than it
    /// was meant to is put right: whether one was simply made, or not at all, the next run finds out.
    ///
    /// # Errors
    /// `uncertain` where there is nothing to put right, or nobody can tell.
    pub(super) async fn settle_uncertain(
        &self,
        from: &Snapshot,
        rows: &[RowNumber],
        source: &SheetProperties,
        to: &str,
        uncertain: GoogleError,
    ) -> Result<MoveOutcome, SheetError> {
        let Ok(now) = self.read(&from.worksheet).await else { return Err(uncertain.into()) };
        if Repair::plan(from, rows, &now).is_ok_and(|repair| repair == Repair::default()) {
            return Err(uncertain.into());
        }
        // Rows that are not in the other worksheet are nowhere else: those must not be deleted.
        match self.read(to).await {
            Ok(target) if super::repair::holds_all(&target, from, rows) => {
                self.settle(from, rows, source).await
            }
            _ => Err(uncertain.into()),
        }
    }
}

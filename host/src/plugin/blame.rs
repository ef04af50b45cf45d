//! Finds the row that makes a parser fail, by trying it on shorter and shorter parts of the sheet.
//!
//! A parser gets the whole sheet in one call, so a trap says nothing about rows. Of the sheet's
//! beginnings, the longest that works ends just before the row that does not. It is found by halving,
//! some fifteen calls for 20,000 rows, within the time that one call may take.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use crate::registration::RowNumber;

use super::call::Callee;
use super::error::PluginError;
use super::sheet_rows::BorrowedRow;
use super::state::Profile;

/// The share of a call's time that one try may take where time is what ran out: with sixteen tries,
/// the search takes no longer than the call itself did.
const SHARE: u32 = 16;

/// The shortest time for a try, whatever the share is.
const SHORTEST: Duration = Duration::from_millis(20);

/// The row at which a call on `rows` fails, where it can be found; none where the failure is not one
/// row's. `attempt` calls the component on other rows and answers the error, if there is one.
pub(super) async fn find_row<'a, F>(
    callee: &Callee,
    error: &PluginError,
    rows: &[BorrowedRow<'a>],
    attempt: impl Fn(Callee, Vec<BorrowedRow<'a>>) -> F,
) -> Option<RowNumber>
where
    F: Future<Output = Option<PluginError>>,
{
    // A limit on what is handed over, or on calls, is hit by all rows together.
    if rows.len() < 2 || matches!(error, PluginError::AnswerTooLarge { .. } | PluginError::HostCalls { .. }) {
        return None;
    }
    let give_up = std::time::Instant::now() + callee.profile.limits.deadline;
    let out_of_time = matches!(error, PluginError::Deadline { .. });
    let callee = if out_of_time { hurried(callee) } else { callee.clone() };
    // Whether the component fails on these rows in the same way; none where it fails in another,
    // which says nothing about this failure.
    let fails = async |rows: Vec<BorrowedRow<'a>>| match attempt(callee.clone(), rows).await {
        None => Some(false),
        Some(other) if discriminant(&other) == discriminant(error) => Some(true),
        Some(_) => None,
    };
    if fails(rows[..1].to_vec()).await? {
        return None;
    }
    // Between them: the beginning of `good` rows works, that of `bad` rows fails.
    let (mut good, mut bad) = (1, rows.len());
    while bad - good > 1 {
        if std::time::Instant::now() >= give_up {
            return None;
        }
        let middle = good.midpoint(bad);
        if fails(rows[..middle].to_vec()).await? {
            bad = middle;
        } else {
            good = middle;
        }
    }
    let row = &rows[bad - 1];
    // Memory and time may simply be too little for so many rows. The row is to blame only if it
    // fails by itself.
    let may_be_all_rows = out_of_time || matches!(error, PluginError::OutOfMemory { .. });
    if may_be_all_rows && !fails(vec![rows[0], *row]).await? {
        return None;
    }
    Some(row.number)
}

/// The same component with less time.
fn hurried(callee: &Callee) -> Callee {
    let profile = &callee.profile;
    let mut limits = profile.limits;
    limits.deadline = (limits.deadline / SHARE).max(SHORTEST);
    let profile = Profile {
        name: profile.name.clone(),
        sender: profile.sender.clone(),
        limits,
        settings: profile.settings.clone(),
        files: profile.files.clone(),
        capabilities: Arc::clone(&profile.capabilities),
    };
    Callee { profile: Arc::new(profile), ..callee.clone() }
}

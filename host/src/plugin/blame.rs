//! Finds the row that makes a parser fail, by trying it on shorter and shorter parts of the sheet.
//!
//! A parser gets the whole sheet in one call, so a trap says nothing about rows. Of the sheet's
//! beginnings, the longest that works ends just before the row that does not. It is found by halving,
//! some fifteen calls for 20,000 rows, each with a small part of the time that a call may take.

use std::sync::Arc;
use std::time::Duration;

use crate::registration::RowNumber;

use super::bindings::interfaces::types::Row;
use super::call::Callee;
use super::error::PluginError;
use super::state::Profile;

/// The share of a call's time that one try may take: with sixteen tries, the search takes no longer
/// than the call itself did.
const SHARE: u32 = 16;

/// The shortest time for a try, whatever the share is.
const SHORTEST: Duration = Duration::from_millis(20);

/// The row at which a call on `rows` fails, where it can be found; none where the failure is not one
/// row's. `attempt` calls the component on other rows and answers the error, if there is one.
pub(super) async fn find_row<F>(
    callee: &Callee,
    error: &PluginError,
    rows: &[Row],
    attempt: impl Fn(Callee, Vec<Row>) -> F,
) -> Option<RowNumber>
where
    F: Future<Output = Option<PluginError>>,
{
    // A single row below the header is the one; a limit on what is handed over is hit by all rows
    // together.
    if rows.len() < 2 || matches!(error, PluginError::AnswerTooLarge { .. } | PluginError::HostCalls { .. }) {
        return None;
    }
    let hurried = hurried(callee);
    let give_up = std::time::Instant::now() + callee.profile.limits.deadline;
    // Between them: the beginning of `good` rows works, that of `bad` rows fails.
    let (mut good, mut bad) = (1, rows.len());
    if attempt(hurried.clone(), rows[..good].to_vec()).await.is_some() {
        return None;
    }
    while bad - good > 1 {
        if std::time::Instant::now() >= give_up {
            return None;
        }
        let middle = good.midpoint(bad);
        if attempt(hurried.clone(), rows[..middle].to_vec()).await.is_some() {
            bad = middle;
        } else {
            good = middle;
        }
    }
    let row = &rows[bad - 1];
    // Memory and time may simply be too little for so many rows. The row is to blame only if it
    // fails by itself.
    if matches!(error, PluginError::OutOfMemory { .. } | PluginError::Deadline { .. })
        && attempt(hurried, vec![rows[0].clone(), row.clone()]).await.is_none()
    {
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
        limits,
        settings: profile.settings.clone(),
        files: profile.files.clone(),
        capabilities: Arc::clone(&profile.capabilities),
    };
    Callee { profile: Arc::new(profile), ..callee.clone() }
}

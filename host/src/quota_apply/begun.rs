//! What of a request that was begun is still to be set.

use super::facts::ProjectFacts;
use super::plan::{Action, Change};
use crate::database::JournalRequest;
use crate::quota_decisions::in_words;
use crate::quotas::Limit;

/// Leaves out what an earlier run was stopped before setting, and somebody else has set meanwhile.
pub(super) fn left_alone(
    mut changes: Vec<Change>,
    project: &ProjectFacts,
    journal: &JournalRequest,
    warnings: &mut Vec<String>,
) -> Result<Vec<Change>, String> {
    let now = &project.limits.as_ref().map_err(String::clone)?.limits;
    changes.retain(|change| {
        let is_same = |limit: &&Limit| limit.service == change.service && limit.key == change.key;
        let found = now.iter().find(is_same).map_or(change.old, |limit| limit.limit);
        let is_set = journal.finished(&Action::set_step(change.service)).is_some();
        let is_left = is_set || found == change.old || found == change.new;
        if !is_left {
            warnings.push(format!(
                "{} was changed to {} since an earlier run began this request, and is left at that",
                change.key,
                in_words(found)
            ));
        }
        is_left
    });
    match changes.is_empty() {
        true => {
            Err("all of its limits were changed by somebody else meanwhile; mark the row as denied"
                .to_owned())
        }
        false => Ok(changes),
    }
}

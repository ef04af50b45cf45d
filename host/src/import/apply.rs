//! Applying a plan: every request through its steps, in waves, so that a request starts when the
//! rows that it needs are finished.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};

use super::exclusive::Exclusive;
use super::journey::{Journey, StepError};
use super::plan::{Fate, Plan, Target, Work};
use crate::app::App;
use crate::database::{DatabaseError, JournalRequest};
use crate::fail_point;
use crate::plugin::MailTemplates;
use crate::random;
use crate::registration::{RowNumber, SheetKind};

/// How the work on a row ended.
#[derive(Debug)]
pub enum Ending {
    /// Every step is done.
    Done,
    /// It was not finished, and why. The next run goes on where this one stopped.
    Failed {
        /// Why, with what to do.
        reason: String,
        /// Whether a service was out of reach.
        unreachable: bool,
    },
}

/// What applying needs besides the plan.
pub struct Tools<'a> {
    /// The services.
    pub app: &'a App,
    /// The wording of the mails.
    pub mail_templates: &'a MailTemplates,
    /// Keystone's id of the member role.
    pub member_role_id: &'a str,
    /// The run in the journal.
    pub run: i64,
    /// The right to import.
    pub exclusive: &'a Exclusive,
}

/// Ids of what finished rows made, for the rows that wait for them.
#[derive(Clone, Debug)]
struct Made {
    user: Option<String>,
    project: Option<String>,
}

/// Applies the plan. `progress` is told each row as it ends.
///
/// # Errors
/// Where the journal cannot be written: nothing can be done safely then.
pub async fn apply(
    tools: &Tools<'_>,
    plan: &Plan,
    progress: impl Fn(RowNumber, &Ending),
) -> Result<BTreeMap<RowNumber, Ending>, DatabaseError> {
    let works: Vec<(RowNumber, &Work)> = plan
        .rows
        .iter()
        .filter_map(|row| match &row.fate {
            Fate::Apply(work) => Some((row.row, work.as_ref())),
            _ => None,
        })
        .collect();
    let journal = take_up(tools, &works).await?;
    fail_point::reached(|| "requests taken up".to_owned());

    let mut endings: BTreeMap<RowNumber, Ending> = BTreeMap::new();
    let mut made: BTreeMap<RowNumber, Made> = BTreeMap::new();
    let mut waiting = works;
    let mut unreachable: Option<String> = None;
    while !waiting.is_empty() {
        let pending: BTreeSet<RowNumber> = waiting.iter().map(|(row, _)| *row).collect();
        let (wave, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, work)| work.after.iter().all(|on| !pending.contains(on)));
        waiting = later;
        if wave.is_empty() {
            for (row, work) in waiting.drain(..) {
                let others: Vec<_> = work.after.iter().map(|on| format!("row {on}")).collect();
                end(
                    &mut endings,
                    &progress,
                    row,
                    failed(format!("waits for {}, which waits for this row", others.join(", "))),
                );
            }
            break;
        }
        let mut ready = Vec::new();
        for (row, work) in wave {
            if let Some(reason) = &unreachable {
                let reason = format!("not tried: {reason}");
                end(&mut endings, &progress, row, Ending::Failed { reason, unreachable: true });
                continue;
            }
            match targets(work, &made, &endings) {
                Ok(targets) => ready.push((row, work, targets)),
                Err(reason) => end(&mut endings, &progress, row, failed(reason)),
            }
        }
        // Nothing but the stream is awaited below: requests that are not polled may be in the middle
        // of a transaction, for which whoever writes in this loop would wait in vain.
        let mut running = stream::iter(ready)
            .map(|(row, work, targets)| {
                let request = &journal[&row];
                async move { (row, finish(tools, request, work, targets).await) }
            })
            .buffer_unordered(tools.app.settings.import.concurrency.max(1));
        while let Some((row, result)) = running.next().await {
            let (ending, ids) = result?;
            if let Some(ids) = ids {
                made.insert(row, ids);
            }
            if let Ending::Failed { reason, unreachable: true } = &ending {
                unreachable.get_or_insert_with(|| reason.clone());
            }
            end(&mut endings, &progress, row, ending);
        }
    }
    Ok(endings)
}

/// Records all requests of the batch before the first one has any effect, so that a later run
/// knows which of them belonged together.
async fn take_up(
    tools: &Tools<'_>,
    works: &[(RowNumber, &Work)],
) -> Result<BTreeMap<RowNumber, JournalRequest>, DatabaseError> {
    let batch: Vec<_> = works.iter().map(|(_, work)| (work.key.as_str(), random::identifier())).collect();
    let requests = tools
        .app
        .database
        .take_up_requests(SheetKind::Access, &batch, tools.run, tools.app.clock.now())
        .await?;
    Ok(works.iter().map(|(row, _)| *row).zip(requests).collect())
}

/// The ids that a request starts with; or why it cannot start.
fn targets(
    work: &Work,
    made: &BTreeMap<RowNumber, Made>,
    endings: &BTreeMap<RowNumber, Ending>,
) -> Result<Made, String> {
    let resolve = |target: &Target, pick: fn(&Made) -> Option<&String>| match target {
        Target::Known(id) => Ok(Some(id.clone())),
        Target::Made => Ok(None),
        Target::MadeBy(row) => match (made.get(row).and_then(pick), endings.get(row)) {
            (Some(id), _) => Ok(Some(id.clone())),
            (None, Some(Ending::Failed { reason, .. })) => {
                Err(format!("row {row}, which this request needs, was not finished: {reason}"))
            }
            (None, _) => Err(format!("row {row}, which this request needs, was not processed")),
        },
    };
    Ok(Made {
        user: resolve(&work.user, |made| made.user.as_ref())?,
        project: resolve(&work.project, |made| made.project.as_ref())?,
    })
}

/// Works on a request, and notes in the journal why it was not finished.
async fn finish(
    tools: &Tools<'_>,
    request: &JournalRequest,
    work: &Work,
    targets: Made,
) -> Result<(Ending, Option<Made>), DatabaseError> {
    let (ending, ids) = match work_on(tools, request, work, targets).await {
        Ok(ids) => (Ending::Done, Some(ids)),
        Err(StepError::Database(error)) => return Err(error),
        Err(error) => {
            (Ending::Failed { reason: error.to_string(), unreachable: error.is_unreachable() }, None)
        }
    };
    if let Ending::Failed { reason, .. } = &ending {
        let now = tools.app.clock.now();
        tools.app.database.note_request_error(request.id, reason, now).await?;
    }
    Ok((ending, ids))
}

async fn work_on(
    tools: &Tools<'_>,
    request: &JournalRequest,
    work: &Work,
    targets: Made,
) -> Result<Made, StepError> {
    let mut journey = Journey::start(tools, request, work, targets.user, targets.project);
    for action in &work.actions {
        journey.take(action).await?;
    }
    // A step of an earlier run may have made them.
    Ok(Made { user: journey.user().ok(), project: journey.project().ok() })
}

fn failed(reason: String) -> Ending {
    Ending::Failed { reason, unreachable: false }
}

fn end(
    endings: &mut BTreeMap<RowNumber, Ending>,
    progress: &impl Fn(RowNumber, &Ending),
    row: RowNumber,
    ending: Ending,
) {
    progress(row, &ending);
    endings.insert(row, ending);
}

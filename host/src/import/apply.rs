//! Applying a plan: every request through its steps, many at a time, each as soon as the rows that it needs
//! are finished.

mod schedule;

use std::collections::BTreeMap;

use futures::stream::{FuturesUnordered, StreamExt as _};

use self::schedule::Schedule;

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

/// What an import tells while it works.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// That many requests are to be worked on.
    Begins {
        /// How many.
        requests: usize,
    },
    /// One of them has ended.
    Ends {
        /// Its row.
        row: RowNumber,
        /// How.
        ending: &'a Ending,
    },
    /// All of them have ended, and what remains is done for all together.
    Finishes,
}

/// Requests that are worked on for each call that may be made at the same time, so that the services have
/// something to do while other requests write to the journal.
const REQUESTS_PER_CALL: usize = 2;

/// Applies the plan.
///
/// # Errors
/// Where the journal cannot be written: nothing can be done safely then.
pub async fn apply(
    tools: &Tools<'_>,
    plan: &Plan,
    progress: impl Fn(Progress<'_>),
) -> Result<BTreeMap<RowNumber, Ending>, DatabaseError> {
    let works: BTreeMap<RowNumber, &Work> = plan
        .rows
        .iter()
        .filter_map(|row| match &row.fate {
            Fate::Apply(work) => Some((row.row, work.as_ref())),
            _ => None,
        })
        .collect();
    progress(Progress::Begins { requests: works.len() });
    let journal = take_up(tools, &works).await?;
    fail_point::reached(|| "requests taken up".to_owned());

    let mut schedule =
        Schedule::new(&works.iter().map(|(row, work)| (*row, work.after.as_slice())).collect());
    let mut endings = Endings { by_row: BTreeMap::new(), progress };
    let mut made: BTreeMap<RowNumber, Made> = BTreeMap::new();
    let mut unreachable: Option<String> = None;
    let most = tools.app.keystone.most_calls_at_a_time() * REQUESTS_PER_CALL;
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < most
            && let Some(row) = schedule.next()
        {
            let work = works[&row];
            let ending = match (&unreachable, targets(work, &made, &endings.by_row)) {
                (Some(reason), _) => {
                    Ending::Failed { reason: format!("not tried: {reason}"), unreachable: true }
                }
                (None, Err(reason)) => failed(reason),
                (None, Ok(targets)) => {
                    let request = &journal[&row];
                    running.push(async move { (row, finish(tools, request, work, targets).await) });
                    continue;
                }
            };
            endings.add(row, ending);
            schedule.ended(row);
        }
        // Nothing else is awaited in this loop: requests that are not polled may be in the middle of a
        // transaction, for which whoever writes here would wait in vain.
        let Some((row, result)) = running.next().await else { break };
        let (ending, ids) = result?;
        if let Some(ids) = ids {
            made.insert(row, ids);
        }
        if let Ending::Failed { reason, unreachable: true } = &ending {
            unreachable.get_or_insert_with(|| reason.clone());
        }
        endings.add(row, ending);
        schedule.ended(row);
    }
    drop(running);
    for (row, before) in schedule.stuck() {
        let others: Vec<_> = before.iter().map(|on| format!("row {on}")).collect();
        let reason = format!("waits for {}, which waits for this row", others.join(", "));
        endings.add(row, failed(reason));
    }
    (endings.progress)(Progress::Finishes);
    Ok(endings.by_row)
}

/// How rows have ended, each told as it does.
struct Endings<P> {
    by_row: BTreeMap<RowNumber, Ending>,
    progress: P,
}

impl<P: Fn(Progress<'_>)> Endings<P> {
    fn add(&mut self, row: RowNumber, ending: Ending) {
        (self.progress)(Progress::Ends { row, ending: &ending });
        self.by_row.insert(row, ending);
    }
}

/// Records all requests of the batch before the first one has any effect, so that a later run
/// knows which of them belonged together.
async fn take_up(
    tools: &Tools<'_>,
    works: &BTreeMap<RowNumber, &Work>,
) -> Result<BTreeMap<RowNumber, JournalRequest>, DatabaseError> {
    let batch: Vec<_> = works.values().map(|work| (work.key.as_str(), random::identifier())).collect();
    let requests = tools
        .app
        .database
        .take_up_requests(SheetKind::Access, &batch, tools.run, tools.app.clock.now())
        .await?;
    Ok(works.keys().copied().zip(requests).collect())
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

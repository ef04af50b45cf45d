//! Applying a plan: every request through its steps, many at a time, each as soon as the rows that it needs
//! are finished. Knows nothing of what the steps do.

mod schedule;

use std::collections::BTreeMap;

use futures::stream::{FuturesUnordered, StreamExt as _};

use self::schedule::Schedule;
use super::exclusive::{Exclusive, ExclusiveError};
use super::plan::{Plan, Work};
use crate::app::App;
use crate::database::{DatabaseError, JournalRequest};
use crate::fail_point;
use crate::random;
use crate::registration::{RowNumber, SheetKind};

/// How the work on a row ended.
#[derive(Debug)]
pub enum Ending {
    /// Every step is done.
    Done,
    /// The request is refused, and the requester has been told.
    Refused,
    /// It was not finished, and why. The next run goes on where this one stopped.
    Failed {
        /// Why, with what to do.
        reason: String,
        /// Whether a service was out of reach.
        unreachable: bool,
    },
}

/// How all of them have ended.
pub type Endings = BTreeMap<RowNumber, Ending>;

/// What every step needs.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The services.
    pub app: &'a App,
    /// Its number in the journal.
    pub number: i64,
    /// The right to work on the sheet.
    pub exclusive: &'a Exclusive,
}

/// Why a request was not finished.
pub trait Failure: ToString + Sized {
    /// Whether a service was out of reach, so that other requests need not try.
    fn is_unreachable(&self) -> bool;

    /// Whether the journal failed, so that nothing can be done safely; else the failure itself.
    ///
    /// # Errors
    /// The failure itself, where it concerns one request.
    fn into_database(self) -> Result<DatabaseError, Self>;
}

/// What a batch tells while it is worked on.
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

/// Applies a plan. `start` says what a request begins with, from what the rows before it have made, or why it
/// cannot begin; `work_on` takes it through its steps.
///
/// # Errors
/// Where the journal cannot be written: nothing can be done safely then.
pub async fn apply<W: Work, M: Clone, E: Failure>(
    run: Run<'_>,
    kind: SheetKind,
    plan: &Plan<W>,
    start: impl Fn(&W, &BTreeMap<RowNumber, M>, &Endings) -> Result<M, String>,
    work_on: impl AsyncFn(&JournalRequest, &W, M) -> Result<M, E>,
    progress: impl Fn(Progress<'_>),
) -> Result<Endings, DatabaseError> {
    let works = plan.works();
    progress(Progress::Begins { requests: works.len() });
    let journal = take_up(run, kind, &works).await?;
    fail_point::reached(|| "requests taken up".to_owned());

    let mut schedule = Schedule::new(&works.iter().map(|(row, work)| (*row, work.after())).collect());
    let mut endings = Told { by_row: Endings::new(), progress };
    let work_on = &work_on;
    let mut made: BTreeMap<RowNumber, M> = BTreeMap::new();
    let mut unreachable: Option<String> = None;
    let most = run.app.keystone.most_calls_at_a_time() * REQUESTS_PER_CALL;
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < most
            && let Some(row) = schedule.next()
        {
            let work = works[&row];
            let ending = match (&unreachable, start(work, &made, &endings.by_row)) {
                (Some(reason), _) => {
                    Ending::Failed { reason: format!("not tried: {reason}"), unreachable: true }
                }
                (None, Err(reason)) => failed(reason),
                (None, Ok(_)) if run.app.stop.is_asked() => failed(ExclusiveError::Stopped.to_string()),
                (None, Ok(start)) => {
                    let request = &journal[&row];
                    running.push(async move {
                        let result = work_on(request, work, start).await;
                        (row, finish(run, request, result).await)
                    });
                    continue;
                }
            };
            endings.add(row, ending);
            schedule.ended(row);
        }
        // Nothing else is awaited in this loop: requests that are not polled may be in the middle of a
        // transaction, for which whoever writes here would wait in vain.
        let Some((row, result)) = running.next().await else { break };
        let (mut ending, result) = result?;
        if matches!(ending, Ending::Done) && plan.refuses(row) {
            ending = Ending::Refused;
        }
        if let Some(result) = result {
            made.insert(row, result);
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
struct Told<P> {
    by_row: Endings,
    progress: P,
}

impl<P: Fn(Progress<'_>)> Told<P> {
    fn add(&mut self, row: RowNumber, ending: Ending) {
        (self.progress)(Progress::Ends { row, ending: &ending });
        self.by_row.insert(row, ending);
    }
}

/// Records all requests of the batch before the first one has any effect, so that a later run
/// knows which of them belonged together.
async fn take_up<W: Work>(
    run: Run<'_>,
    kind: SheetKind,
    works: &BTreeMap<RowNumber, &W>,
) -> Result<BTreeMap<RowNumber, JournalRequest>, DatabaseError> {
    let batch: Vec<_> = works.values().map(|work| (work.key(), random::identifier())).collect();
    let requests = run.app.database.take_up_requests(kind, &batch, run.number, run.app.clock.now()).await?;
    Ok(works.keys().copied().zip(requests).collect())
}

/// Says how a request has ended, and notes in the journal why it was not finished.
async fn finish<M, E: Failure>(
    run: Run<'_>,
    request: &JournalRequest,
    result: Result<M, E>,
) -> Result<(Ending, Option<M>), DatabaseError> {
    let error = match result {
        Ok(made) => return Ok((Ending::Done, Some(made))),
        Err(error) => error,
    };
    let unreachable = error.is_unreachable();
    let reason = match error.into_database() {
        Ok(error) => return Err(error),
        Err(error) => error.to_string(),
    };
    run.app.database.note_request_error(request.id, &reason, run.app.clock.now()).await?;
    Ok((Ending::Failed { reason, unreachable }, None))
}

fn failed(reason: String) -> Ending {
    Ending::Failed { reason, unreachable: false }
}

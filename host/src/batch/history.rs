//! What earlier runs did, from the journal.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::report::Report;
use crate::database::{Database, DatabaseError};

/// A run in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PastRun {
    /// Its number.
    pub run: i64,
    /// When it began (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended; null where it is running, or was killed.
    #[schemars(with = "Option<String>")]
    pub finished: Option<Timestamp>,
    /// One sentence about it; null as above.
    pub summary: Option<String>,
}

/// A run with all that is recorded of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecordedRun {
    /// The run.
    #[serde(flatten)]
    pub run: PastRun,
    /// What it reported, without the rows that it left alone; null where it is running, was killed, or a version
    /// of Usher ran it that did not keep this.
    pub report: Option<Report>,
    /// The steps that it took or tried, and no later run has tried again, in the order in which they were begun.
    pub steps: Vec<RecordedStep>,
    /// The requests that it left unfinished and that no later run has worked on.
    pub unfinished: Vec<Unfinished>,
}

/// A step of the journal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecordedStep {
    /// The request's name: when it came in, and from whom.
    pub request: String,
    /// What was done, such as `create-user:user@example.org`.
    pub step: String,
    /// When it was begun first (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended; null where that is not known.
    #[schemars(with = "Option<String>")]
    pub finished: Option<Timestamp>,
    /// How often it was tried, by this run and earlier ones.
    pub attempts: u32,
}

/// A request that was begun and is not finished.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unfinished {
    /// The request's name: when it came in, and from whom.
    pub request: String,
    /// Why; null where nobody could say, because the run was killed.
    pub error: Option<String>,
}

/// The last `most` runs of a kind, the latest first.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn history(database: &Database, kind: &str, most: u32) -> Result<Vec<PastRun>, DatabaseError> {
    Ok(database.runs(kind, most).await?.into_iter().map(past).collect())
}

/// The run of that kind and number; none where there was none.
///
/// # Errors
/// Where the journal cannot be read.
pub async fn recorded(
    database: &Database,
    kind: &str,
    run: i64,
) -> Result<Option<RecordedRun>, DatabaseError> {
    let Some(mut found) = database.run(kind, run).await? else { return Ok(None) };
    let report = match found.report.take() {
        None => None,
        Some(json) => Some(
            serde_json::from_str(&json)
                .map_err(|error| DatabaseError::Damaged(format!("the report of run {run} ({error})")))?,
        ),
    };
    let steps = database.steps_of_run(run).await?.into_iter().map(|step| RecordedStep {
        request: step.request,
        step: step.name,
        started: step.started,
        finished: step.finished,
        attempts: step.attempts,
    });
    let unfinished = database.left_open_by(run).await?.into_iter();
    Ok(Some(RecordedRun {
        run: past(found),
        report,
        steps: steps.collect(),
        unfinished: unfinished.map(|(request, error)| Unfinished { request, error }).collect(),
    }))
}

fn past(run: crate::database::Run) -> PastRun {
    PastRun { run: run.id, started: run.started, finished: run.finished, summary: run.summary }
}

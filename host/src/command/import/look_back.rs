//! `usher import history | show | schema`: what earlier imports did, and what the JSON of imports holds.

use std::process::ExitCode;

use comfy_table::{Cell, Color};
use jiff::tz::TimeZone;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::batch::history::{self, PastRun, RecordedRun};
use crate::batch::report::Report;
use crate::cli::{ImportCommand, JsonOutput};
use crate::command::Exit;
use crate::command::batch::{print_json, report_table};
use crate::command::say::say;
use crate::command::table::{coloured, moment, printable, table};
use crate::database::{Database, DatabaseError};
use crate::import::KIND;
use crate::import::plan::Plan;
use crate::settings::{Settings, SettingsError};

/// Runs the command.
///
/// # Errors
/// Where the settings or the journal cannot be read.
pub async fn run(
    load: impl FnOnce() -> Result<Settings, SettingsError>,
    command: &ImportCommand,
) -> anyhow::Result<ExitCode> {
    match *command {
        // Needs no site.
        ImportCommand::Schema { output } => print_json(&match output {
            JsonOutput::Plan => schema::<Plan>(),
            JsonOutput::Report => schema::<Report>(),
            JsonOutput::History => schema::<Vec<PastRun>>(),
            JsonOutput::Run => schema::<RecordedRun>(),
        })?,
        ImportCommand::History { last, json } => {
            let settings = load()?;
            let runs = history::history(&journal(&settings).await?, KIND, last).await?;
            if json { print_json(&runs)? } else { print_history(&runs, &settings.site.time_zone) }
        }
        ImportCommand::Show { run, json } => {
            let settings = load()?;
            let Some(recorded) = history::recorded(&journal(&settings).await?, KIND, run).await? else {
                eprintln!("there is no run {run}; `usher import history` lists them");
                return Ok(Exit::Failed.into());
            };
            if json { print_json(&recorded)? } else { print_run(&recorded, &settings.site.time_zone) }
        }
    }
    Ok(Exit::Done.into())
}

async fn journal(settings: &Settings) -> Result<Database, DatabaseError> {
    Database::open_for_reading(&settings.database.file).await
}

/// The schema of what is written, in which a field that may be null is there all the same.
fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

const DID_NOT_END: &str = "did not end: it is running, or was killed";

fn print_history(runs: &[PastRun], zone: &TimeZone) {
    if runs.is_empty() {
        say!("There has been no import yet.");
        return;
    }
    let mut shown = table(["Run", "Began", "Took", "Result"]);
    for run in runs {
        shown.add_row([
            Cell::new(run.run),
            Cell::new(moment(run.started, zone)),
            Cell::new(took(run)),
            match &run.summary {
                Some(summary) => Cell::new(printable(summary)),
                None => coloured(DID_NOT_END, Color::Red),
            },
        ]);
    }
    say!("{shown}");
}

fn print_run(recorded: &RecordedRun, zone: &TimeZone) {
    let run = &recorded.run;
    say!("Run {} began {} and took {}.", run.run, moment(run.started, zone), took(run));
    let mut steps = table(["Request", "Step", "Begun", "Ended", "Tries"]);
    for step in &recorded.steps {
        steps.add_row([
            Cell::new(printable(&step.request)),
            Cell::new(printable(&step.step)),
            Cell::new(moment(step.started, zone)),
            match step.finished {
                Some(finished) => Cell::new(moment(finished, zone)),
                None => coloured("not finished", Color::Red),
            },
            Cell::new(step.attempts),
        ]);
    }
    say!("{steps}");
    for request in &recorded.unfinished {
        let error = request.error.as_deref().unwrap_or("no reason is known: the run did not end by itself");
        say!("Not finished: {}: {}", printable(&request.request), printable(error));
    }
    match &recorded.report {
        Some(report) => report_table::print(report),
        None => say!("Run {} {}.", run.run, run.summary.as_deref().unwrap_or(DID_NOT_END)),
    }
}

fn took(run: &PastRun) -> String {
    let Some(finished) = run.finished else { return "?".to_owned() };
    // Times are kept to the millisecond.
    format!("{:#}", finished.duration_since(run.started))
}

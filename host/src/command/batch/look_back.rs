//! What earlier runs over a sheet did.

use comfy_table::{Cell, Color};
use jiff::tz::TimeZone;

use super::report_table;
use crate::batch::history::{self, PastRun, RecordedRun};
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{coloured, moment, printable, table};
use crate::database::{Database, DatabaseError};
use crate::settings::Settings;

/// Lists the last runs of a kind.
pub(in crate::command) async fn list(
    settings: &Settings,
    kind: &str,
    last: u32,
    json: bool,
) -> anyhow::Result<Exit> {
    let runs = history::history(&journal(settings).await?, kind, last).await?;
    if json {
        print_json(&runs)?;
    } else {
        print_history(&runs, kind, &settings.site.time_zone);
    }
    Ok(Exit::Done)
}

/// Shows one run. `command` is what lists them.
pub(in crate::command) async fn show(
    settings: &Settings,
    kind: &str,
    run: i64,
    json: bool,
    command: &str,
) -> anyhow::Result<Exit> {
    let Some(recorded) = history::recorded(&journal(settings).await?, kind, run).await? else {
        eprintln!("there is no run {run}; `{command}` lists them");
        return Ok(Exit::Failed);
    };
    if json {
        print_json(&recorded)?;
    } else {
        print_run(&recorded, &settings.site.time_zone);
    }
    Ok(Exit::Done)
}

async fn journal(settings: &Settings) -> Result<Database, DatabaseError> {
    Database::open_for_reading(&settings.database.file).await
}

const DID_NOT_END: &str = "did not end: it is running, or was killed";

fn print_history(runs: &[PastRun], kind: &str, zone: &TimeZone) {
    if runs.is_empty() {
        say!("There has been no {kind} yet.");
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

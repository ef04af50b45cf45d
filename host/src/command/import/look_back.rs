//! `usher import history | show | schema`: what earlier imports did, and what the JSON of imports holds.

use std::process::ExitCode;

use crate::batch::history::{PastRun, RecordedRun};
use crate::batch::report::Report;
use crate::cli::{ImportCommand, JsonOutput};
use crate::command::Exit;
use crate::command::batch::look_back;
use crate::command::json::{print_json, schema};
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
    let exit = match *command {
        // Needs no site.
        ImportCommand::Schema { output } => {
            print_json(&match output {
                JsonOutput::Plan => schema::<Plan>(),
                JsonOutput::Report => schema::<Report>(),
                JsonOutput::History => schema::<Vec<PastRun>>(),
                JsonOutput::Run => schema::<RecordedRun>(),
            })?;
            Exit::Done
        }
        ImportCommand::History { last, json } => look_back::list(&load()?, KIND, last, json).await?,
        ImportCommand::Show { run, json } => {
            look_back::show(&load()?, KIND, run, json, "usher import history").await?
        }
    };
    Ok(exit.into())
}

//! `usher import`: shows the plan or runs it, and ends with the report.

mod look_back;
mod plan_table;

use std::process::ExitCode;

use super::Exit;
use super::batch::{ProgressShown, finish};
use super::json::print_json;
use super::signals;
use crate::app::App;
use crate::cli::ImportArgs;
use crate::import::{self, Selection};

pub use self::look_back::run as look_back;

/// Runs the command.
///
/// # Errors
/// Where the import could not be made at all.
pub async fn run(app: &App, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let selection = args.user.clone().map_or(Selection::All, Selection::User);
    if args.dry_run {
        let plan = import::dry_run(app, &selection).await?;
        if args.json {
            print_json(&plan)?;
        } else {
            plan_table::print(&plan, import::mailing_list(app)?.as_ref());
        }
        return Ok(if plan.is_clean() { Exit::Done } else { Exit::Failed }.into());
    }
    let shown = ProgressShown::new();
    let work = import::run(app, &selection, |progress| shown.tell(progress, &app.keystone));
    let report = signals::within_grace(app, work).await;
    drop(shown);
    Ok(finish(&report??, args.json)?.into())
}

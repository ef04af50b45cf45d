//! `usher import`: shows the plan or runs it, and ends with the report.

mod look_back;
mod plan_table;
mod progress;
mod report_table;

use std::process::ExitCode;

use serde::Serialize;

use self::progress::ProgressShown;
use super::Exit;
use super::table::printable;
use crate::app::App;
use crate::batch::report::Report;
use crate::cli::ImportArgs;
use crate::command::say::say;
use crate::import::plan::{Fate, Plan};
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
        return Ok(if is_clean(&plan) { Exit::Done } else { Exit::Failed }.into());
    }
    let shown = ProgressShown::new();
    let report = import::run(app, &selection, |progress| shown.tell(progress, &app.keystone)).await;
    drop(shown);
    let report = report?;
    if args.json {
        print_json(&report)?;
    } else {
        report_table::print(&report);
    }
    Ok(exit(&report).into())
}

fn exit(report: &Report) -> Exit {
    if report.unreachable {
        Exit::Unreachable
    } else if report.mail_server_unusable || report.mailing_list_unusable {
        Exit::Usage
    } else if report.is_complete() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

fn is_clean(plan: &Plan) -> bool {
    !plan.rows.iter().any(|row| matches!(row.fate, Fate::Conflict { .. } | Fate::Rejected { .. }))
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

fn print_notices(notices: &[String]) {
    for notice in notices {
        say!("Notice: {}", printable(notice));
    }
}

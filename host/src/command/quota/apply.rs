//! `usher quota apply`: shows the plan or carries it out, and ends with the report.

use std::process::ExitCode;

use super::ApplyArgs;
use crate::app::App;
use crate::batch::report::counted;
use crate::command::Exit;
use crate::command::batch::{ProgressShown, finish, left_alone, print_notices, print_rows};
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::signals;
use crate::quota_apply::plan::{Fate, Plan};
use crate::quota_apply::{self, Selection};

/// Runs the command.
///
/// # Errors
/// Where it could not be done at all.
pub async fn run(app: &App, args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    let selection = args.project.clone().map_or(Selection::All, Selection::Project);
    if args.dry_run {
        let plan = quota_apply::dry_run(app, &selection).await?;
        if args.json {
            print_json(&plan)?;
        } else {
            print(&plan);
        }
        return Ok(if plan.is_clean() { Exit::Done } else { Exit::Failed }.into());
    }
    let shown = ProgressShown::new();
    let work = quota_apply::run(app, &selection, |progress| shown.tell(progress, &app.keystone));
    let report = signals::within_grace(app, work).await;
    drop(shown);
    Ok(finish(&report??, args.json)?.into())
}

fn print(plan: &Plan) {
    print_rows(plan);
    let rows = |wanted: fn(&Fate) -> bool| plan.rows.iter().filter(|row| wanted(&row.fate)).count();
    let parts = [
        counted(rows(|fate| matches!(fate, Fate::Apply(_))), "change", "changes"),
        counted(rows(|fate| matches!(fate, Fate::Refuse { .. })), "refusal", "refusals"),
        counted(rows(|fate| matches!(fate, Fate::Conflict { .. })), "conflict", "conflicts"),
        counted(rows(|fate| matches!(fate, Fate::Rejected { .. })), "rejected row", "rejected rows"),
    ];
    say!("In sum: {}.", parts.join(", "));
    say!("{}", left_alone(plan));
    print_notices(&plan.notices);
    say!("Nothing was changed.");
}

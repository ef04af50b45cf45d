//! `usher run retention`: erases now what the site does not keep any longer.

use std::process::ExitCode;

use crate::app::App;
use crate::cli::RunArgs;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{printable, table};
use crate::retention;
use crate::schedule::{by_hand, jobs};

/// `usher run retention`
pub(super) async fn retention(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs { dry_run, json } = args;
    let work = retention::run(app, dry_run);
    let report = match dry_run {
        true => work.await,
        false => by_hand::run(app, "retention", work, jobs::retention::told).await?,
    };
    let exit = if report.failed.is_empty() { Exit::Done } else { Exit::Failed };
    if json {
        print_json(&report)?;
        return Ok(exit.into());
    }
    let mut shown = table([if dry_run { "Would be erased" } else { "Erased" }, "Number"]);
    for (what, count) in report.lines() {
        shown.add_row([what.to_owned(), count.to_string()]);
    }
    say!("{shown}");
    report.notices.iter().for_each(|notice| say!("Notice: {}", printable(notice)));
    report.failed.iter().for_each(|failure| say!("{}; the next run tries again", printable(failure)));
    if dry_run {
        say!("Nothing was changed.");
    }
    Ok(exit.into())
}

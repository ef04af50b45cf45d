//! `usher run notify` and `usher run remind`: the mails about requests in the sheets, and their marks, now.

use std::process::ExitCode;

use crate::app::App;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{printable, table};
use crate::notices::report::Report;
use crate::{notify, remind};

/// Runs `usher run notify`.
///
/// # Errors
/// Where it could not be done at all.
pub async fn notify(app: &App, dry_run: bool, json: bool) -> anyhow::Result<ExitCode> {
    show(&notify::run(app, dry_run).await?, dry_run, json)
}

/// Runs `usher run remind`.
///
/// # Errors
/// Where it could not be done at all.
pub async fn remind(app: &App, dry_run: bool, json: bool) -> anyhow::Result<ExitCode> {
    show(&remind::run(app, dry_run).await?, dry_run, json)
}

fn show(report: &Report, dry_run: bool, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        print_json(report)?;
    } else {
        print(report);
        if dry_run {
            say!("Nothing was changed.");
        }
    }
    let exit = if report.unreachable {
        Exit::Unreachable
    } else if report.is_complete() {
        Exit::Done
    } else {
        Exit::Failed
    };
    Ok(exit.into())
}

fn print(report: &Report) {
    if !report.requests.is_empty() {
        let mut shown = table(["Sheet", "Row", "Requester", "Project", "Mail"]);
        for request in &report.requests {
            shown.add_row([
                request.sheet.to_owned(),
                request.row.to_string(),
                printable(&request.email),
                printable(&request.project),
                request.state.name().to_owned(),
            ]);
        }
        say!("{shown}");
    }
    report.notices.iter().for_each(|notice| say!("Notice: {}", printable(notice)));
    report.failed.iter().for_each(|failure| say!("{}; the next run tries again", printable(failure)));
    report.mail_errors.iter().for_each(|error| say!("{}", printable(error)));
    say!("{}.", report.summary());
}

//! `usher run notify` and `usher run remind`: the mails about requests in the sheets, and their marks, now.

use std::process::ExitCode;

use crate::app::App;
use crate::cli::RunArgs;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{printable, table};
use crate::notices::report::Report;
use crate::schedule::{by_hand, jobs};
use crate::{notify, remind};

/// `usher run notify`
pub(super) async fn notify(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let work = notify::run(app, args.dry_run);
    let report = match args.dry_run {
        true => work.await?,
        false => by_hand::run(app, notify::KIND, work, jobs::notices::told).await??,
    };
    show(&report, args)
}

/// `usher run remind`
pub(super) async fn remind(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let work = remind::run(app, args.dry_run);
    let report = match args.dry_run {
        true => work.await?,
        false => by_hand::run(app, remind::KIND, work, jobs::notices::told).await??,
    };
    show(&report, args)
}

fn show(report: &Report, RunArgs { dry_run, json }: RunArgs) -> anyhow::Result<ExitCode> {
    if json {
        print_json(report)?;
    } else {
        print(report);
        if dry_run {
            say!("Nothing was changed.");
        }
    }
    // A service that is out of reach comes first, as with an import.
    Ok(match report.unusable && !report.unreachable && !report.marks_astray {
        true => Exit::Usage,
        false => Exit::of_run(report.unreachable, report.is_complete()),
    }
    .into())
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

//! `usher import`: shows the plan or runs it, and ends with the report.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::Exit;
use super::table::{printable, table};
use crate::app::App;
use crate::cli::ImportArgs;
use crate::import::plan::{Action, Fate, Plan};
use crate::import::report::counted;
use crate::import::report::{MailOutcome, Report};
use crate::import::subscribing::Subscriptions;
use crate::import::{self, Ending, Selection};
use crate::mailing_list::MailingList;

/// Runs the command.
///
/// # Errors
/// Where the import could not be made at all.
pub async fn run(app: &App, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let selection = args.user.clone().map_or(Selection::All, Selection::User);
    if args.dry_run {
        let plan = import::dry_run(app, &selection).await?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&plan)?);
        } else {
            print_plan(&plan, app.mailing_list.as_ref());
        }
        return Ok(if is_clean(&plan) { Exit::Done } else { Exit::Failed }.into());
    }
    let terminal = std::io::stderr().is_terminal();
    let report = import::run(app, &selection, |row, ending| {
        if terminal {
            match ending {
                Ending::Done => eprintln!("row {row}: done"),
                Ending::Failed { reason, .. } => eprintln!("row {row}: {}", printable(reason)),
            }
        }
    })
    .await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_report(&report);
    }
    let exit = if report.unreachable {
        Exit::Unreachable
    } else if report.mail_server_unusable || report.mailing_list_unusable {
        Exit::Usage
    } else if report.is_complete() {
        Exit::Done
    } else {
        Exit::Failed
    };
    Ok(exit.into())
}

fn is_clean(plan: &Plan) -> bool {
    !plan.rows.iter().any(|row| matches!(row.fate, Fate::Conflict { .. } | Fate::Rejected { .. }))
}

fn print_plan(plan: &Plan, mailing_list: Option<&MailingList>) {
    let mut shown = table(["Row", "User", "Project", "What will be done"]);
    let mut counts = [0usize; 3];
    for row in &plan.rows {
        let mut lines = match &row.fate {
            Fate::Apply(work) => work.actions.iter().map(Action::describe).collect(),
            Fate::Move { .. } => vec!["nothing: it was done before".to_owned()],
            Fate::Conflict { reason } => vec![format!("CONFLICT: {reason}")],
            Fate::Rejected { reason } => vec![format!("REJECTED: {reason}")],
            Fate::Waiting | Fate::Denied | Fate::Unnotified => {
                counts[match row.fate {
                    Fate::Waiting => 0,
                    Fate::Denied => 1,
                    _ => 2,
                }] += 1;
                continue;
            }
        };
        if matches!(row.fate, Fate::Apply(_) | Fate::Move { .. }) {
            lines.push("move the row".to_owned());
        }
        lines.extend(row.warnings.iter().map(|warning| format!("warning: {warning}")));
        let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
        shown.add_row([row.row.to_string(), printable(&row.user), printable(&row.project), lines.join("\n")]);
    }
    println!("{shown}");
    let [waiting, denied, unnotified] = counts;
    println!(
        "Left alone: {waiting} waiting for a decision, {denied} denied, {unnotified} with the helpdesk not notified."
    );
    if let Some(list) = mailing_list {
        let is_new = |action: &Action| matches!(action, Action::CreateUser { .. });
        let works = plan.rows.iter().filter_map(|row| match &row.fate {
            Fate::Apply(work) => Some(work),
            _ => None,
        });
        let new = works.flat_map(|work| &work.actions).filter(|action| is_new(action)).count();
        println!("To be subscribed to the {}: {}.", list.describe(), counted(new, "new user", "new users"));
    }
    print_notices(&plan.notices);
    println!("Nothing was changed.");
}

fn print_report(report: &Report) {
    let mut shown = table(["Row", "User", "Project", "What happened", "Error"]);
    for row in report.rows.iter().filter(|row| !row.outcome.is_left_alone()) {
        let mut happened = vec![row.outcome.name().to_owned()];
        happened.extend(row.warnings.iter().map(|warning| format!("warning: {}", printable(warning))));
        shown.add_row([
            row.row.to_string(),
            printable(&row.user),
            printable(&row.project),
            happened.join("\n"),
            row.error.as_deref().map(printable).unwrap_or_default(),
        ]);
    }
    println!("{shown}");
    for mail in &report.mails {
        let Some(error) = mail.error.as_deref().map(printable) else { continue };
        let to = if mail.to.is_empty() {
            String::new()
        } else {
            format!(" to {}", printable(&mail.to.join(", ")))
        };
        match mail.outcome {
            MailOutcome::Refused => println!("Mail {}{to} was refused: {error}", mail.kind),
            MailOutcome::Sent => {
                println!("Warning: the mail {}{to} was not sent to everybody: {error}", mail.kind);
            }
            // What waits follows.
            MailOutcome::Later => {}
        }
    }
    let waiting: Vec<_> = report.mails.iter().filter(|mail| mail.outcome == MailOutcome::Later).collect();
    if !waiting.is_empty() {
        let errors: BTreeSet<_> =
            waiting.iter().filter_map(|mail| mail.error.as_deref()).map(printable).collect();
        let count = counted(waiting.len(), "mail waits", "mails wait");
        println!("{count}; `usher serve` and the next import try again.");
        errors.iter().for_each(|error| println!("  {error}"));
    }
    report.subscriptions.iter().for_each(print_subscriptions);
    if let Some(error) = &report.move_error {
        println!("Finished rows could not be moved, the next run moves them: {}", printable(error));
    }
    print_notices(&report.notices);
    println!("Run {}: {}.", report.run, report.summary());
}

fn print_subscriptions(subscriptions: &Subscriptions) {
    let Subscriptions { list, subscribed, already, waiting, refused, error, .. } = subscriptions;
    if *subscribed > 0 {
        println!("Subscribed to the {list}: {}.", counted(*subscribed, "new user", "new users"));
    }
    if *already > 0 {
        println!("Already subscribed: {}.", counted(*already, "new user", "new users"));
    }
    for refused in refused {
        println!(
            "{} cannot be subscribed to the {list}: {}",
            printable(&refused.address),
            printable(&refused.reason)
        );
    }
    if let Some(error) = error {
        let count = counted(*waiting, "subscription waits", "subscriptions wait");
        println!("{count} for the next import: {}", printable(error));
    }
}

fn print_notices(notices: &[String]) {
    for notice in notices {
        println!("Notice: {}", printable(notice));
    }
}

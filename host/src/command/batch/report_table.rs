//! The report of a run as a table.

use std::collections::BTreeSet;

use comfy_table::{Cell, Color};

use super::print_notices;
use crate::batch::report::{MailOutcome, Report, RowOutcome, counted};
use crate::batch::subscribing::Subscriptions;
use crate::command::say::say;
use crate::command::table::{coloured, printable, table};

pub(in crate::command) fn print(report: &Report) {
    let mut shown = table(["Row", "User", "Project", "What happened", "Error"]);
    for row in report.rows.iter().filter(|row| !row.outcome.is_left_alone()) {
        let mut happened = vec![row.outcome.name().to_owned()];
        happened.extend(row.warnings.iter().map(|warning| format!("warning: {}", printable(warning))));
        shown.add_row([
            Cell::new(row.row),
            Cell::new(printable(&row.user)),
            Cell::new(printable(&row.project)),
            coloured(&happened.join("\n"), colour(row.outcome, !row.warnings.is_empty())),
            Cell::new(row.error.as_deref().map(printable).unwrap_or_default()),
        ]);
    }
    say!("{shown}");
    for mail in &report.mails {
        let Some(error) = mail.error.as_deref().map(printable) else { continue };
        let to = if mail.to.is_empty() {
            String::new()
        } else {
            format!(" to {}", printable(&mail.to.join(", ")))
        };
        match mail.outcome {
            MailOutcome::Refused => say!("Mail {}{to} was refused: {error}", mail.kind),
            MailOutcome::Sent => {
                say!("Warning: the mail {}{to} was not sent to everybody: {error}", mail.kind);
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
        say!("{count}; `usher serve` and the next run try again.");
        errors.iter().for_each(|error| say!("  {error}"));
    }
    report.subscriptions.iter().for_each(print_subscriptions);
    if let Some(error) = &report.move_error {
        say!("Finished rows could not be moved, the next run moves them: {}", printable(error));
    }
    print_notices(&report.notices);
    say!("Run {}: {}.", report.run, report.summary());
}

fn print_subscriptions(subscriptions: &Subscriptions) {
    let Subscriptions { list, subscribed, mailed, already, waiting, refused, error, .. } = subscriptions;
    if *subscribed > 0 {
        say!("Subscribed to the {list}: {}.", counted(*subscribed, "new user", "new users"));
    }
    if *mailed > 0 {
        say!("Mailed to Majordomo: {}, for the {list}.", counted(*mailed, "address", "addresses"));
    }
    if *already > 0 {
        say!("Already subscribed: {}.", counted(*already, "new user", "new users"));
    }
    for refused in refused {
        say!(
            "{} cannot be subscribed to the {list}: {}",
            printable(&refused.address),
            printable(&refused.reason)
        );
    }
    if let Some(error) = error {
        let count = counted(*waiting, "subscription waits", "subscriptions wait");
        say!("{count} for the next import: {}", printable(error));
    }
}

fn colour(outcome: RowOutcome, warned: bool) -> Color {
    match (outcome.is_problem(), warned) {
        (true, _) => Color::Red,
        (false, true) => Color::Yellow,
        (false, false) => Color::Green,
    }
}

//! `usher mail`: the outbox in an operator's hands.

use std::io::Write as _;
use std::process::ExitCode;

use comfy_table::{Cell, Color};

use super::Exit;
use super::table::{coloured, moment, printable, table};
use crate::app::App;
use crate::cli::MailCommand;
use crate::command::say::say;
use crate::outbox::{DeliveryOutcome, MailActionError, OutboxMail};

/// Runs the command.
///
/// # Errors
/// Where the outbox cannot be read, or there is no such mail.
pub async fn run(app: &App, command: &MailCommand) -> anyhow::Result<ExitCode> {
    match command {
        MailCommand::List { all, json } => {
            let mails = app.outbox.mails(*all).await?;
            if *json {
                say!("{}", serde_json::to_string_pretty(&mails)?);
            } else {
                print_list(app, &mails, *all);
            }
            Ok(Exit::Done.into())
        }
        MailCommand::Show { number, content: false } => {
            let Some(mail) = known(app.outbox.mail(*number).await)? else { return Ok(Exit::Failed.into()) };
            print_mail(app, &mail);
            Ok(Exit::Done.into())
        }
        MailCommand::Show { number, content: true } => {
            let Some(bytes) = known(app.outbox.content(*number).await)? else {
                return Ok(Exit::Failed.into());
            };
            match std::io::stdout().lock().write_all(&bytes) {
                // Nobody reads any more.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
            Ok(Exit::Done.into())
        }
        MailCommand::Retry { numbers, all } => {
            let numbers = match all {
                true => app.outbox.mails(false).await?.iter().map(|mail| mail.number).collect(),
                false => numbers.clone(),
            };
            retry(app, &numbers).await
        }
        MailCommand::Drop { numbers } => {
            let mut exit = Exit::Done;
            for number in numbers {
                match known(app.outbox.discard(*number).await)? {
                    Some(()) => say!("mail {number} is dropped"),
                    None => exit = Exit::Failed,
                }
            }
            Ok(exit.into())
        }
    }
}

/// Says why a wish about one mail cannot be met; the others may be.
fn known<T>(result: Result<T, MailActionError>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(MailActionError::Outbox(error)) => Err(error.into()),
        Err(error) => {
            eprintln!("{error}");
            Ok(None)
        }
    }
}

/// Makes mails due, sends what is due, and tells what has become of them.
async fn retry(app: &App, numbers: &[i64]) -> anyhow::Result<ExitCode> {
    let mut exit = Exit::Done;
    let mut due = Vec::new();
    for number in numbers {
        match known(app.outbox.retry(*number).await)? {
            Some(()) => due.push(*number),
            None => exit = Exit::Failed,
        }
    }
    if due.is_empty() {
        if numbers.is_empty() {
            say!("No mail waits, and none was refused.");
        }
        return Ok(exit.into());
    }
    let deliveries = app.outbox.deliver_due().await?;
    let unreachable = deliveries.iter().any(|delivery| {
        matches!(&delivery.outcome, DeliveryOutcome::Later { error, .. } if error.server_is_unreachable())
    });
    for delivery in &deliveries {
        delivery.log();
        if let DeliveryOutcome::Sent { refused } = &delivery.outcome {
            refused.iter().for_each(|recipient| say!("Warning: a copy of {} to {recipient}", delivery.kind));
        }
    }
    // `usher serve` may have been quicker, so what counts is what the outbox says.
    for number in due {
        let mail = app.outbox.mail(number).await?;
        let error = mail.error.as_deref().map(printable).unwrap_or_default();
        let kept_in = mail.kept_in.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        match mail.state {
            "sent" => say!("mail {number} ({}) is sent", mail.kind),
            "refused" => say!("mail {number} ({}) is refused: {error}; kept in {kept_in}", mail.kind),
            _ if error.is_empty() => {
                say!("mail {number} ({}) is next; `usher serve` sends it, or `usher run outbox`", mail.kind);
            }
            _ => say!("mail {number} ({}) waits: {error}", mail.kind),
        }
        if mail.state != "sent" {
            exit = if unreachable { Exit::Unreachable } else { Exit::Failed };
        }
    }
    Ok(exit.into())
}

fn print_list(app: &App, mails: &[OutboxMail], all: bool) {
    if mails.is_empty() {
        say!("{}", if all { "There has been no mail yet." } else { "No mail waits, and none was refused." });
        return;
    }
    let mut shown = table(["Mail", "Kind", "To", "State", "Tries", "Next try", "Error"]);
    for mail in mails {
        let colour = match mail.state {
            "refused" => Color::Red,
            "queued" if mail.error.is_some() => Color::Yellow,
            _ => Color::Reset,
        };
        let next = mail.next_attempt.map(|at| moment(at, &app.settings.site.time_zone));
        shown.add_row([
            Cell::new(mail.number),
            Cell::new(printable(&mail.kind)),
            Cell::new(printable(&mail.to.join(", "))),
            coloured(mail.state, colour),
            Cell::new(mail.attempts),
            Cell::new(next.unwrap_or_default()),
            Cell::new(mail.error.as_deref().map(printable).unwrap_or_default()),
        ]);
    }
    say!("{shown}");
}

fn print_mail(app: &App, mail: &OutboxMail) {
    let zone = &app.settings.site.time_zone;
    let mut shown = table(["Mail", &mail.number.to_string()]);
    let mut line = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            shown.add_row([what.to_owned(), value]);
        }
    };
    line("Kind", Some(printable(&mail.kind)));
    line("Origin", Some(printable(&mail.origin)));
    line("To", Some(printable(&mail.to.join(", "))).filter(|to| !to.is_empty()));
    line("State", Some(mail.state.to_owned()));
    line("Recorded", Some(moment(mail.recorded, zone)));
    line("Tries", Some(mail.attempts.to_string()));
    line("Next try", mail.next_attempt.map(|at| moment(at, zone)));
    line("Ended", mail.finished.map(|at| moment(at, zone)));
    line("Link ends", mail.link_ends.map(|at| moment(at, zone)));
    line("Error", mail.error.as_deref().map(printable));
    line("Kept in", mail.kept_in.as_ref().map(|file| file.display().to_string()));
    say!("{shown}");
}

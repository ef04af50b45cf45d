//! `usher run`: a job that otherwise runs by itself, now. What it did is recorded among the job's occasions.

mod expire_quotas;
mod notices;
mod plugin;
mod retention;

use std::process::ExitCode;

use serde_json::json;

use super::batch::{ProgressShown, finish};
use super::json::print_json;
use super::table::printable;
use super::{Exit, signals};
use crate::app::{Access, App};
use crate::cli::{ImportArgs, RunArgs, RunCommand};
use crate::command::quota::ApplyArgs;
use crate::command::say::say;
use crate::database::Swept;
use crate::outbox::{Delivery, OutboxError};
use crate::schedule::{Report, by_hand, jobs};
use crate::{import, quota_apply};

/// Runs the command. `build` makes the services.
///
/// # Errors
/// Where the services cannot be built, the job is running already, or it could not be done at all.
pub async fn run(
    build: impl AsyncFnOnce(Access) -> anyhow::Result<App>,
    command: &RunCommand,
) -> anyhow::Result<ExitCode> {
    let build = async |args: &RunArgs| {
        if args.dry_run {
            return build(Access::Read).await;
        }
        let app = build(Access::Write).await?;
        signals::ask_to_stop(&app)?;
        Ok(app)
    };
    match command {
        RunCommand::Import(args) => import(&build(args).await?, *args).await,
        RunCommand::Quotas(args) => quotas(&build(args).await?, *args).await,
        RunCommand::Outbox(args) => outbox(&build(args).await?, *args).await,
        RunCommand::ExpireTokens(args) => expire_tokens(&build(args).await?, *args).await,
        RunCommand::ExpireQuotas(args) => expire_quotas::run(&build(args).await?, *args).await,
        RunCommand::Notify(args) => notices::notify(&build(args).await?, *args).await,
        RunCommand::Remind(args) => notices::remind(&build(args).await?, *args).await,
        RunCommand::Retention(args) => retention::retention(&build(args).await?, *args).await,
        RunCommand::Plugin(words) => {
            let (name, args) = plugin::arguments(words);
            plugin::run(&build(&args).await?, &name, args).await
        }
    }
}

async fn import(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs { dry_run, json } = args;
    if dry_run {
        let args = ImportArgs { command: None, all: true, user: None, dry_run, json };
        return super::import::run(app, &args).await;
    }
    let shown = ProgressShown::new();
    let work = import::run(app, &import::Selection::All, |progress| shown.tell(progress, &app.keystone));
    let report = by_hand::run(app, "import", work, jobs::sheets::told_of_import).await;
    drop(shown);
    Ok(finish(&report??, json)?.into())
}

async fn quotas(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs { dry_run, json } = args;
    if dry_run {
        return super::quota::apply::run(app, &ApplyArgs { all: true, project: None, dry_run, json }).await;
    }
    let shown = ProgressShown::new();
    let work =
        quota_apply::run(app, &quota_apply::Selection::All, |progress| shown.tell(progress, &app.keystone));
    let report = by_hand::run(app, "quotas", work, jobs::sheets::told_of_quotas).await;
    drop(shown);
    Ok(finish(&report??, json)?.into())
}

/// Mail that is due is sent by whoever comes first, so this needs no right to run. It is for sites where nothing looks for
/// mail all the time, so it waits until it is sure of a process on another machine that seems to have died while it sent.
async fn outbox(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let deliveries = if args.dry_run { Vec::new() } else { send_due(app).await? };
    let trouble: Vec<String> = deliveries.iter().filter_map(Delivery::trouble).collect();
    let pending = app.outbox.pending().await?;
    let due = pending.iter().filter(|mail| app.outbox.is_due(mail)).count();
    if args.json {
        let sent = deliveries.len() - trouble.len();
        print_json(&json!({ "sent": sent, "problems": trouble, "due": due, "waiting": pending.len() }))?;
    } else {
        trouble.iter().for_each(|trouble| say!("{}", printable(trouble)));
        match args.dry_run {
            true => say!("{due} would be sent, {} wait for a later attempt.", pending.len() - due),
            false => say!("{} sent, {} wait.", deliveries.len() - trouble.len(), pending.len()),
        }
    }
    Ok(if trouble.is_empty() { Exit::Done } else { Exit::Failed }.into())
}

/// Up to the mail that is being sent when the program is told to end.
async fn send_due(app: &App) -> Result<Vec<Delivery>, OutboxError> {
    let mut deliveries = Vec::new();
    app.outbox.deliver_and_watch(&mut deliveries, &app.stop).await?;
    Ok(deliveries)
}

async fn expire_tokens(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let swept = if args.dry_run {
        app.setpass.count_sweepable().await?
    } else {
        by_hand::run(app, "expire-tokens", app.setpass.sweep(), jobs::expire_tokens::told).await??
    };
    let Swept { destroyed, forgotten } = swept;
    if args.json {
        print_json(&json!({ "destroyed": destroyed, "forgotten": forgotten }))?;
    } else {
        let would = if args.dry_run { "would be" } else { "were" };
        say!(
            "The secrets of {destroyed} links {would} destroyed, and {forgotten} links and reset cases {would} forgotten."
        );
    }
    Ok(Exit::Done.into())
}

/// Prints what a job did.
fn print_report(report: &Report) {
    say!("{}", printable(&report.summary));
    report.details.iter().for_each(|line| say!("  {}", printable(line)));
}

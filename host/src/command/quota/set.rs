//! `usher quota set`: an operator's own change.

use std::process::ExitCode;

use comfy_table::{Cell, Color};

use super::arguments::SetArgs;
use crate::app::App;
use crate::batch::{BatchError, Exclusive};
use crate::command::Exit;
use crate::command::say::say;
use crate::command::table::{coloured, printable, table};
use crate::project_quotas::WantedLimit;
use crate::project_quotas::set::{self, Change, ChangedLimit, ServiceOutcome};
use crate::quota_decisions::KIND;
use crate::quota_decisions::in_words;

pub(super) async fn run(app: &App, args: &SetArgs) -> anyhow::Result<ExitCode> {
    if let Some(twice) = written_twice(&args.limits) {
        eprintln!("the limit {} is given twice", printable(twice));
        return Ok(Exit::Usage.into());
    }
    if args.dry_run {
        return change(app, args).await;
    }
    // A run over the quota sheet takes the limits that it reads for what nobody else is about to change.
    let exclusive = Exclusive::take(app, KIND).await.map_err(BatchError::from)?;
    let code = change(app, args).await;
    if let Err(error) = exclusive.release().await {
        tracing::warn!(%error, "the right to change quotas could not be given back; it ends by itself");
    }
    code
}

async fn change(app: &App, args: &SetArgs) -> anyhow::Result<ExitCode> {
    let change = set::plan(app, &args.project, &args.limits, args.force).await?;
    let project = printable(&change.project.name);
    change.notices.iter().for_each(|notice| say!("Notice: {}", printable(notice)));
    if change.is_done {
        say!("Project {project} has these limits already, and they are recorded.");
        return Ok(Exit::Done.into());
    }
    if args.dry_run {
        print(&change, |limit| match limit.old == limit.new {
            true => coloured("nothing but to record it", Color::Green),
            false => coloured("set it", Color::Green),
        });
        say!("Nothing was changed.");
        return Ok(Exit::Done.into());
    }
    let outcomes = set::apply(app, &change, args.reason.trim()).await?;
    let failed = |service| {
        outcomes.iter().find(|outcome| outcome.service == service).and_then(|outcome| outcome.error.as_ref())
    };
    print(&change, |limit| match (failed(limit.service), limit.old == limit.new) {
        (_, true) => coloured("as it was", Color::Green),
        (None, false) => coloured("set", Color::Green),
        (Some(_), false) => coloured("NOT SET", Color::Red),
    });
    for ServiceOutcome { service, error } in &outcomes {
        if let Some(error) = error {
            say!("{}: {}", service.name(), printable(&error.to_string()));
        }
    }
    Ok(exit(&outcomes, &project).into())
}

fn exit(outcomes: &[ServiceOutcome], project: &str) -> Exit {
    let errors: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.error.as_ref()).collect();
    if errors.is_empty() {
        say!("The limits of project {project} are set and recorded.");
        Exit::Done
    } else {
        say!("Not all limits of project {project} are set. The same command run again sets what is left.");
        if errors.iter().any(|error| error.is_passing()) { Exit::Unreachable } else { Exit::Failed }
    }
}

fn print(change: &Change, outcome: impl Fn(&ChangedLimit) -> Cell) {
    let mut shown = table(["Service", "Limit", "Old", "New", "Outcome"]);
    for limit in &change.limits {
        shown.add_row([
            Cell::new(limit.service.name()),
            Cell::new(printable(&limit.key)),
            Cell::new(in_words(limit.old)),
            Cell::new(in_words(limit.new)),
            outcome(limit),
        ]);
    }
    say!("{shown}");
}

/// The key that is given more than once. `ram` and `ram_gb` are the same.
fn written_twice(limits: &[WantedLimit]) -> Option<&str> {
    limits
        .iter()
        .enumerate()
        .find(|(index, limit)| limits[..*index].iter().any(|earlier| earlier.key == limit.key))
        .map(|(_, limit)| limit.key.as_str())
}

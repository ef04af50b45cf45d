//! `usher run NAME`: a job of the site's own.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use serde_json::json;

use super::print_report;
use crate::app::App;
use crate::cli::{OwnJobArgs, RunArgs};
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::outbox::Delivery;
use crate::schedule::{Call, by_hand, jobs};

/// The job's name, and how it is run. The words are those after `usher run`; wrong ones end the program, as everywhere on
/// the command line.
pub(super) fn arguments(words: &[String]) -> (String, RunArgs) {
    let name = words.first().cloned().unwrap_or_default();
    (name, OwnJobArgs::parse_from(words).run)
}

pub(super) async fn run(app: &App, name: &str, args: RunArgs) -> anyhow::Result<ExitCode> {
    let jobs = jobs::jobs(app);
    let is_own = app.settings.plugins.jobs.contains_key(name);
    let job = jobs.iter().find(|job| is_own && job.name == name).with_context(|| {
        let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        format!(
            "there is no job {name}: there are {} and outbox; [plugins.jobs.{name}] would make one",
            names.join(", ")
        )
    })?;
    let time = app.clock.now().to_zoned(app.settings.site.time_zone.clone());
    let call = Call { time, dry_run: args.dry_run, stop: app.stop.clone() };
    let work = (job.work)(call);
    let ended = if args.dry_run { work.await } else { by_hand::run(app, name, work, Clone::clone).await? };
    if !args.dry_run {
        // What the job mailed, as every command does that makes mail.
        let deliveries = super::send_due(app).await?;
        deliveries.iter().filter_map(Delivery::trouble).for_each(|trouble| eprintln!("usher: {trouble}"));
    }
    Ok(match ended {
        Ok(report) => {
            if args.json {
                print_json(&json!({ "summary": report.summary, "details": report.details }))?;
            } else {
                print_report(&report);
                if args.dry_run {
                    say!("Nothing was changed.");
                }
            }
            Exit::Done
        }
        Err(failure) => {
            eprintln!("usher: {}", failure.reason);
            // What a job cannot do before somebody acts lacks a setting, or something that the settings name, such as a worksheet.
            if failure.is_passing() { Exit::Unreachable } else { Exit::Usage }
        }
    }
    .into())
}

//! `usher run`: a job that otherwise runs by itself, now.

mod notices;
mod retention;

use std::process::ExitCode;

pub use notices::{notify, remind};
pub use retention::retention;

use super::Exit;
use super::json::print_json;
use super::table::{printable, table};
use crate::app::App;
use crate::command::say::say;
use crate::database::ChangeFate;
use crate::quota_decisions::in_words;
use crate::quota_terms::{self, Report};

/// Runs `usher run expire-quotas`.
///
/// # Errors
/// Where it could not be done at all.
pub async fn expire_quotas(app: &App, dry_run: bool, json: bool) -> anyhow::Result<ExitCode> {
    let report = quota_terms::run(app, dry_run).await?;
    if json {
        print_json(&report)?;
    } else {
        print(app, &report);
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

fn print(app: &App, report: &Report) {
    if !report.ended.is_empty() {
        let mut shown = table(["Project", "Quota", "Temporary", "Now"]);
        for ended in &report.ended {
            for at_end in &ended.limits {
                let now = match at_end.fate {
                    ChangeFate::Restored => in_words(at_end.before),
                    ChangeFate::Kept => format!("{}, changed meanwhile and kept", in_words(at_end.in_force)),
                };
                shown.add_row([
                    printable(&ended.project),
                    at_end.key.clone(),
                    in_words(at_end.temporary),
                    now,
                ]);
            }
        }
        say!("{shown}");
    }
    for warned in &report.warned {
        let ends = warned.ends.to_zoned(app.settings.site.time_zone.clone());
        let ends = ends.strftime("%Y-%m-%d %H:%M %Z");
        say!(
            "The requester of the change for {} is told that it ends at {ends}.",
            printable(&warned.project)
        );
    }
    for failed in &report.failed {
        say!("{}: {}; the next run tries again", printable(&failed.project), printable(&failed.reason));
    }
    report.notices.iter().for_each(|notice| say!("Notice: {}", printable(notice)));
    report.mail_errors.iter().for_each(|error| say!("{}", printable(error)));
    say!("{} ended, {} announced, {} failed.", report.ended.len(), report.warned.len(), report.failed.len());
}

//! `usher run expire-quotas`: temporary quotas whose day is over.

use std::process::ExitCode;

use crate::app::App;
use crate::cli::RunArgs;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{printable, table};
use crate::database::ChangeFate;
use crate::quota_decisions::in_words;
use crate::quota_terms::{self, Report};
use crate::schedule::{by_hand, jobs};

pub(super) async fn run(app: &App, args: RunArgs) -> anyhow::Result<ExitCode> {
    let work = quota_terms::run(app, args.dry_run);
    let report = if args.dry_run {
        work.await?
    } else {
        by_hand::run(app, "expire-quotas", work, jobs::expire_quotas::told).await??
    };
    if args.json {
        print_json(&report)?;
    } else {
        print(app, &report);
        if args.dry_run {
            say!("Nothing was changed.");
        }
    }
    Ok(Exit::of_run(report.unreachable, report.is_complete()).into())
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

//! What the commands that work through a sheet show: how far they have come, the plan, the report.

pub(super) mod look_back;
mod plan_table;
mod progress;
mod report_table;

pub(super) use self::plan_table::{left_alone, print_rows};
pub(super) use self::progress::ProgressShown;

use super::Exit;
use super::json::print_json;
use super::table::printable;
use crate::batch::report::Report;
use crate::command::say::say;

/// The exit status for what a run came to.
pub(super) fn exit(report: &Report) -> Exit {
    if !report.unreachable && (report.mail_server_unusable || report.mailing_list_unusable) {
        Exit::Usage
    } else {
        Exit::of_run(report.unreachable, report.is_complete())
    }
}

/// Prints a report, as a table or as JSON, and says what the exit status is.
pub(super) fn finish(report: &Report, json: bool) -> anyhow::Result<Exit> {
    if json {
        print_json(report)?;
    } else {
        report_table::print(report);
    }
    Ok(exit(report))
}

pub(super) fn print_notices(notices: &[String]) {
    for notice in notices {
        say!("Notice: {}", printable(notice));
    }
}

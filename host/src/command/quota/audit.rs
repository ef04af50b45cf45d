//! `usher quota audit`: the limits that nobody has decided.

use std::process::ExitCode;

use comfy_table::{Cell, Color};

use crate::app::App;
use crate::batch::report::counted;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{coloured, printable, table};
use crate::project_quotas::audit::{self, Audit, AuditFailure, UnexpectedLimit};
use crate::quota_decisions::in_words;

pub(super) async fn run(app: &App, json: bool) -> anyhow::Result<ExitCode> {
    let audit = audit::audit(app).await?;
    if json {
        print_json(&audit)?;
    } else {
        print(&audit);
    }
    // What was found is not to be hidden by one project that could not be looked at.
    Ok(if !audit.unexpected.is_empty() {
        Exit::Failed
    } else if audit.failures.is_empty() {
        Exit::Done
    } else {
        Exit::Unreachable
    }
    .into())
}

fn print(audit: &Audit) {
    if !audit.unexpected.is_empty() {
        let mut shown = table(["Project", "Service", "Key", "Limit", "Expected"]);
        for limit in &audit.unexpected {
            shown.add_row([
                Cell::new(printable(&limit.project.name)),
                Cell::new(limit.service.name()),
                Cell::new(printable(&limit.key)),
                coloured(&in_words(limit.limit), Color::Yellow),
                Cell::new(expected(limit)),
            ]);
        }
        say!("{shown}");
    }
    for failure in &audit.failures {
        say!("Not looked at: {}", not_looked_at(failure));
    }
    for notice in &audit.notices {
        say!("Notice: {}", printable(notice));
    }
    let projects = counted(audit.projects, "project", "projects");
    match audit.unexpected.len() {
        0 => say!("{projects}: every limit that could be looked at was decided."),
        number => {
            let limits = counted(number, "limit that nobody has decided", "limits that nobody has decided");
            say!("{projects}: {limits}. `usher quota set` sets a limit, or records that it is meant.");
        }
    }
}

fn expected(limit: &UnexpectedLimit) -> String {
    let mut words = Vec::new();
    for (value, what) in
        [(limit.recorded, "recorded"), (limit.policy, "for a new project"), (limit.default, "default")]
    {
        words.extend(value.map(|value| format!("{} ({what})", in_words(value))));
    }
    words.join(", ")
}

fn not_looked_at(failure: &AuditFailure) -> String {
    let mut words = Vec::new();
    words.extend(failure.project.as_ref().map(|project| printable(&project.name)));
    words.push(failure.service.map_or("quota policy", |service| service.name()).to_owned());
    words.push(printable(&failure.error));
    words.join(": ")
}

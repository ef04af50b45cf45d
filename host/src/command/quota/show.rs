//! `usher quota show`: the limits of a project, one table for each service.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use comfy_table::Cell;
use jiff::tz::TimeZone;

use super::limits::bar;
use crate::app::App;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{moment, printable, table};
use crate::project_quotas::show::{self, PastDecision, ProjectQuotas, ServiceQuotas, TemporaryChange};
use crate::quota_decisions::in_words;

/// How many decisions people are shown.
const DECISIONS: usize = 10;

pub(super) async fn run(app: &App, project: &str, json: bool) -> anyhow::Result<ExitCode> {
    let quotas = show::show(app, project).await?;
    if json {
        print_json(&quotas)?;
    } else {
        print(&quotas, &app.settings.site.time_zone, std::io::stdout().is_terminal());
    }
    Ok(exit(&quotas.services).into())
}

fn exit(services: &[ServiceQuotas]) -> Exit {
    if services.iter().all(|quotas| quotas.error.is_none()) {
        Exit::Done
    } else if services.iter().any(|quotas| quotas.is_passing) {
        Exit::Unreachable
    } else {
        Exit::Failed
    }
}

fn print(quotas: &ProjectQuotas, zone: &TimeZone, with_bars: bool) {
    say!("Project {} ({})", printable(&quotas.project.name), printable(&quotas.project.id));
    for service in &quotas.services {
        match &service.error {
            Some(error) => say!("{}: not known: {}", service.service.name(), printable(error)),
            None => print_service(service, with_bars),
        }
    }
    for change in &quotas.temporary {
        say!("{}", temporary(change, zone));
    }
    print_decisions(&quotas.decisions, zone);
    for notice in &quotas.notices {
        say!("Notice: {}", printable(notice));
    }
}

fn print_service(quotas: &ServiceQuotas, with_bars: bool) {
    let mut shown = table([quotas.service.name(), "Limit", "In use", "Reserved", "Default"]);
    if with_bars {
        shown.set_header([quotas.service.name(), "Limit", "In use", "Reserved", "Default", "Taken"]);
    }
    for limit in &quotas.limits {
        let mut row = vec![
            Cell::new(printable(&limit.key)),
            Cell::new(in_words(limit.limit)),
            Cell::new(limit.in_use),
            Cell::new(limit.reserved),
            Cell::new(limit.default.map(in_words).unwrap_or_default()),
        ];
        if with_bars {
            row.push(bar(limit.in_use.saturating_add(limit.reserved), limit.limit));
        }
        shown.add_row(row);
    }
    say!("{shown}");
}

fn temporary(change: &TemporaryChange, zone: &TimeZone) -> String {
    let TemporaryChange { service, key, old, new, ends, changed_since } = change;
    let (service, key, ends) = (service.name(), printable(key), moment(*ends, zone));
    let (old, new) = (in_words(*old), in_words(*new));
    match changed_since {
        false => format!("Temporary: {key} ({service}) is {new} until {ends}, then {old} again."),
        true => {
            format!("Temporary: {key} ({service}) was {new} until {ends}; it was changed since, and stays.")
        }
    }
}

fn print_decisions(decisions: &[PastDecision], zone: &TimeZone) {
    if decisions.is_empty() {
        return;
    }
    let mut shown = table(["Decided", "By", "What"]);
    for decision in decisions.iter().take(DECISIONS) {
        shown.add_row([
            Cell::new(moment(decision.decided, zone)),
            Cell::new(decision.approved_by),
            Cell::new(what(decision).join("\n")),
        ]);
    }
    say!("{shown}");
    if decisions.len() > DECISIONS {
        say!("Earlier decisions: {}; --json shows them.", decisions.len() - DECISIONS);
    }
}

fn what(decision: &PastDecision) -> Vec<String> {
    let mut lines = vec![match (decision.outcome, decision.applied, decision.ended) {
        ("denied", ..) => "denied".to_owned(),
        (outcome, None, _) => format!("{outcome}, not all of it in force yet"),
        (outcome, Some(_), None) => outcome.to_owned(),
        (outcome, Some(_), Some(_)) => format!("{outcome}, and ended"),
    }];
    if !decision.reason.is_empty() {
        lines[0].push_str(&format!(": {}", printable(&decision.reason)));
    }
    for change in &decision.changes {
        let (old, new) = (in_words(change.old), in_words(change.new));
        let mut line = format!("{}: {old} -> {new}", printable(&change.key));
        if let Some(fate) = change.fate {
            line.push_str(&format!(", {fate}"));
        }
        if !change.reason.is_empty() {
            line.push_str(&format!(" ({})", printable(&change.reason)));
        }
        lines.push(line);
    }
    lines
}

//! `usher plugin run`: what a row parser makes of an exported sheet.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};

use crate::command::Exit;
use crate::command::say::say;
use crate::command::table::{printable, table};
use crate::registration::{Body, Outcome, Parsed, ParsedRow, ProjectChoice, Row, Stage};
use crate::settings::Settings;
use crate::settings::plugins::{Grant, Plugin};

use super::RunArgs;

pub(super) async fn run(args: &RunArgs, settings: Option<&Settings>) -> anyhow::Result<ExitCode> {
    let plugin = plugin(args, settings)?;
    let rows = rows(args)?;
    let parser = super::host(settings)?.row_parser(&plugin).await?;
    let parsed = parser.parse_rows(args.kind.into(), &rows).await?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&parsed)?);
    } else {
        print(&parsed);
    }
    Ok(Exit::Done.into())
}

/// The component as it would be configured: with the settings of the site's row parser where there
/// are any. It gets every grant, because no service is behind one here: what it asks of them is
/// answered with `unavailable`.
fn plugin(args: &RunArgs, settings: Option<&Settings>) -> anyhow::Result<Plugin> {
    let configured = settings.and_then(|settings| settings.plugins.row_parser.as_ref());
    let own = match &args.settings_from {
        None => configured.map(|plugin| plugin.settings.clone()).unwrap_or_default(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            toml::from_str::<BTreeMap<String, toml::Value>>(&text)
                .map_err(|error| anyhow!("{}: {}", file.display(), error.message()))?
        }
    };
    Ok(Plugin {
        component: args.file.clone(),
        sha256: None,
        grants: Grant::ALL.to_vec(),
        files: configured.and_then(|plugin| plugin.files.clone()),
        settings: own,
        limits: configured.and_then(|plugin| plugin.limits),
    })
}

fn rows(args: &RunArgs) -> anyhow::Result<Vec<Row>> {
    let file = args.rows.display();
    let bytes = std::fs::read(&args.rows).with_context(|| format!("cannot read {file}"))?;
    crate::sheet::exported_rows(&bytes).map_err(|(row, problem)| anyhow!("{file}: row {row}: {problem}"))
}

fn print(parsed: &Parsed) {
    let mut table = table(["row", "stage", "user", "project", "what", "remarks"]);
    for row in &parsed.rows {
        table.add_row(cells(row).map(|cell| printable(&cell)));
    }
    say!("{table}");
    let rejected = parsed.rows.iter().filter(|row| matches!(row.outcome, Outcome::Rejected(_))).count();
    say!("{} rows, {rejected} of them rejected", parsed.rows.len());
}

fn cells(row: &ParsedRow) -> [String; 6] {
    let number = row.number.to_string();
    let warnings = row.warnings.join("; ");
    let request = match &row.outcome {
        Outcome::Rejected(rejection) => {
            let remarks = std::iter::once(&rejection.reason)
                .chain(&row.warnings)
                .cloned()
                .collect::<Vec<_>>()
                .join("; ");
            let user = rejection.requester.clone();
            return [number, "rejected".to_owned(), user, String::new(), String::new(), remarks];
        }
        Outcome::Request(request) => request,
    };
    let (user, project, what) = match &request.body {
        Body::Access(access) => {
            let what = match &access.project {
                ProjectChoice::Create { members, .. } if members.is_empty() => "new project".to_owned(),
                ProjectChoice::Create { members, .. } => format!("new project with {}", members.join(", ")),
                ProjectChoice::Join { .. } => "joins".to_owned(),
            };
            (access.email.clone(), access.project.name().to_owned(), what)
        }
        Body::Quota(quota) => {
            let limits: Vec<_> = quota.limits.iter().map(|(key, limit)| format!("{key} {limit}")).collect();
            let until = quota.until.map(|day| format!(" until {day}")).unwrap_or_default();
            (quota.email.clone(), quota.project.clone(), format!("{}{until}", limits.join(", ")))
        }
    };
    [number, stage(&request.stage), user, project, what, warnings]
}

fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Waiting { since: Some(since), .. } => format!("waiting since {since}"),
        Stage::Waiting { since: None, .. } => "waiting".to_owned(),
        Stage::Denied => "denied".to_owned(),
        Stage::Approved => "approved".to_owned(),
        Stage::Ready => "ready".to_owned(),
    }
}

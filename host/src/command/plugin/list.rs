//! `usher plugin list`: the configured components, and whether each is fit for its role.

use std::process::ExitCode;

use serde::Serialize;

use crate::command::Exit;
use crate::command::say::say;
use crate::plugin::{Inspection, PluginHost, World};
use crate::settings::Settings;
use crate::settings::plugins::{Grant, Plugin};

use super::check::{names, size};

/// One configured component.
#[derive(Serialize)]
struct Listed<'a> {
    role: &'a str,
    granted: &'a [Grant],
    pinned: bool,
    #[serde(flatten)]
    inspection: Option<Inspection>,
    problem: Option<String>,
}

pub(super) async fn run(settings: Option<&Settings>, json: bool) -> anyhow::Result<ExitCode> {
    let Some(settings) = settings else { return Err(crate::settings::SettingsError::Missing.into()) };
    let host = super::host(Some(settings))?;
    let mut all = Vec::new();
    for (role, plugin) in settings.plugins.all() {
        let world = match role {
            "row_parser" => World::RowParser,
            "quota_policy" => World::QuotaPolicy,
            _ => World::MailTemplates,
        };
        all.push(look(&host, role, plugin, world).await);
    }
    if json {
        say!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        for listed in &all {
            print(listed);
        }
    }
    let sound = all.iter().all(|listed| listed.problem.is_none());
    Ok(if sound { Exit::Done } else { Exit::Failed }.into())
}

async fn look<'a>(host: &PluginHost, role: &'a str, plugin: &'a Plugin, world: World) -> Listed<'a> {
    let inspected = host.inspect_configured(plugin).await;
    let (inspection, problem) = match inspected {
        Err(error) => (None, Some(error.to_string())),
        Ok(inspection) => {
            let missing = inspection.grants.iter().any(|grant| !plugin.grants.contains(grant));
            let problem = match &inspection.obstacle {
                Some(obstacle) => Some(obstacle.clone()),
                None if !inspection.worlds.contains(&world) => {
                    Some(format!("it does not fit the world {world}"))
                }
                None if missing => {
                    inspection.grant_line().map(|line| format!("it needs {line} in [plugins.{role}]"))
                }
                None => None,
            };
            (Some(inspection), problem)
        }
    };
    Listed { role, granted: &plugin.grants, pinned: plugin.sha256.is_some(), inspection, problem }
}

fn print(listed: &Listed<'_>) {
    let line = |label: &str, value: &str| say!("  {label:<9}{value}");
    say!("{}", listed.role);
    if let Some(inspection) = &listed.inspection {
        let compiled = if inspection.compiled { "compiled" } else { "compiled just now" };
        let pinned = if listed.pinned { "  (pinned)" } else { "" };
        line("file", &format!("{}, {}, {compiled}", inspection.file.display(), size(inspection.size)));
        line("sha256", &format!("{}{pinned}", inspection.sha256));
        line("fits", &names(&inspection.worlds));
        let imports: Vec<_> = inspection.imports.iter().map(|import| interface(&import.name)).collect();
        line("imports", &brief(&imports));
    }
    let granted: Vec<_> = listed.granted.iter().map(|grant| grant.name()).collect();
    line("granted", if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") }.as_str());
    if let Some(problem) = &listed.problem {
        line("PROBLEM", problem);
    }
}

/// `usher:plugin/log@0.1.0` is `log`; another package keeps its name.
fn interface(import: &str) -> &str {
    import.strip_prefix("usher:plugin/").and_then(|rest| rest.split('@').next()).unwrap_or(import)
}

/// The imports in one line. Components in Python and JavaScript import all of WASI, which says
/// nothing about them.
fn brief(imports: &[&str]) -> String {
    let own: Vec<_> = imports.iter().copied().filter(|import| !import.starts_with("wasi:")).collect();
    match (own.is_empty(), own.len() == imports.len()) {
        (true, true) => "nothing".to_owned(),
        (true, false) => "WASI".to_owned(),
        (false, true) => own.join(", "),
        (false, false) => format!("{}, WASI", own.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_listed_briefly() {
        assert_eq!(interface("usher:plugin/keystone-admin@0.1.0"), "keystone-admin");
        assert_eq!(brief(&["log", "wasi:cli/stdin@0.2.0", "wasi:io/poll@0.2.0"]), "log, WASI");
        assert_eq!(brief(&["wasi:io/poll@0.2.0"]), "WASI");
        assert_eq!(brief(&["log", "settings"]), "log, settings");
        assert_eq!(brief(&[]), "nothing");
    }
}

//! `usher plugin check`: what a component is and needs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::command::Exit;
use crate::command::say::say;
use crate::plugin::{ImportAccess, Inspection, World};
use crate::settings::Settings;

pub(super) async fn run(file: &Path, settings: Option<&Settings>, json: bool) -> anyhow::Result<ExitCode> {
    let inspection = super::host(settings)?.inspect(file).await?;
    if json {
        say!("{}", serde_json::to_string_pretty(&inspection)?);
    } else {
        print!("{}", describe(&inspection));
    }
    Ok(if inspection.worlds.is_empty() { Exit::Failed } else { Exit::Done }.into())
}

/// The inspection for a person.
fn describe(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _infallible = writeln!(text, "{label:<9}{value}");
    };
    line("file", &inspection.file.display().to_string());
    line("sha256", &inspection.sha256);
    line("size", &size(inspection.size));
    match &inspection.obstacle {
        Some(obstacle) => line("problem", obstacle),
        None if inspection.worlds.is_empty() => {
            let exports = inspection.exports.join(", ");
            let exports = if exports.is_empty() { "nothing" } else { &exports };
            line("fits", &format!("no world; it exports {exports}"));
            for world in World::ALL {
                line("", &format!("{world} needs {}", world.exports().join(" and ")));
            }
        }
        None => line("fits", &names(&inspection.worlds)),
    }
    for (index, import) in inspection.imports.iter().enumerate() {
        let access = match import.access {
            ImportAccess::Always => "",
            ImportAccess::EmptyWasi => "  (with nothing behind it)",
            ImportAccess::Granted => "  (has to be granted)",
            ImportAccess::Unknown => "  (this host does not have it)",
        };
        line(if index == 0 { "imports" } else { "" }, &format!("{}{access}", import.name));
    }
    match inspection.grant_line() {
        Some(grants) => line("needs", &format!("{grants} in its section of the settings")),
        None => line("needs", "no grants"),
    }
    text
}

/// The names of worlds in one line.
pub(super) fn names(worlds: &[World]) -> String {
    worlds.iter().map(|world| world.name()).collect::<Vec<_>>().join(", ")
}

/// A size for a person.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    if bytes >= MIB {
        format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB)
    } else {
        format!("{} KiB", bytes.div_ceil(KIB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_for_people() {
        assert_eq!(size(0), "0 KiB");
        assert_eq!(size(1), "1 KiB");
        assert_eq!(size(18 * 1024 * 1024 + 512 * 1024), "18.5 MiB");
    }
}

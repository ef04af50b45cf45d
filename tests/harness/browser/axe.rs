//! axe-core, which looks for what keeps people out: contrast, names, labels, roles.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Browser;
use crate::{process, workspace};

/// The npm package.
const PACKAGE: &str = "axe-core@4.14.1";

/// Installs axe-core, where it is not there yet. Several processes may call this at once.
///
/// # Errors
/// Where npm is not there or cannot do it; what it says has gone to standard error.
pub fn install() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock().context("cannot lock the folder of axe-core")?;
    let ready = folder.join("installed");
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == PACKAGE) {
        return Ok(());
    }
    eprintln!("installing {PACKAGE} (about 1 MB to download)");
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix"]);
    let status = process::status(npm.arg(&folder).arg(PACKAGE))?;
    ensure!(status.success(), "{PACKAGE} could not be installed from the npm registry; see above");
    Ok(fs::write(&ready, PACKAGE)?)
}

fn folder() -> PathBuf {
    workspace::target().join("services/axe")
}

impl Browser {
    /// What axe-core finds wrong with the page as it is shown now, by the rules of WCAG 2.2 up to level AA and
    /// what it calls best practice. Each finding is one line.
    ///
    /// # Errors
    /// Where axe-core is not there, or does not run.
    pub fn barriers(&self) -> Result<Vec<String>> {
        let file = folder().join("node_modules/axe-core/axe.min.js");
        let source = fs::read_to_string(&file)
            .with_context(|| format!("{} is missing; `cargo xtask test` installs it", file.display()))?;
        // A driver's scripts are not the page's, and its policy does not hold for them.
        self.driver.post("execute/sync", &json!({ "script": source, "args": [] }))?;
        let run = "const done = arguments[0]; axe.run(document).then(\
                   (found) => done({ violations: found.violations, passes: found.passes.length }), \
                   (error) => done({ error: String(error) }));";
        let found = self.driver.post("execute/async", &json!({ "script": run, "args": [] }))?;
        ensure!(found["error"].is_null(), "axe-core failed: {}", found["error"]);
        ensure!(found["passes"].as_u64().unwrap_or_default() > 10, "axe-core looked at nothing: {found}");
        let violations = found["violations"].as_array().context("no findings")?;
        Ok(violations.iter().map(line).collect())
    }
}

fn line(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let nodes: Vec<String> =
        nodes.iter().map(|node| format!("{} ({})", node["html"], node["failureSummary"])).collect();
    format!("{}: {}: {}", violation["id"], violation["help"], nodes.join(" | "))
}

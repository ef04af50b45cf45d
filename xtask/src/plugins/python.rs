//! The component that is written in Python, built by componentize-py in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{fingerprint, system};

/// Name of the component.
pub const NAME: &str = "python-rows";

const FOLDER: &str = "plugins/example-python-rows";
/// Module that holds the component's exports.
const MODULE: &str = "component";
const WORLD: &str = "row-parser";
const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// Builds the component into `file`, unless it is there and its inputs did not change.
///
/// # Errors
/// When Python or componentize-py are missing and cannot be installed, or the build fails.
pub fn build(root: &Path, file: &Path) -> Result<()> {
    let stamp = file.with_extension("inputs");
    let inputs = format!(
        "{:016x}\n",
        fingerprint(root, &[("wit", "wit"), (FOLDER, "py")], (COMPONENTIZE, MODULE, WORLD))?
    );
    if file.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == inputs) {
        return Ok(());
    }
    let environment = environment(root)?;
    eprintln!("building {NAME} with {COMPONENTIZE}");
    let draft = file.with_extension("wasm.draft");
    let status = Command::new(environment.join("bin/componentize-py"))
        .current_dir(root)
        .args(["--wit-path", "wit", "--world", WORLD, "componentize", "--stub-wasi", "--python-path", FOLDER])
        .arg("--output")
        .arg(&draft)
        .arg(MODULE)
        .status()
        .context("cannot start componentize-py")?;
    ensure!(status.success(), "componentize-py failed ({status}); see its message above");
    fs::rename(&draft, file).with_context(|| format!("cannot write {}", file.display()))?;
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(())
}

/// The virtual environment with componentize-py in it.
fn environment(root: &Path) -> Result<PathBuf> {
    let environment = root.join("target/components-build/python");
    let ready = environment.join("installed");
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == COMPONENTIZE) {
        return Ok(environment);
    }
    if !create(&environment) {
        system::install_packages(&["python3", "python3-venv"], "building the Python example")?;
        ensure!(create(&environment), "python3 -m venv {} fails; see above", environment.display());
    }
    eprintln!("installing {COMPONENTIZE}");
    let status = Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", COMPONENTIZE])
        .status()
        .context("cannot start pip")?;
    ensure!(
        status.success(),
        "pip could not install {COMPONENTIZE}; see above. It comes from the Python package index (pypi.org) or the \
         one that pip's configuration names"
    );
    fs::write(&ready, COMPONENTIZE).with_context(|| format!("cannot write {}", ready.display()))?;
    Ok(environment)
}

/// Debian's own Python is preferred: a version manager's may be gone or changed when the environment is used again.
fn create(environment: &Path) -> bool {
    ["/usr/bin/python3", "python3"].iter().any(|python| {
        let created = Command::new(python).args(["-m", "venv", "--clear"]).arg(environment).status();
        created.is_ok_and(|status| status.success())
    })
}

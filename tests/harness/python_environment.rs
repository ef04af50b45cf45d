//! Virtual environments for programs that need other versions of some packages than OpenStack does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{process, workspace};

/// Where the environment of this name is.
#[must_use]
pub(crate) fn path(name: &str) -> PathBuf {
    workspace::target().join("services").join(name)
}

/// Installs what a file below `tests/harness` lists into the environment of this name, where it is not there yet.
/// `what` says so to people. Several processes may call this at once.
///
/// # Errors
/// Where that cannot be done; what the tools say has gone to standard error.
pub(crate) fn install(name: &str, requirements: &str, what: &str) -> Result<()> {
    let environment = path(name);
    let requirements = workspace::root().join("tests/harness").join(requirements);
    let wanted = fs::read_to_string(&requirements)?;
    let ready = environment.join("installed");
    fs::create_dir_all(workspace::target().join("services"))?;
    let lock = fs::File::create(environment.with_extension("lock"))?;
    lock.lock().with_context(|| format!("cannot lock {}", environment.display()))?;
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("installing {what} into {}", environment.display());
    fill(&environment, &requirements)?;
    Ok(fs::write(&ready, wanted)?)
}

fn fill(environment: &Path, requirements: &Path) -> Result<()> {
    // uv is much faster, and comes with the packages of the cloud.
    let uv = workspace::python_packages().join("bin/uv");
    let python = environment.join("bin/python");
    let (mut make, mut fill) = if uv.exists() {
        let mut make = Command::new(&uv);
        make.args(["venv", "--quiet", "--clear", "--python", "python3"]);
        let mut fill = Command::new(&uv);
        fill.args(["pip", "install", "--quiet", "--compile-bytecode", "--python"]).arg(&python);
        (make, fill)
    } else {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]);
        let mut fill = Command::new(&python);
        fill.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        (make, fill)
    };
    let made = process::status(make.arg(environment))?;
    ensure!(made.success(), "no virtual environment; see above (Debian's package is python3-venv)");
    let filled = process::status(fill.arg("--requirement").arg(requirements))?;
    ensure!(filled.success(), "the Python package index does not give what is needed; see above");
    Ok(())
}

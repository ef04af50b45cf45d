//! Starts the services that are written in Python.

use std::path::Path;
use std::process::{Child, Command};

use anyhow::Result;

use crate::{listening, workspace};

/// Starts a script below `tests/harness` that keeps its files in `folder`, and returns it with its port. What it
/// says goes to `server.log` there.
///
/// # Errors
/// Where it does not start.
pub(crate) fn start(script: &str, folder: &Path, arguments: &[String]) -> Result<(Child, u16)> {
    start_in(&workspace::python_packages(), script, folder, arguments)
}

/// The same for a script that belongs to a virtual environment of its own.
///
/// # Errors
/// Where it does not start.
pub(crate) fn start_in(
    environment: &Path,
    script: &str,
    folder: &Path,
    arguments: &[String],
) -> Result<(Child, u16)> {
    let mut command = Command::new(environment.join("bin/python"));
    command.arg(workspace::root().join("tests/harness").join(script)).arg("--folder").arg(folder);
    listening::start(command.args(arguments), script, folder)
}

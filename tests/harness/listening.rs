//! Starts services that print `listening PORT` once they answer, and end when their standard input is closed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// Starts a service that keeps its files in `folder`, and returns it with its port. What it says goes to
/// `server.log` there.
///
/// # Errors
/// Where it does not start.
pub(crate) fn start(command: &mut Command, name: &str, folder: &Path) -> Result<(Child, u16)> {
    fs::create_dir_all(folder)?;
    let log = fs::File::create(folder.join("server.log"))?;
    // In a group of its own, so that Ctrl-C does not take it away from a program that is still using it. It ends by
    // itself with the program that holds its standard input.
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {name}; `cargo xtask test` installs what it needs"))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let Some(port) = line.trim().strip_prefix("listening ").and_then(|port| port.parse().ok()) else {
        stop(&mut child, Duration::from_secs(15));
        bail!("{name} did not start; see {}", folder.join("server.log").display());
    };
    Ok((child, port))
}

/// Stops a service.
pub(crate) fn stop(child: &mut Child, grace: Duration) {
    drop(child.stdin.take());
    process::terminate(child, grace);
}

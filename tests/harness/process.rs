//! Child processes: run to the end, or kept and stopped by their id.

use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::interrupt;

/// How often a condition is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a command to its end, and ends it where somebody asks to stop.
///
/// # Errors
/// Where it cannot be started, or was interrupted. Its own failure is in the status.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    let mut child = command.spawn().with_context(|| format!("cannot run {}", name(command)))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt::requested() {
            terminate(&mut child, Duration::from_secs(20));
            bail!("interrupted");
        }
        thread::sleep(LOOK);
    }
}

/// Runs a command and keeps what it writes.
///
/// # Errors
/// Where it cannot be started. Its own failure is in the output.
pub fn output(command: &mut Command) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {}", name(command)))
}

/// Waits until `condition` gives something.
///
/// # Errors
/// Where it does not within `limit`, or fails.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition()? {
            return Ok(found);
        }
        interrupt::check()?;
        if start.elapsed() >= limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        thread::sleep(LOOK);
    }
}

/// Asks a child to end (SIGTERM), and makes it (SIGKILL) where it does not within `grace`. Returns
/// its status where it ended when asked.
pub fn terminate(child: &mut Child, grace: Duration) -> Option<ExitStatus> {
    if let Ok(Some(status)) = child.try_wait() {
        return Some(status);
    }
    // The child has not been waited for, so its id cannot have passed to another process.
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let start = Instant::now();
    while start.elapsed() < grace {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The program of a command, as errors name it.
fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

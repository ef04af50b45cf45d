//! A running `usher serve`.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A running `usher serve`. Stopped on drop.
#[derive(Debug)]
pub struct Serving {
    url: String,
    process: Child,
    log: mpsc::Receiver<String>,
}

/// The URL in the line that says where the server listens.
fn listening(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let url = rest.split_whitespace().next()?;
    Some(url.trim_end_matches('/').to_owned())
}

impl Serving {
    /// Starts `usher serve` on a port that the system chooses, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        // In a group of its own, so that Ctrl-C does not take it away from a program that is still using it.
        command.stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn()?;
        let stderr = process.stderr.take().context("the standard error is a pipe")?;
        let (lines, log) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        let mut serving = Self { url: String::new(), process, log };
        let mut said = Vec::new();
        loop {
            match serving.log.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => {
                    if let Some(url) = listening(&line) {
                        serving.url = url;
                        return Ok(serving);
                    }
                    said.push(line);
                }
                Err(_) => bail!("usher serve does not listen; it said:\n{}", said.join("\n")),
            }
        }
    }

    /// The URL that the server answers at, without a stroke at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A mailed link, at the port where this server really is. The link itself starts with the
    /// `public_url` of the settings, which cannot know a port that the system chooses.
    ///
    /// # Errors
    /// Where it is no link with a token.
    pub fn here(&self, link: &str) -> Result<String> {
        let (_, query) = link.split_once("?token=").with_context(|| "the link has no token")?;
        Ok(format!("{}/?token={query}", self.url))
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the server has said since it was asked last.
    pub fn log(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// Asks the server to end, and goes on at once.
    pub fn ask_to_end(&self) {
        // It has not been waited for, so its id cannot have passed to another process.
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Asks the server to end, and returns its status where it does within a minute.
    pub fn stop(mut self) -> Option<ExitStatus> {
        crate::process::terminate(&mut self.process, Duration::from_secs(60))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        crate::process::terminate(&mut self.process, Duration::from_secs(15));
    }
}

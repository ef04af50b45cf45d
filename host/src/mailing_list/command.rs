//! A list that a program of the site's own keeps: it reads the addresses from its standard input, one a line, and
//! says with its exit status whether it has subscribed all of them.

#[cfg(test)]
mod tests;

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::first_line;
use crate::settings;

/// What of Usher's environment a program gets: the rest holds passwords, such as OpenStack's.
const ENVIRONMENT: [&str; 8] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR"];

/// How often a program that runs is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long what a program said is waited for when it has ended. What it leaves running may hold its standard
/// error open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much of what a program says is kept.
const LONGEST_SPEECH: usize = 4096;

/// Why a program did not subscribe the addresses.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such program.
    #[error("mailing_list.command: there is no program {0}; write its whole path")]
    Missing(String),
    /// The file is no program.
    #[error("mailing_list.command: {file} cannot be run; make it executable (chmod +x)", file = .0.display())]
    NotExecutable(PathBuf),
    /// It does not start.
    #[error("mailing_list.command: {program} does not start: {reason}")]
    Start {
        /// The program.
        program: String,
        /// What the operating system says.
        reason: io::Error,
    },
    /// It failed.
    #[error("mailing_list.command: {program} failed ({status}): {words}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The first line that it wrote to standard error.
        words: String,
    },
    /// It did not end.
    #[error(
        "mailing_list.command: {program} was stopped because it had not ended after {} s; what it said: {words}. \
         mailing_list.timeout gives it more time",
        timeout.as_secs_f64()
    )]
    TimedOut {
        /// The program.
        program: String,
        /// How long it was given.
        timeout: Duration,
        /// The first line that it wrote to standard error.
        words: String,
    },
}

impl CommandError {
    /// Whether the settings have to be corrected first.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::NotExecutable(_) | Self::Start { .. })
    }
}

/// A program that subscribes addresses.
#[derive(Clone, Debug)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
}

impl Command {
    /// The program that the settings name. Nothing is looked for yet.
    #[must_use]
    pub fn new(settings: &settings::mailing_list::Command) -> Self {
        let mut words = settings.command.iter().cloned();
        let program = words.next().unwrap_or_default();
        Self { program, arguments: words.collect(), timeout: settings.timeout }
    }

    /// The program, for a person. Without its arguments, which may be nobody's business.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("list kept by the command {}", self.program)
    }

    /// Looks whether there is such a program.
    ///
    /// # Errors
    /// Where there is none, or it cannot be run.
    pub fn check(&self) -> Result<(), CommandError> {
        let is_executable = |file: &Path| {
            file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        if self.program.contains('/') {
            let file = PathBuf::from(&self.program);
            return match (file.exists(), is_executable(&file)) {
                (false, _) => Err(CommandError::Missing(self.program.clone())),
                (true, false) => Err(CommandError::NotExecutable(file)),
                (true, true) => Ok(()),
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        match std::env::split_paths(&path).any(|folder| is_executable(&folder.join(&self.program))) {
            true => Ok(()),
            false => Err(CommandError::Missing(self.program.clone())),
        }
    }

    /// Runs the program with these addresses, each of which has to be a plain one.
    ///
    /// # Errors
    /// Where it does not start, fails, or does not end in time.
    pub async fn run(&self, addresses: &[&str]) -> Result<(), CommandError> {
        let command = self.clone();
        let input: String = addresses.iter().flat_map(|address| [*address, "\n"]).collect();
        let ended = tokio::task::spawn_blocking(move || command.run_blocking(input)).await;
        ended.unwrap_or_else(|stopped| {
            Err(CommandError::Start { program: self.program.clone(), reason: io::Error::other(stopped) })
        })
    }

    fn run_blocking(&self, input: String) -> Result<(), CommandError> {
        self.check()?;
        let program = || self.program.clone();
        let started = std::process::Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A group of its own, so that whatever it starts can be stopped with it.
            .process_group(0)
            .spawn();
        let mut child = started.map_err(|reason| CommandError::Start { program: program(), reason })?;
        let said = converse(&mut child, input);
        let ended = wait(&mut child, self.timeout);
        let words = || match first_line(&words(&said)) {
            none if none.is_empty() => "it said nothing".to_owned(),
            words => words,
        };
        match ended {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(CommandError::Failed { program: program(), status, words: words() }),
            None => Err(CommandError::TimedOut { program: program(), timeout: self.timeout, words: words() }),
        }
    }
}

/// Writes the addresses and reads what the program says, both while it runs: it may do either as slowly as it
/// likes. What it says comes piece by piece.
fn converse(child: &mut Child, input: String) -> mpsc::Receiver<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading them all says with its status what that means.
        std::thread::spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        });
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut kept = 0;
            let mut piece = [0; 1024];
            // A program that cannot write would stop, so it is read to its end, however much it says.
            while let Ok(length @ 1..) = stderr.read(&mut piece) {
                if kept < LONGEST_SPEECH {
                    kept += length;
                    let _ = sender.send(piece[..length].to_vec());
                }
            }
        });
    }
    receiver
}

/// What a program that has ended said.
fn words(said: &mpsc::Receiver<Vec<u8>>) -> String {
    let end = Instant::now() + LAST_WORDS;
    let mut words = Vec::new();
    while let Ok(piece) = said.recv_timeout(end.saturating_duration_since(Instant::now())) {
        words.extend(piece);
    }
    String::from_utf8_lossy(&words).into_owned()
}

/// Waits for the program; ends it, with all that it has started, where it takes longer than it may.
fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if start.elapsed() < timeout => std::thread::sleep(LOOK),
            Ok(None) | Err(_) => break,
        }
    }
    // It has not been waited for, so its id cannot have passed to another process.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

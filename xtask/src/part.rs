//! The parts that the commands are made of: their titles, their times, and cargo.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use usher_tests::{process, workspace};

/// Prints the title of a part.
pub fn title(text: &str) {
    println!("\n━━ {text} {}", "━".repeat(76usize.saturating_sub(text.chars().count())));
}

/// What `cargo build` is asked for to get the program. Cargo unites the features of the packages it is asked
/// for, so that `--package usher` would choose others than the tests do, and build every dependency twice.
pub const USHER: [&str; 3] = ["--workspace", "--bin", "usher"];

/// With what every build for tests is asked for besides: the places where a test may kill the program. Builds
/// without it would be others, and would build the program again each time.
pub const FOR_TESTS: [&str; 2] = ["--features", "usher/fail-points"];

/// Cargo, in the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace::root());
    // What `cargo run` tells this program about its own package. Some build scripts ask to be run again where
    // these change, so that every change between this cargo and one in a shell would build their crates anew.
    for (name, _) in std::env::vars_os() {
        let is_about_package = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| name.to_str().is_some_and(|name| name.starts_with(prefix)));
        if is_about_package {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command that has to succeed.
pub fn succeed(command: &mut Command) -> Result<()> {
    let status = process::status(command)?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command that has to succeed, and hands each line that it writes to standard output on, which is
/// passed through.
pub fn succeed_reading(command: &mut Command, mut read: impl FnMut(&str)) -> Result<()> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", shown(command)))?;
    let stdout = child.stdout.take().context("the standard output is a pipe")?;
    let (lines, received) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
            println!("{line}");
            if lines.send(line).is_err() {
                break;
            }
        }
    });
    let status = loop {
        for line in received.try_iter() {
            read(&line);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if usher_tests::interrupt::requested() {
            process::terminate(&mut child, Duration::from_secs(20));
            bail!("interrupted");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // What is still in the pipe; the reader ends with it.
    let _ = reader.join();
    for line in received.try_iter() {
        read(&line);
    }
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// What became of the parts, for the table at the end.
#[derive(Default)]
pub struct Parts {
    rows: Vec<(String, Duration, Option<String>)>,
}

impl Parts {
    /// Runs a part under its title. A failure is kept and the next part runs; `None` says that it failed.
    pub fn run<T>(&mut self, name: &str, part: impl FnOnce() -> Result<T>) -> Option<T> {
        title(name);
        let start = Instant::now();
        let result = part();
        self.enter(name, start.elapsed(), result)
    }

    /// Enters a part that has run, and how long it took.
    pub fn enter<T>(&mut self, name: &str, took: Duration, result: Result<T>) -> Option<T> {
        let error = result.as_ref().err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            println!("FAILED: {error}");
        }
        self.rows.push((name.to_owned(), took, error));
        result.ok()
    }

    /// Prints what each part took, and returns how many failed.
    pub fn summary(&self) -> usize {
        title("summary");
        for (name, time, error) in &self.rows {
            let verdict = error.as_ref().map_or("ok".to_owned(), |error| format!("FAILED: {error}"));
            println!("{:>7.1} s  {name:<44} {verdict}", time.as_secs_f64());
        }
        self.rows.iter().filter(|(_, _, error)| error.is_some()).count()
    }
}

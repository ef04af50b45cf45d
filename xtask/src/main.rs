//! The workspace's own commands.

mod bench;
mod demo;
mod fuzz;
mod part;
mod plugins;
mod suite;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use usher_tests::{interrupt, workspace};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [--google]    a whole site on this machine: cloud, mail server, sheet, import, setpass;
                     the sheet is in CSV files, or at an emulator of Google Sheets
  test [PART...]     everything that can be checked; parts: format lint unit python e2e
  fuzz [SECONDS]     feed random bodies and queries to the parsers of setpass, a minute for each of them;
                     needs rustup's nightly toolchain
  plugins            build the bundled components into target/components
  bench [import]     measure, and compare with what is wanted; only a large import
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo hands a `--` on, which people write before options from habit.
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--").collect();
    let result = match words.as_slice() {
        ["demo"] => run(|| demo::run(demo::Place::Files)),
        ["demo", "--google"] => run(|| demo::run(demo::Place::Google)),
        ["test", parts @ ..] => match suite::Part::parse(parts) {
            Ok(parts) => run(|| suite::run(&parts)),
            Err(unknown) => return usage(&unknown),
        },
        ["fuzz"] => run(|| fuzz::run(fuzz::SECONDS)),
        ["fuzz", seconds] if seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0) => {
            run(|| fuzz::run(seconds.parse()?))
        }
        ["plugins"] => run(|| plugins::build_all(&workspace::root())),
        ["bench"] => run(|| bench::run(bench::Subject::All)),
        ["bench", "import"] => run(|| bench::run(bench::Subject::Import)),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return usage(&words.join(" ")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command so that Ctrl-C ends it by the usual way out, on which everything is stopped.
fn run(command: impl FnOnce() -> Result<()>) -> Result<()> {
    interrupt::watch().context("cannot watch for Ctrl-C")?;
    command()
}

fn usage(unknown: &str) -> ExitCode {
    eprintln!("unknown: {unknown}\n\n{USAGE}");
    ExitCode::from(2)
}

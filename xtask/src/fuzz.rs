//! `cargo xtask fuzz`: random bodies and queries for the parsers of setpass.
//!
//! Needs a nightly toolchain, for the instrumentation, and `cargo-fuzz`, which it installs below `target`. Not part of
//! the tests: what it finds becomes one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use usher_tests::{process, workspace};

use crate::part::{succeed, title};

/// How long each target runs, unless somebody says otherwise.
pub const SECONDS: u32 = 60;

/// The targets, by their files in `tests/fuzz/targets`.
const TARGETS: [&str; 3] = ["form", "json", "query"];

const TOOLCHAIN: &str = "nightly";

/// Runs every target for so many seconds. Inputs that led somewhere new are kept in `target/fuzz/corpus`, and the next
/// run begins with them.
pub fn run(seconds: u32) -> Result<()> {
    let root = workspace::root();
    let fuzz = cargo_fuzz()?;
    for target in TARGETS {
        title(&format!("{target}: {seconds} s"));
        let corpus = workspace::target().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let found = workspace::target().join("fuzz/found").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let mut command = with_nightly(&fuzz);
        command.current_dir(&root).args(["fuzz", "run", "--fuzz-dir", "tests/fuzz", "--target-dir"]);
        command.arg(workspace::target().join("fuzz/build")).arg(target).arg(corpus);
        command.arg(root.join("tests/fuzz/seeds").join(target)).arg("--");
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", found.display()));
        // Longer ones than the server reads find nothing.
        command.args(["-max_len=4096", "-print_final_stats=1"]);
        if !process::status(&mut command)?.success() {
            bail!(
                "{target} failed, see above; the input is in {}. Make it a test of host/src/http/fields.rs, then \
                 mend that",
                found.display()
            );
        }
    }
    Ok(())
}

/// The program, installed where it is not yet.
fn cargo_fuzz() -> Result<PathBuf> {
    let installed = Command::new("rustup").args(["run", TOOLCHAIN, "rustc", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        bail!(
            "fuzzing needs Rust's nightly toolchain; install it with: rustup toolchain install {TOOLCHAIN} --profile minimal"
        );
    }
    let tools = workspace::target().join("tools");
    let program = tools.join("bin/cargo-fuzz");
    if !program.exists() {
        title("cargo-fuzz");
        let mut install = Command::new("cargo");
        succeed(install.args(["install", "cargo-fuzz", "--locked", "--root"]).arg(&tools))
            .context("cannot install cargo-fuzz")?;
    }
    Ok(program)
}

/// A command that uses the nightly toolchain, whichever this one was started with.
fn with_nightly(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("RUSTUP_TOOLCHAIN", TOOLCHAIN)
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("CARGO_TARGET_DIR");
    command
}

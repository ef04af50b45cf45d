//! `cargo xtask test`: everything that can be checked, against the real services.
//!
//! A part that cannot run says why, and counts as failed.

mod browser;
mod services;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use usher_tests::cloud;
use usher_tests::{interrupt, postfix, process, workspace};

use crate::part::{FOR_TESTS, Parts, USHER, cargo, succeed, succeed_reading};
use crate::plugins::{self, system, toolchain::DOWNLOAD};
use services::Services;

/// What can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `cargo fmt --check`
    Format,
    /// `cargo clippy`
    Lint,
    /// The tests beside the code.
    Unit,
    /// The tests of what is written in Python or JavaScript.
    Python,
    /// The whole program against the real services.
    EndToEnd,
}

impl Part {
    const ALL: [(&'static str, Self); 5] = [
        ("format", Self::Format),
        ("lint", Self::Lint),
        ("python", Self::Python),
        ("unit", Self::Unit),
        ("e2e", Self::EndToEnd),
    ];

    /// The parts with these names, or all.
    ///
    /// # Errors
    /// The name that is none.
    pub fn parse(names: &[&str]) -> Result<Vec<Self>, String> {
        let find = |name: &&str| {
            let found = Self::ALL.iter().find(|(own, _)| own == name);
            found.map(|(_, part)| *part).ok_or_else(|| (*name).to_owned())
        };
        if names.is_empty() {
            return Ok(Self::ALL.iter().map(|(_, part)| *part).collect());
        }
        names.iter().map(find).collect()
    }
}

/// The tests beside the code. Chosen from the whole workspace and never by package, like [`END_TO_END`]
/// and [`USHER`]: cargo then builds every dependency with the same features, and only once.
const UNIT: [&str; 9] =
    ["--workspace", "--lib", "--bins", "--test", "doctor", "--test", "documents", "--test", "plugin_host"];

/// The tests that need services.
const END_TO_END: [&str; 5] = ["--workspace", "--test", "clients", "--test", "e2e"];

/// The components of the toolchain that check the code.
const TOOLS: [&str; 2] = ["rustfmt", "clippy"];

/// How many tests ran.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs the parts.
pub fn run(wanted: &[Part]) -> Result<()> {
    let mut parts = Parts::default();
    let mut count = Count::default();
    let wants = |part| wanted.contains(&part);

    let services = wants(Part::EndToEnd).then(Services::begin);
    if wants(Part::Format) {
        parts.run("format", || tool("fmt", &["fmt", "--all", "--check"]));
    }
    if wants(Part::Unit) || wants(Part::EndToEnd) || wants(Part::Python) {
        parts.run("components", || plugins::build_all(&workspace::root()));
        interrupt::check()?;
    }
    if wants(Part::Python) {
        parts.run("Python", || python(&mut count));
        parts.run("JavaScript", || javascript(&mut count));
        interrupt::check()?;
    }
    if wants(Part::Lint) {
        let [features, fail_points] = FOR_TESTS;
        let arguments =
            ["clippy", "--workspace", "--all-targets", features, fail_points, "--", "--deny", "warnings"];
        parts.run("lint", || tool("clippy", &arguments));
        interrupt::check()?;
    }
    if wants(Part::Unit) {
        parts.run("unit tests", || {
            tests(cargo(&["test", "--no-fail-fast"]).args(UNIT).args(FOR_TESTS), &mut count)
        });
        parts.run("examples in the documentation", || {
            tests(cargo(&["test", "--no-fail-fast", "--workspace", "--doc"]).args(FOR_TESTS), &mut count)
        });
        interrupt::check()?;
    }
    if let Some(services) = services {
        end_to_end(services, &mut parts, &mut count);
        interrupt::check()?;
    }
    let failed = parts.summary();
    println!("\n{} passed, {} failed", count.passed, count.failed);
    ensure!(failed == 0, "{failed} parts failed");
    ensure!(count.failed == 0, "{} tests failed", count.failed);
    Ok(())
}

/// Runs a tool that is a component of the toolchain, which rustup is asked for where it is missing.
fn tool(subcommand: &str, arguments: &[&str]) -> Result<()> {
    let is_there = || -> Result<bool> {
        let mut version = cargo(&[subcommand, "--version"]);
        Ok(process::status(version.stdout(Stdio::null()).stderr(Stdio::null()))?.success())
    };
    if !is_there()? {
        eprintln!("the toolchain has no cargo {subcommand}; asking rustup for {}", TOOLS.join(" and "));
        // Whether that helped is seen next; what rustup said is on standard error.
        system::succeeds_within(Command::new("rustup").args(["component", "add"]).args(TOOLS), DOWNLOAD);
        ensure!(
            is_there()?,
            "the toolchain has no cargo {subcommand}; run: rustup component add {}",
            TOOLS.join(" ")
        );
    }
    succeed(&mut cargo(arguments))
}

/// Runs cargo's tests, and counts them.
fn tests(command: &mut Command, count: &mut Count) -> Result<()> {
    let mut binaries = 0;
    succeed_reading(command, |line| {
        if let Some((passed, failed)) = result_line(line) {
            count.passed += passed;
            count.failed += failed;
            binaries += 1;
        }
    })?;
    ensure!(binaries > 0, "no test ran");
    Ok(())
}

/// The counts in `test result: ok. 3 passed; 0 failed; …`. A test that is ignored shows nothing, and counts as
/// failed.
fn result_line(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| -> Option<u64> {
        counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some((number(" passed")?, number(" failed")? + number(" ignored")?))
}

/// Runs the unit tests of the example in Python, and of the services that are written in it.
fn python(count: &mut Count) -> Result<()> {
    cloud::install()?;
    let python = workspace::python_packages().join("bin/python");
    for folder in python_tests()? {
        let mut command = Command::new(&python);
        command.args(["-m", "unittest", "discover", "--verbose"]).current_dir(&folder);
        let output = process::output(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        print!("{said}");
        // unittest ends with `Ran 12 tests in 0.004s`, and succeeds where it found none.
        let ran: u64 = said
            .lines()
            .find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok())
            .with_context(|| format!("unittest in {} did not say what it ran", folder.display()))?;
        ensure!(ran > 0, "there are no tests in {}", folder.display());
        ensure!(output.status.success(), "the tests in {} failed", folder.display());
        count.passed += ran;
    }
    Ok(())
}

/// Runs the unit tests of the example in JavaScript.
fn javascript(count: &mut Count) -> Result<()> {
    let output = process::output(&mut plugins::javascript::tests(&workspace::root())?)?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    // The test runner ends with `# pass 3`, and succeeds where it found none.
    let passed: u64 = said
        .lines()
        .find_map(|line| line.strip_prefix("# pass ")?.trim().parse().ok())
        .context("node did not say how many tests passed")?;
    ensure!(passed > 0 && output.status.success(), "the tests of the example in JavaScript failed");
    count.passed += passed;
    Ok(())
}

/// The folders that hold Python tests.
fn python_tests() -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let mut open = ["plugins", "tests/harness"].map(|folder| workspace::root().join(folder)).to_vec();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "node_modules" && !name.starts_with('.') {
                open.push(path);
            } else if name.starts_with("test_") && name.ends_with(".py") && !folders.contains(&folder) {
                folders.push(folder.clone());
            }
        }
    }
    if folders.is_empty() {
        bail!("there is no test_*.py below plugins/ and tests/harness/");
    }
    Ok(folders)
}

/// Runs the tests that need services.
fn end_to_end(services: Services, parts: &mut Parts, count: &mut Count) {
    let built = parts.run("build of usher and its tests", || {
        succeed(cargo(&["build"]).args(USHER).args(FOR_TESTS))?;
        succeed(cargo(&["test", "--no-run"]).args(END_TO_END).args(FOR_TESTS))
    });
    let cloud = services.wait(parts);
    parts.run("packages: Postfix", postfix::install);
    parts.run("packages: Chromium, axe-core", browser::install);
    parts.run("packages: systemd", || {
        let packages = system::missing(&[("systemd-analyze", "systemd")]);
        if packages.is_empty() { Ok(()) } else { system::install_packages(&packages, "checking the units") }
    });
    parts.run("end-to-end tests", || {
        ensure!(built.is_some(), "not tried: the build failed");
        let cloud = cloud.context("not tried: there is no cloud")?;
        let mut command = cargo(&["test", "--no-fail-fast"]);
        tests(command.args(END_TO_END).args(FOR_TESTS).env(cloud::SHARED, cloud.folder()), count)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_cargo_reports() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(result_line(line), Some((12, 4)));
        assert_eq!(result_line("test result_line ... ok"), None);
    }

    #[test]
    fn all_parts_run_where_none_is_named_and_a_wrong_name_is_refused() {
        assert_eq!(Part::parse(&[]).unwrap().len(), Part::ALL.len());
        assert_eq!(Part::parse(&["e2e"]), Ok(vec![Part::EndToEnd]));
        assert_eq!(Part::parse(&["e2e", "all"]), Err("all".to_owned()));
    }
}

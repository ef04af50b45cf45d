//! What has to be on the machine: Debian's packages, installed where that is allowed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Installs Debian packages as root or with a `sudo` that asks for no password.
///
/// # Errors
/// When that is not possible; the text says what to run.
pub fn install_packages(packages: &[&str], purpose: &str) -> Result<()> {
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(prefix) = administrator() else {
        bail!("{purpose} needs a package that only root can install. Run as root:\n  {by_hand}");
    };
    eprintln!("installing {} ({purpose})", packages.join(", "));
    // The lists of a fresh machine are empty or old; those of most machines serve.
    if !apt_get(&prefix, packages)? {
        apt(&prefix, &["update"])?;
        if !apt_get(&prefix, packages)? {
            bail!(
                "{purpose}: apt-get could not install what is missing; see above. To try by hand:\n  {by_hand}"
            );
        }
    }
    Ok(())
}

/// The packages of those programs that are not there: pairs of program and package.
pub fn missing<'a>(programs: &[(&str, &'a str)]) -> Vec<&'a str> {
    let is_missing = |program: &str| answer(Command::new(program).arg("--version")).is_none();
    programs.iter().filter(|(program, _)| is_missing(program)).map(|(_, package)| *package).collect()
}

fn apt_get(prefix: &[&str], packages: &[&str]) -> Result<bool> {
    let arguments: Vec<&str> =
        ["install", "--yes", "--quiet", "--no-install-recommends"].iter().chain(packages).copied().collect();
    apt(prefix, &arguments)
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Result<bool> {
    let words: Vec<&str> = prefix
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .chain(arguments.iter().copied())
        .collect();
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", words[0]))?;
    Ok(status.success())
}

/// The words before a command that make it run as root: none for root itself.
fn administrator() -> Option<Vec<&'static str>> {
    if !Path::new("/usr/bin/apt-get").exists() {
        return None;
    }
    if answer(Command::new("id").arg("-u")).is_some_and(|id| id == "0") {
        return Some(Vec::new());
    }
    answer(Command::new("sudo").args(["-n", "true"])).map(|_| vec!["sudo", "-n"])
}

/// What a command prints, where it exists and succeeds.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command that may wait for a network that is not there, and stops it after a time. Whether it succeeded.
pub fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let Ok(mut child) = command.stdin(Stdio::null()).spawn() else { return false };
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(100)),
            // Nobody needs the outcome of stopping it: it has ended, or is of no use.
            Ok(None) | Err(_) => {
                _ = child.kill();
                _ = child.wait();
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_stopped() {
        let begin = Instant::now();
        assert!(!succeeds_within(Command::new("sleep").arg("60"), Duration::from_millis(200)));
        assert!(begin.elapsed() < Duration::from_secs(30));
        assert!(succeeds_within(&mut Command::new("true"), Duration::from_secs(30)));
    }
}

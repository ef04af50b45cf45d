//! A cloud: the real Keystone, Nova, Neutron and Cinder APIs on loopback, by `minicloud/minicloud.sh`.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::identity::Identity;
use crate::{process, workspace};

/// The environment variable that names the folder of the cloud that tests share.
pub const SHARED: &str = "USHER_TEST_CLOUD";

/// A running cloud.
#[derive(Debug)]
pub struct Cloud {
    folder: PathBuf,
    owned: bool,
}

/// Installs the Python packages that the services need, where they are not there yet.
///
/// # Errors
/// Where the script fails; what it says has gone to standard error.
pub fn install() -> Result<()> {
    run("install", &workspace::python_packages())
}

impl Cloud {
    /// Starts the cloud of a folder, installing and setting up what is missing. It is stopped on drop.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn up(folder: &Path) -> Result<Self> {
        // Made before the start, so that a start that fails half-way is cleaned up too.
        let cloud = Self { folder: folder.to_owned(), owned: true };
        run("up", folder)?;
        Ok(cloud)
    }

    /// Starts the cloud of a folder as if it were new: only what every cloud has is in it.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn fresh(folder: &Path) -> Result<Self> {
        Self::fresh_with(folder, &[])
    }

    /// The same with some of the script's settings, which the folder keeps from its first start on.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn fresh_with(folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let cloud = Self { folder: folder.to_owned(), owned: true };
        let verb = if folder.join("pristine/keystone.db").exists() { "reset" } else { "up" };
        run_with(verb, folder, settings)?;
        Ok(cloud)
    }

    /// The cloud that `cargo xtask test` started for the tests.
    ///
    /// # Errors
    /// Where there is none.
    pub fn shared() -> Result<Self> {
        let folder = std::env::var_os(SHARED).with_context(|| {
            format!(
                "these tests need a cloud: run `cargo xtask test`, or name a running one's folder in {SHARED}"
            )
        })?;
        let cloud = Self { folder: folder.into(), owned: false };
        ensure!(
            cloud.clouds_yaml().exists(),
            "{SHARED} names {}, where no cloud is; run `cargo xtask test`",
            cloud.folder.display()
        );
        Ok(cloud)
    }

    /// The folder that everything of this cloud is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that tells clients where the cloud is; its entry is `minicloud`.
    #[must_use]
    pub fn clouds_yaml(&self) -> PathBuf {
        self.folder.join("clouds.yaml")
    }

    /// Keystone's URL, with `/v3`.
    ///
    /// # Errors
    /// Where the cloud's file cannot be read.
    pub fn keystone_url(&self) -> Result<String> {
        let text = fs::read_to_string(self.clouds_yaml())?;
        let url = text.lines().find_map(|line| line.trim().strip_prefix("auth_url: "));
        Ok(url.context("clouds.yaml has no auth_url")?.to_owned())
    }

    /// Keystone's API, as the administrator.
    ///
    /// # Errors
    /// Where Keystone does not accept the administrator.
    pub fn identity(&self) -> Result<Identity> {
        Identity::login(&self.keystone_url()?, "admin", "adminpw", Some("admin"))
    }

    /// What the stock `openstack` command line answers, as JSON; null where it answers nothing.
    ///
    /// # Errors
    /// Where the command fails; the error holds what it said.
    pub fn openstack(&self, arguments: &[&str]) -> Result<Value> {
        let output = process::output(
            Command::new(workspace::python_packages().join("bin/openstack"))
                .args(arguments)
                .args(["-f", "json"])
                .env("OS_CLIENT_CONFIG_FILE", self.clouds_yaml())
                .env("OS_CLOUD", "minicloud")
                .env("PYTHONWARNINGS", "ignore"),
        )?;
        if !output.status.success() {
            bail!("openstack {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        if output.stdout.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("openstack {} did not answer in JSON", arguments.join(" ")))
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if self.owned
            && let Err(error) = run("down", &self.folder)
        {
            eprintln!("could not stop the cloud in {}: {error:#}", self.folder.display());
        }
    }
}

/// Runs one verb of the script. What it prints goes to standard error.
fn run(verb: &str, folder: &Path) -> Result<()> {
    run_with(verb, folder, &[])
}

fn run_with(verb: &str, folder: &Path, settings: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new(workspace::root().join("tests/harness/minicloud/minicloud.sh"));
    command
        .arg(verb)
        .arg(folder)
        .env("MINICLOUD_UV", "1")
        .env("MINICLOUD_VENV", workspace::python_packages())
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = if verb == "down" {
        // In a group of its own: a second Ctrl-C must not leave the services running.
        command.process_group(0).status()?
    } else {
        process::status(&mut command)?
    };
    if !status.success() {
        bail!("minicloud.sh {verb} failed; its logs are in {}", folder.join("log").display());
    }
    Ok(())
}

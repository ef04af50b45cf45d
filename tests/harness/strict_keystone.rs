//! A Keystone with rules for passwords: the cloud's own program and users, in a copy of its database, so that no
//! other test has to follow the rules.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cloud::Cloud;
use crate::identity::Identity;
use crate::{process, workspace};

/// A running Keystone. Stopped on drop.
#[derive(Debug)]
pub struct StrictKeystone {
    url: String,
    process: Child,
}

impl StrictKeystone {
    /// Starts a Keystone on a port that the system chooses, with these lines in its section
    /// `[security_compliance]`. It keeps its files in `folder`, and has the cloud's users as they are now.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(cloud: &Cloud, folder: &Path, rules: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let theirs = cloud.folder().join("state/keystone.db");
        let ours = folder.join("keystone.db");
        copy_database(&theirs, &ours)?;
        let settings = fs::read_to_string(cloud.folder().join("etc/keystone/keystone.conf"))?;
        let log = cloud.folder().join("log/keystone.log").display().to_string();
        let [theirs, ours] = [&theirs, &ours].map(|file| file.display().to_string());
        ensure!(settings.contains(&theirs) && settings.contains(&log), "keystone.conf is not as it was");
        let settings = settings
            .replace(&theirs, &ours)
            .replace(&log, &folder.join("keystone.log").display().to_string());
        fs::write(folder.join("keystone.conf"), format!("{settings}[security_compliance]\n{rules}"))?;
        // Keystone reads the command line of the program that it runs in, which is gunicorn's.
        fs::write(
            folder.join("gunicorn.conf.py"),
            "import sys\ndef post_fork(server, worker):\n    sys.argv = ['keystone-api']\n",
        )?;

        // In a group of its own, so that Ctrl-C does not take it away from a program that is still using it.
        let mut process = Command::new(workspace::python_packages().join("bin/gunicorn"))
            .args(["--config", "gunicorn.conf.py", "--bind", "127.0.0.1:0", "--workers", "1"])
            .args(["--graceful-timeout", "1", "--no-control-socket", "keystone.wsgi.api:application"])
            .current_dir(folder)
            .env("OS_KEYSTONE_CONFIG_DIR", folder)
            .env("OS_KEYSTONE_CONFIG_FILES", "keystone.conf")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot run gunicorn")?;
        let stderr = process.stderr.take().context("the standard error is a pipe")?;
        let mut keystone = Self { url: String::new(), process };
        let mut lines = BufReader::new(stderr).lines().map_while(std::result::Result::ok);
        let address = lines.find_map(|line| {
            line.split_once("Listening at: ")?.1.split_whitespace().next().map(str::to_owned)
        });
        keystone.url = format!("{}/v3", address.context("gunicorn did not say where it listens")?);
        // Read on, so that it never waits for a reader.
        thread::spawn(move || lines.for_each(drop));
        process::wait_for("the strict Keystone", Duration::from_secs(60), || Ok(keystone.identity().ok()))?;
        Ok(keystone)
    }

    /// Its URL, with `/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its administrator.
    ///
    /// # Errors
    /// Where it does not let the administrator in.
    pub fn identity(&self) -> Result<Identity> {
        Identity::login(&self.url, "admin", "adminpw", Some("admin"))
    }
}

impl Drop for StrictKeystone {
    fn drop(&mut self) {
        process::terminate(&mut self.process, Duration::from_secs(15));
    }
}

/// A copy that is whole, also while the cloud writes.
fn copy_database(from: &Path, to: &Path) -> Result<()> {
    let script = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))";
    let mut command = Command::new(workspace::python_packages().join("bin/python"));
    let output = process::output(command.args(["-c", script]).arg(from).arg(to))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

//! A mail server: `postfix.sh`, which is Debian's Postfix as an instance of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{listening, process, workspace};

/// A running Postfix. Stopped on drop.
#[derive(Debug)]
pub struct Postfix {
    folder: PathBuf,
    port: u16,
    process: Child,
}

/// Installs Debian's package, where it is not there yet; it is not started.
///
/// # Errors
/// Where that cannot be done; the script has said what to run.
pub fn install() -> Result<()> {
    let status = process::status(Command::new(script()).arg("install"))?;
    ensure!(status.success(), "postfix.sh install failed; see above");
    Ok(())
}

fn script() -> PathBuf {
    workspace::root().join("tests/harness/postfix.sh")
}

impl Postfix {
    /// Starts a server that keeps its mailboxes, certificates and log in `folder`.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        let (process, port) =
            listening::start(Command::new(script()).arg("run").arg(folder), "postfix.sh", folder)?;
        Ok(Self { folder: folder.to_owned(), port, process })
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that signed the server's own.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What the server has logged.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.join("log"))?)
    }

    /// Waits until there are at least `count` mails in an address's mailbox, and returns all, as they are there.
    ///
    /// # Errors
    /// Where that does not happen within half a minute.
    pub fn wait_for(&self, address: &str, count: usize) -> Result<Vec<String>> {
        process::wait_for(&format!("{count} mails to {address}"), Duration::from_secs(30), || {
            let mails = self.mails(address)?;
            Ok((mails.len() >= count).then_some(mails))
        })
    }

    /// The mails in an address's mailbox.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn mails(&self, address: &str) -> Result<Vec<String>> {
        let (user, domain) = address.split_once('@').unwrap_or((address, ""));
        let new = self.folder.join("mail").join(domain).join(user).join("new");
        let Ok(entries) = fs::read_dir(&new) else { return Ok(Vec::new()) };
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
        files.sort();
        files.iter().map(|file| Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        listening::stop(&mut self.process, Duration::from_secs(20));
    }
}

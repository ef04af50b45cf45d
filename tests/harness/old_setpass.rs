//! The setpass that sites had before: `old_setpass.py`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::Result;

use crate::cloud::Cloud;
use crate::{listening, python_service};

/// A running old setpass. Stopped on drop.
#[derive(Debug)]
pub struct OldSetpass {
    folder: PathBuf,
    port: u16,
    process: Child,
}

/// A registration that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Keystone's id of the user.
    pub user: String,
    /// How it was answered; none where it was not.
    pub status: Option<u16>,
}

impl OldSetpass {
    /// Starts one that keeps its records in `folder` and asks the Keystone of a cloud.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path, cloud: &Cloud) -> Result<Self> {
        let arguments = ["--keystone".to_owned(), cloud.keystone_url()?];
        let (process, port) = python_service::start("old_setpass.py", folder, &arguments)?;
        Ok(Self { folder: folder.to_owned(), port, process })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a registration go wrong, as `old_setpass.py` explains: `page 1`, `503 2 always`.
    ///
    /// # Errors
    /// Where the order cannot be written.
    pub fn fault(&self, order: &str) -> Result<()> {
        // In one move: the server may look at any moment.
        let (draft, file) = (self.folder.join("fault.draft"), self.folder.join("fault"));
        fs::write(&draft, order)?;
        Ok(fs::rename(draft, file)?)
    }

    /// The registrations so far.
    ///
    /// # Errors
    /// Where the record cannot be read.
    pub fn puts(&self) -> Result<Vec<Put>> {
        let file = self.folder.join("puts");
        let text = if file.exists() { fs::read_to_string(file)? } else { String::new() };
        let put = |line: &str| {
            let (user, status) = line.split_once(' ')?;
            let status = status.parse().ok().filter(|status| *status != 0);
            Some(Put { user: user.to_owned(), status })
        };
        Ok(text.lines().filter_map(put).collect())
    }
}

impl Drop for OldSetpass {
    fn drop(&mut self) {
        listening::stop(&mut self.process, Duration::from_secs(15));
    }
}

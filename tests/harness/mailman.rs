//! A mailing list: `mailman_server.py`, which is the real core of Mailman 3.
//!
//! Mailman needs other versions of some packages than OpenStack does, and has a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::{listening, python_environment, python_service, web};

/// The list that every server has, by its id.
pub const LIST: &str = "users.lists.example.org";

const ENVIRONMENT: &str = "mailman-venv";

/// A running Mailman. Stopped on drop.
#[derive(Debug)]
pub struct Mailman {
    folder: PathBuf,
    port: u16,
    api: Api,
    process: Child,
}

/// How to reach the REST API.
#[derive(Clone, Debug, Deserialize)]
pub struct Api {
    /// Its root.
    pub url: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    authorization: String,
}

/// Installs Mailman, where it is not there yet. Several processes may call this at once.
///
/// # Errors
/// Where that cannot be done; what the tools say has gone to standard error.
pub fn install() -> Result<()> {
    python_environment::install(ENVIRONMENT, "mailman_requirements.txt", "Mailman (about 11 MB to download)")
}

impl Mailman {
    /// Starts a Mailman that keeps everything in `folder`, on a port that the system chooses.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_at(folder, 0)
    }

    /// Ends it and starts it again where it was, with `while_down` in between.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn restart(self, while_down: impl FnOnce()) -> Result<Self> {
        let (folder, port) = (self.folder.clone(), self.port);
        drop(self);
        while_down();
        Self::start_at(&folder, port)
    }

    fn start_at(folder: &Path, port: u16) -> Result<Self> {
        let arguments = ["--port".to_owned(), port.to_string()];
        let (process, port) = python_service::start_in(
            &python_environment::path(ENVIRONMENT),
            "mailman_server.py",
            folder,
            &arguments,
        )?;
        let api = serde_json::from_slice(&fs::read(folder.join("api.json"))?)?;
        Ok(Self { folder: folder.to_owned(), port, api, process })
    }

    /// How to reach the REST API.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Asks the API, and returns status and body.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn ask(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Result<(u16, Value)> {
        let url = format!("{}/{path}", self.api.url);
        let mut request = web::request(method, &url).header("Authorization", &self.api.authorization);
        if !form.is_empty() {
            request = request.form(form);
        }
        let answer = request.send()?;
        Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or_default()))
    }

    /// The addresses of the list's members, sorted.
    ///
    /// # Errors
    /// Where Mailman does not answer as it should.
    pub fn members(&self) -> Result<Vec<String>> {
        let (status, roster) = self.ask("GET", &format!("lists/{LIST}/roster/member"), &[])?;
        ensure!(status == 200, "no roster: {status} {roster}");
        // A roster of nobody has no entries at all.
        let entries = roster["entries"].as_array().cloned().unwrap_or_default();
        let mut members: Vec<String> =
            entries.iter().filter_map(|entry| entry["email"].as_str().map(str::to_owned)).collect();
        members.sort();
        Ok(members)
    }
}

impl Drop for Mailman {
    fn drop(&mut self) {
        listening::stop(&mut self.process, Duration::from_secs(15));
    }
}

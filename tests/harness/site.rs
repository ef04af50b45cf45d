//! A site that runs Usher: a folder with settings, sheets and a database, and the program itself.

mod settings;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::fault_proxy::FaultProxy;
use crate::google_sheets::GoogleSheets;
use crate::mail_server::MailServer;
use crate::serving::Serving;
use crate::sheet::{self, AccessRow, DONE, QUOTA_DONE, REQUESTS};
use crate::workspace;

/// A site.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    program: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

/// How a run of the program ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// Exit status; none where a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Site {
    /// A site of its own, gone when dropped, with these rows in its access sheet.
    ///
    /// # Errors
    /// Where its folder cannot be written, or `usher` is not there.
    pub fn with_rows(cloud: &Cloud, mail: &MailServer, rows: &[AccessRow]) -> Result<Self> {
        let site = Self::temporary()?;
        sheet::write_access(&site.access(), rows)?;
        site.copy_fixture("quota")?;
        site.set_up(cloud, mail)?;
        Ok(site)
    }

    /// A site of its own, gone when dropped, with the sheets of `tests/fixtures`.
    ///
    /// # Errors
    /// As above.
    pub fn with_fixtures(cloud: &Cloud, mail: &MailServer) -> Result<Self> {
        let site = Self::temporary()?;
        site.copy_fixture("access")?;
        site.copy_fixture("quota")?;
        site.set_up(cloud, mail)?;
        Ok(site)
    }

    /// A site in a folder that is made anew and stays, with the sheets of `tests/fixtures`.
    ///
    /// # Errors
    /// As above.
    pub fn lasting(folder: &Path, cloud: &Cloud, mail: &MailServer) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let site = Self { folder: folder.to_owned(), program: workspace::usher()?, temporary: None };
        site.copy_fixture("access")?;
        site.copy_fixture("quota")?;
        site.set_up(cloud, mail)?;
        Ok(site)
    }

    /// A site of its own, gone when dropped, that serves setpass and has neither sheets nor what they need.
    ///
    /// # Errors
    /// As above.
    pub fn for_setpass_alone(cloud: &Cloud, mail: &MailServer) -> Result<Self> {
        let site = Self::temporary()?;
        site.set_up(cloud, mail)?;
        site.cut_settings("[sheet]", "[mail]")?;
        site.cut_settings("[plugins.row_parser]", "[plugins.mail_templates]")?;
        Ok(site)
    }

    fn temporary() -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("usher-site-").tempdir()?;
        Ok(Self {
            folder: temporary.path().to_owned(),
            program: workspace::usher()?,
            temporary: Some(temporary),
        })
    }

    fn copy_fixture(&self, sheet: &str) -> Result<()> {
        let to = self.folder.join(sheet);
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(workspace::fixture(sheet))? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    }

    fn set_up(&self, cloud: &Cloud, mail: &MailServer) -> Result<()> {
        fs::write(self.settings(), settings::settings(cloud, mail)?)?;
        let keys = self.usher(&["keys", "new"])?;
        ensure!(keys.status == Some(0), "usher keys new: {}", keys.stderr);
        Ok(())
    }

    /// The folder that everything of this site is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs another build of the program from now on.
    pub fn use_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Keeps the folder although it was to be gone when dropped, and says where it is.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        if let Some(temporary) = self.temporary.take() {
            let _ = temporary.keep();
        }
        self.folder.clone()
    }

    /// The settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.folder.join("settings.toml")
    }

    /// The folder of the access sheet.
    #[must_use]
    pub fn access(&self) -> PathBuf {
        self.folder.join("access")
    }

    /// The rows that wait in the access sheet, header first.
    ///
    /// # Errors
    /// Where the worksheet cannot be read.
    pub fn requests(&self) -> Result<Vec<Vec<String>>> {
        sheet::read(&self.access().join(format!("{REQUESTS}.csv")))
    }

    /// The rows that were finished, header first.
    ///
    /// # Errors
    /// Where the worksheet cannot be read.
    pub fn done(&self) -> Result<Vec<Vec<String>>> {
        sheet::read(&self.access().join(format!("{DONE}.csv")))
    }

    /// The folder of the quota sheet.
    #[must_use]
    pub fn quota(&self) -> PathBuf {
        self.folder.join("quota")
    }

    /// The rows that wait in the quota sheet, header first.
    ///
    /// # Errors
    /// Where the worksheet cannot be read.
    pub fn quota_requests(&self) -> Result<Vec<Vec<String>>> {
        sheet::read(&self.quota().join(format!("{REQUESTS}.csv")))
    }

    /// The rows of the quota sheet that were finished, header first.
    ///
    /// # Errors
    /// Where the worksheet cannot be read.
    pub fn quota_done(&self) -> Result<Vec<Vec<String>>> {
        sheet::read(&self.quota().join(format!("{QUOTA_DONE}.csv")))
    }

    /// Replaces a text of the settings file, which must be in it exactly once.
    ///
    /// # Errors
    /// Where it is not.
    pub fn change_settings(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.settings())?;
        ensure!(text.matches(from).count() == 1, "the settings do not hold {from:?} exactly once:\n{text}");
        Ok(fs::write(self.settings(), text.replacen(from, to, 1))?)
    }

    /// Takes out of the settings file what is from one text up to another.
    fn cut_settings(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.settings())?;
        let (before, rest) = text.split_once(from).with_context(|| format!("no {from:?} in the settings"))?;
        let (_, after) = rest.split_once(to).with_context(|| format!("no {to:?} in the settings"))?;
        Ok(fs::write(self.settings(), format!("{before}{to}{after}"))?)
    }

    /// Registers users with the setpass of another machine from now on.
    ///
    /// # Errors
    /// Where the settings cannot be written.
    pub fn use_setpass_at(&self, url: &str) -> Result<()> {
        let here = "public_url = \"https://setpass.example.org\"\n";
        self.change_settings(here, &format!("remote = \"{url}\"\n"))
    }

    /// Reaches the cloud through a proxy from now on.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn use_proxy(&self, cloud: &Cloud, proxy: &FaultProxy) -> Result<()> {
        let file = self.folder.join("proxied-clouds.yaml");
        proxy.write_clouds_yaml(cloud, &file)?;
        self.change_settings(&cloud.clouds_yaml().display().to_string(), &file.display().to_string())
    }

    /// Has the access sheet at Google from now on, and no quota sheet.
    ///
    /// # Errors
    /// Where the settings cannot be written.
    pub fn use_google(&self, google: &GoogleSheets, spreadsheet: &str) -> Result<()> {
        self.change_settings(
            "backend = \"csv\"\naccess = \"access\"\nquota = \"quota\"\n",
            &format!(
                "backend = \"google\"\ncredentials = \"{}\"\naccess = \"{spreadsheet}\"\nbase_url = \"{}\"\ntimeout = \"5s\"\n",
                google.key_file().display(),
                google.url()
            ),
        )
    }

    /// The program with this site's settings, to be run from nowhere in particular.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--settings")
            .arg(self.settings())
            .args(arguments)
            .current_dir("/")
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .env_remove("USHER_SETTINGS")
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn usher(&self, arguments: &[&str]) -> Result<Run> {
        run(&mut self.command(arguments), None)
    }

    /// Runs the program to its end with something on its standard input.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn usher_with_input(&self, arguments: &[&str], input: &str) -> Result<Run> {
        run(&mut self.command(arguments), Some(input))
    }

    /// `usher import` with these arguments.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn import(&self, arguments: &[&str]) -> Result<Run> {
        self.usher(&[&["import"], arguments].concat())
    }

    /// Starts `usher serve` on a port that the system chooses, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn serve(&self) -> Result<Serving> {
        self.serve_with(self.command(&["serve"]))
    }

    /// The same with a command that was changed before.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn serve_with(&self, command: Command) -> Result<Serving> {
        Serving::start(command)
    }
}

impl Run {
    /// Everything that was written, for the message of a failed assertion.
    #[must_use]
    pub fn said(&self) -> String {
        format!("status {:?}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// Where it is not.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {}", self.said()))
    }
}

/// Runs a command to its end with something, or nothing, on its standard input.
///
/// # Errors
/// Where it cannot be started.
pub fn run(command: &mut Command, input: Option<&str>) -> Result<Run> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().context("cannot run usher")?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program that ends without reading closes the pipe; its status tells what was wrong.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    Ok(Run {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

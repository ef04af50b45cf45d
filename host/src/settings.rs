//! The settings file.
//!
//! One file per section below `settings/`. Unknown keys, wrong types and contradictions are errors
//! that name file, line and what is allowed; they never repeat a value, which may be a secret.

pub mod database;
pub mod duration;
pub mod import;
pub mod keystone;
pub mod mail;
pub mod mailing_list;
mod place;
pub mod plugins;
pub mod quotas;
pub mod reminder;
pub mod retention;
pub mod schedule;
pub mod secret;
pub mod setpass;
pub mod sheet;
pub mod site;

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the settings are looked for when none are named.
pub const DEFAULT_FILES: [&str; 2] = ["settings.toml", "/etc/usher/settings.toml"];

/// Everything that a site sets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the site is called and where it is.
    pub site: site::Site,
    /// Where Usher keeps its own records.
    pub database: database::Database,
    /// The cloud's identity service.
    pub keystone: keystone::Keystone,
    /// The sign-up sheets; none on a machine that only serves setpass.
    pub sheet: Option<sheet::Sheet>,
    /// The mail server.
    pub mail: mail::Mail,
    /// The mailing list that new users are subscribed to, where there is one.
    pub mailing_list: Option<mailing_list::MailingList>,
    /// The page where users choose passwords.
    pub setpass: setpass::Setpass,
    /// How the import goes about its work.
    #[serde(default)]
    pub import: import::Import,
    /// How temporary quotas end.
    #[serde(default)]
    pub quotas: quotas::Quotas,
    /// How approvers are reminded of requests that wait, where they are.
    pub reminder: Option<reminder::Reminder>,
    /// How long records of what is over are kept.
    #[serde(default)]
    pub retention: retention::Retention,
    /// What happens by itself.
    #[serde(default)]
    pub schedule: schedule::Schedule,
    /// The site's components.
    pub plugins: plugins::Plugins,
    /// The file that these settings came from.
    #[serde(skip)]
    pub file: PathBuf,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No file was named and none is at the usual places.
    #[error(
        "no settings file: looked for {}; copy settings.example.toml to one of these places, or name a file with --settings",
        DEFAULT_FILES.join(" and ")
    )]
    Missing,
    /// The file cannot be read.
    #[error("{file}: cannot read the settings: {reason}; check the path and that this user may read it", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{file}:{line}:{column}: {message}", file = file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The values are right each for itself, but not together.
    #[error("{file}:{line}:{column}: {key}: {message}", file = file.display())]
    Contradiction {
        /// The file.
        file: PathBuf,
        /// Line of the key, or of its section where the key is not written, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// The key at fault.
        key: String,
        /// What is wrong and what to do.
        message: String,
    },
}

impl Settings {
    /// Reads the named file, or the first of [`DEFAULT_FILES`] that exists.
    ///
    /// Relative paths in the file are taken from the folder that the file is in.
    ///
    /// # Errors
    /// Where there is no file, or it cannot be read, or what it says cannot be.
    pub fn load(named: Option<&Path>) -> Result<Self, SettingsError> {
        let file = match named {
            Some(file) => file.to_owned(),
            None => DEFAULT_FILES
                .iter()
                .map(PathBuf::from)
                // One that may not be seen is told to be unreadable.
                .find(|file| !matches!(file.try_exists(), Ok(false)))
                .ok_or(SettingsError::Missing)?,
        };
        let text = std::fs::read_to_string(&file)
            .map_err(|reason| SettingsError::Unreadable { file: file.clone(), reason })?;
        Self::parse(&text, &file)
    }

    /// Reads settings from text. `file` is what errors name and what relative paths start from.
    ///
    /// # Errors
    /// Where what the text says cannot be.
    pub fn parse(text: &str, file: &Path) -> Result<Self, SettingsError> {
        let mut settings: Self = toml::from_str(text).map_err(|error| invalid(text, file, &error))?;
        file.clone_into(&mut settings.file);
        let folder = file.parent().unwrap_or(Path::new(""));
        settings.resolve(folder);
        let is_written = |key: &str| place::is_written(text, key);
        settings.check().and_then(|()| settings.setpass.check_written(is_written)).map_err(
            |(key, message)| {
                let (line, column) = place::line_and_column(text, place::of_key(text, &key));
                SettingsError::Contradiction { file: file.to_owned(), line, column, key, message }
            },
        )?;
        Ok(settings)
    }

    fn resolve(&mut self, folder: &Path) {
        self.database.resolve(folder);
        self.keystone.resolve(folder);
        if let Some(sheet) = &mut self.sheet {
            sheet.resolve(folder);
        }
        self.mail.resolve(folder);
        if let Some(list) = &mut self.mailing_list {
            list.resolve(folder);
        }
        self.setpass.resolve(folder);
        self.plugins.resolve(folder);
    }

    fn check(&self) -> Result<(), (String, String)> {
        self.keystone.check()?;
        if let Some(sheet) = &self.sheet {
            sheet.check()?;
            self.plugins.check_for_sheets()?;
        }
        self.mail.check()?;
        if let Some(list) = &self.mailing_list {
            list.check()?;
        }
        self.setpass.check()?;
        if self.setpass.remote.is_none() && self.keystone.timeout > keystone::LONGEST_TIMEOUT {
            let message = "setpass gives a request up after two minutes, before a call could take that long; expected \
                           \"100s\" at most";
            return Err(("keystone.timeout".to_owned(), message.to_owned()));
        }
        if let Some(reminder) = &self.reminder {
            reminder.check()?;
        }
        self.schedule.check(self.sheet.is_some())?;
        self.plugins.check()
    }
}

/// Turns a path of the settings file into one that does not depend on the working directory.
pub(crate) fn resolve(folder: &Path, path: &mut PathBuf) {
    if path.is_relative() {
        *path = folder.join(&*path);
    }
}

/// Places a TOML error. Its own text quotes the line, which may hold a password typed in the wrong
/// place, so only the message is taken, and of that no quoted value.
fn invalid(text: &str, file: &Path, error: &toml::de::Error) -> SettingsError {
    let (line, column) = place::line_and_column(text, place::of_error(text, error));
    SettingsError::Invalid { file: file.to_owned(), line, column, message: without_values(error.message()) }
}

/// `invalid type: string "hunter2", expected u16` becomes `invalid type: string, expected u16`.
fn without_values(message: &str) -> String {
    let Some((head, tail)) = message.split_once('"') else {
        return message.to_owned();
    };
    match (message.starts_with("invalid "), tail.rfind('"')) {
        (true, Some(end)) => format!("{}{}", head.trim_end(), &tail[end + 1..]),
        _ => message.to_owned(),
    }
}

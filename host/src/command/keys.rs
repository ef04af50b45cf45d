//! `usher keys new`: makes the key file that the settings name.

use std::process::ExitCode;

use super::Exit;
use crate::command::say::say;
use crate::keys::Keys;
use crate::settings::Settings;

/// Runs the command. Needs nothing but the settings: without a key file there are no services yet.
///
/// # Errors
/// Where there is a key file already, or it cannot be written.
pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let file = &settings.database.key_file;
    Keys::create(file)?;
    say!("{}: key file made", file.display());
    say!(
        "Keep a copy apart from the database and its backups: without it, stored passwords, PINs and mails cannot be read."
    );
    Ok(Exit::Done.into())
}

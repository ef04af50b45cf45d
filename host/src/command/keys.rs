//! `usher keys`: looks after the key file and what its keys protect.

use std::process::ExitCode;

use super::Exit;
use crate::batch::report::counted;
use crate::cli::KeysCommand;
use crate::clock::Clock;
use crate::command::say::say;
use crate::command::table::{moment, table};
use crate::database::Database;
use crate::keys::{KeyId, Keys};
use crate::rekeying::{self, KeyUse, Rotation};
use crate::settings::Settings;

/// Runs the command. Needs nothing but the settings: without a key file there are no services yet.
///
/// # Errors
/// Where the key file or the database cannot be used, or not in this way.
pub async fn run(settings: &Settings, clock: &Clock, command: &KeysCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::New => new(settings, clock).await,
        KeysCommand::Rotate => {
            let database = Database::open(&settings.database.file).await?;
            let rotated = rekeying::rotate(&settings.database.key_file, &database, clock).await;
            database.close().await;
            Ok(say_rotation(&rotated?))
        }
        KeysCommand::List => list(settings).await,
        KeysCommand::Retire { id } => {
            let database = Database::open(&settings.database.file).await?;
            let retired = rekeying::retire(&settings.database.key_file, *id, &database, clock).await;
            database.close().await;
            retired?;
            say!("{id}: taken out of {}", settings.database.key_file.display());
            say!(
                "Backups of the database from before the last rotation need it: keep it with them, or let both go."
            );
            Ok(Exit::Done.into())
        }
    }
}

async fn new(settings: &Settings, clock: &Clock) -> anyhow::Result<ExitCode> {
    let file = &settings.database.key_file;
    let id = Keys::create(file, clock.now())?;
    say!("{}: key file made, with key {id}", file.display());
    say!(
        "Keep a copy apart from the database and its backups: without it, stored passwords, PINs and mails cannot be read."
    );
    // Beside an older database the file that belongs to it is missing. Better to hear it now than from users.
    if let Ok(database) = Database::open_for_reading(&settings.database.file).await {
        let uses = rekeying::uses(&Keys::load(file)?, &database).await;
        database.close().await;
        for missing in uses.iter().flatten().filter_map(missing_key) {
            say!("Warning: {missing}");
        }
    }
    Ok(Exit::Done.into())
}

fn say_rotation(rotation: &Rotation) -> ExitCode {
    let Rotation { key, is_new, sealed_again, unopened, pins_of_older_keys } = rotation;
    let secrets = counted(*sealed_again, "secret", "secrets");
    if *is_new {
        say!("{key}: new key, in use from now on; {secrets} moved to it");
        say!("Copy the key file to wherever its copies are kept, and to every host that uses the database.");
    } else {
        say!("{key}: an earlier change to this key is finished; {secrets} moved to it");
        say!("No new key was made. Run the command again for one.");
    }
    if *pins_of_older_keys > 0 {
        let pins = counted(usize::try_from(*pins_of_older_keys).unwrap_or(usize::MAX), "PIN", "PINs");
        say!("{pins} of links and cases that are still open stay with an older key until they have ended.");
    }
    say!("`usher keys list` shows what older keys still protect, `usher keys retire ID` takes one out.");
    let Some(error) = unopened.first() else { return Exit::Done.into() };
    let secrets = counted(unopened.len(), "secret", "secrets");
    eprintln!("{secrets} could not be opened, and stay as they are. The first: {error}");
    Exit::Failed.into()
}

async fn list(settings: &Settings) -> anyhow::Result<ExitCode> {
    let keys = Keys::load(&settings.database.key_file)?;
    let database = Database::open_for_reading(&settings.database.file).await?;
    let uses = rekeying::uses(&keys, &database).await;
    database.close().await;
    let uses = uses?;
    let mut shown = table(["Key", "Made", "State", "Secrets", "PINs"]);
    for used in &uses {
        let made = used.key.and_then(|key| key.made);
        shown.add_row([
            used.id.to_string(),
            made.map_or_else(|| "not known".to_owned(), |made| moment(made, &settings.site.time_zone)),
            state(used).to_owned(),
            used.protected.secrets.to_string(),
            used.protected.pins.to_string(),
        ]);
    }
    say!("{shown}");
    let missing: Vec<String> = uses.iter().filter_map(missing_key).collect();
    missing.iter().for_each(|words| say!("{words}"));
    Ok(if missing.is_empty() { Exit::Done } else { Exit::Failed }.into())
}

fn state(used: &KeyUse) -> &'static str {
    match used {
        KeyUse { key: None, .. } => "missing",
        KeyUse { is_in_use: true, .. } => "in use",
        KeyUse { protected, .. } if protected.is_nothing() => "may be retired",
        _ => "needed",
    }
}

/// What is to be done about a key that something is protected with and that is not in the key file.
pub(super) fn missing_key(used: &KeyUse) -> Option<String> {
    let KeyUse { id, key: None, protected, .. } = used else { return None };
    Some(words_of_missing(*id, protected.secrets, protected.pins))
}

fn words_of_missing(id: KeyId, secrets: u64, pins: u64) -> String {
    let number = |count: u64, one, many| counted(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    format!(
        "key {id} protects {} and {} in the database, and is not in the key file. Put the line that begins with {id} \
         back from a copy of the key file, below the first key. Where there is no copy, what it protects is lost: \
         `usher mail drop` wipes such mails, and `usher password reset` gives users another link",
        number(secrets, "secret", "secrets"),
        number(pins, "PIN", "PINs")
    )
}

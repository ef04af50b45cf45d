//! The database, the keys that belong to it, and the folders.

use std::path::Path;

use super::findings::Findings;
use crate::batch::in_words;
use crate::clock::Clock;
use crate::command::Exit;
use crate::command::keys::missing_key;
use crate::database::Database;
use crate::keys::Keys;
use crate::rekeying;
use crate::setpass::limit_in_total;
use crate::settings::{self, Settings};

pub(super) fn check_keys(settings: &Settings, findings: &mut Findings) -> Option<Keys> {
    match Keys::load(&settings.database.key_file) {
        Ok(keys) => {
            findings.good("keys", settings.database.key_file.display());
            Some(keys)
        }
        Err(error) => {
            findings.bad("keys", error, Exit::Usage);
            None
        }
    }
}

pub(super) async fn check_database(
    settings: &Settings,
    keys: Option<&Keys>,
    clock: &Clock,
    findings: &mut Findings,
) {
    match Database::open(&settings.database.file).await {
        Ok(database) => {
            findings.good("database", settings.database.file.display());
            if let Some(keys) = keys {
                check_protection(keys, &database, findings).await;
            }
            if settings.setpass.remote.is_none() {
                check_requests(settings, &database, clock, findings).await;
            }
            database.close().await;
        }
        Err(error) => findings.bad("database", error, Exit::Usage),
    }
}

/// Whether the key file is the one that belongs to the database.
async fn check_protection(keys: &Keys, database: &Database, findings: &mut Findings) {
    let uses = match rekeying::uses(keys, database).await {
        Ok(uses) => uses,
        Err(error) => return findings.bad("database", error, Exit::Usage),
    };
    for used in &uses {
        if let Some(missing) = missing_key(used) {
            findings.bad("keys", missing, Exit::Usage);
        } else if !used.is_in_use && used.protected.secrets > 0 {
            let secrets = used.protected.secrets;
            let remedy = "`usher keys rotate` moves them to the key in use";
            findings.warn(
                "keys",
                format!("the older key {} still protects {secrets} secrets; {remedy}", used.id),
            );
        }
    }
}

/// Whether those who forgot their passwords are heard.
async fn check_requests(settings: &Settings, database: &Database, clock: &Clock, findings: &mut Findings) {
    let limit = limit_in_total(&settings.setpass.reset);
    match database.limit_full_until(&limit, clock.now()).await {
        Ok(None) => {}
        Ok(Some(until)) => {
            let until = in_words(until, &settings.site.time_zone);
            findings.warn(
                "reset",
                format!(
                    "{} links were asked for within 24 hours, and no more requests are taken until {until} \
                     (setpass.reset.max_in_total); does somebody ask for many on purpose?",
                    limit.most
                ),
            );
        }
        Err(error) => findings.bad("database", error, Exit::Usage),
    }
}

/// What an import writes besides the database, which would come to light only when it is needed.
pub(super) fn check_folders(settings: &Settings, findings: &mut Findings) {
    let mut folders = vec![("mail.undeliverable", settings.mail.undeliverable.as_path())];
    if let Some(settings::sheet::Sheet::Csv(csv)) = &settings.sheet {
        folders.push(("sheet.access", &csv.access));
        folders.extend(csv.quota.iter().map(|quota| ("sheet.quota", quota.as_path())));
    }
    for (key, folder) in folders {
        if let Err(error) = try_to_write(folder) {
            let remedy =
                "this user has to be able to write there: correct the setting, or the folder's owner";
            findings.bad("folders", format!("{key}: {}: {error}; {remedy}", folder.display()), Exit::Usage);
        }
    }
}

/// Writes a file that has no name, and is gone at once; in the nearest folder there is, where this one is still to be made.
fn try_to_write(folder: &Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    tempfile::tempfile_in(there).map(drop)
}

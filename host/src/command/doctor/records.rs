//! The database, the keys that belong to it, and the folders.

use std::io::ErrorKind;
use std::path::Path;

use super::disk::{Disk, disk_of};
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

/// One that is not there is not made here: whoever checks may be another user than the one whose it has to be.
pub(super) async fn check_database(
    settings: &Settings,
    keys: Option<&Keys>,
    clock: &Clock,
    findings: &mut Findings,
) {
    let file = &settings.database.file;
    if !check_disk(file, disk_of(file), findings) {
        return;
    }
    let shown = file.display();
    let is_there = match file.try_exists() {
        Ok(is_there) => is_there,
        // What keeps it from being made is told below.
        Err(error) if error.kind() == ErrorKind::NotADirectory => false,
        Err(error) => {
            let remedy = "run this as the user that `usher serve` runs as";
            findings.bad(
                "database",
                format!("{shown}: this user may not see whether it is there: {error}; {remedy}"),
                Exit::Usage,
            );
            return;
        }
    };
    if !is_there {
        match file.parent().map_or(Ok(()), try_to_write) {
            Ok(()) => findings.good(
                "database",
                format!("{shown}: there is none yet; the first command that needs one makes it"),
            ),
            Err(error) => findings.bad(
                "database",
                format!("{shown}: there is none, and this user cannot make it: {error}; correct database.file, or the folder's owner"),
                Exit::Usage,
            ),
        }
        return;
    }
    match Database::open(file).await {
        Ok(database) => {
            findings.good("database", shown);
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

/// Whether the file may be opened where it is: doing that changes it, where its version is older.
fn check_disk(file: &Path, disk: Option<Disk>, findings: &mut Findings) -> bool {
    const REMEDY: &str =
        "the database has to be on a local disk of the machine whose processes use it; correct database.file";
    match disk {
        Some(Disk::Network(kind)) => {
            findings.bad(
                "database",
                format!("{}: is on {kind}, a file system of the network; {REMEDY}", file.display()),
                Exit::Usage,
            );
            return false;
        }
        Some(Disk::Unclear(kind)) => findings.warn(
            "database",
            format!(
                "{}: is on {kind}, behind which there may be another machine's disk; {REMEDY} where it is",
                file.display()
            ),
        ),
        Some(Disk::Local) | None => {}
    }
    true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_on_another_machines_disk_is_not_opened() {
        let file = Path::new("/shared/usher.sqlite");
        for (disk, may_be_opened) in [
            (Some(Disk::Network("NFS")), false),
            (Some(Disk::Unclear("FUSE")), true),
            (Some(Disk::Local), true),
            (None, true),
        ] {
            assert_eq!(check_disk(file, disk, &mut Findings::default()), may_be_opened, "{disk:?}");
        }
    }
}

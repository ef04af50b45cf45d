//! From one key to the next: everything that is sealed is sealed again, while others go on working.
//!
//! The new key is in the key file before anything uses it, and the old ones stay there. So each secret can be
//! opened at every moment, wherever this dies, and the next try goes on with the secrets that are left. A PIN's
//! hash cannot be made again without the PIN: its key stays until the link or the case has ended.
//!
//! A key is retired in the database first, which takes nothing any more that it protects, and then taken out
//! of the file. A process that had sealed something with it meanwhile is refused and tries again with the
//! key in use.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::database::{Database, DatabaseError, Protected, SecretPlace, replace_secret_in, retire_key_in};
use crate::keys::{KeyEntry, KeyId, Keys, KeysError};
use crate::leases::Leases;
use crate::process::Process;
use crate::stop::Stop;
use crate::{fail_point, import, outbox, setpass};

/// How many secrets are sealed again in one transaction: others wait for so long at most.
const BATCH: usize = 16;

/// Who may change keys; one process at a time.
const LEASE: &str = "keys";

/// Why keys were not changed, or not all secrets moved.
#[derive(Debug, thiserror::Error)]
pub enum RekeyingError {
    /// The key file.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The records.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another process is at it.
    #[error("the keys are being changed by {0} at this moment; wait until it is finished")]
    Busy(String),
    /// The key is needed.
    #[error(
        "key {id} still protects {secrets} secrets and {pins} PINs. `usher keys rotate` moves the secrets to the key \
         in use; PINs end with their links and cases, which `usher serve` erases after 30 days at the latest",
        secrets = protected.secrets,
        pins = protected.pins
    )]
    Needed {
        /// The key.
        id: KeyId,
        /// What it protects.
        protected: Protected,
    },
}

/// What changing to a new key came to.
#[derive(Debug)]
pub struct Rotation {
    /// The key in use.
    pub key: KeyId,
    /// Whether it was made now; else this finished an earlier change.
    pub is_new: bool,
    /// How many secrets were sealed again.
    pub sealed_again: usize,
    /// Why some secrets could not be opened, and so stay as they are.
    pub unopened: Vec<KeysError>,
    /// How many PINs older keys still protect.
    pub pins_of_older_keys: u64,
}

/// A key and what it protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id, as the database has it.
    pub id: KeyId,
    /// The key; none where the key file does not hold it.
    pub key: Option<KeyEntry>,
    /// Whether it protects what is stored from now on.
    pub is_in_use: bool,
    /// What it protects.
    pub protected: Protected,
}

/// Makes a new key, unless an earlier change is still to be finished, and moves all secrets to the key in use.
///
/// # Errors
/// Where the key file cannot be used or written, another process changes the keys, or the database fails.
pub async fn rotate(key_file: &Path, database: &Database, clock: &Clock) -> Result<Rotation, RekeyingError> {
    let keys = Keys::load(key_file)?;
    let leases = Leases::new(database.clone(), clock.clone());
    let holder = take_lease(&leases).await?;
    let rotated = rotate_alone(key_file, &keys, database, clock, (&leases, &holder)).await;
    leases.release(LEASE, &holder).await?;
    rotated
}

async fn rotate_alone(
    key_file: &Path,
    keys: &Keys,
    database: &Database,
    clock: &Clock,
    lease: (&Leases, &str),
) -> Result<Rotation, RekeyingError> {
    let mut moved = move_secrets(keys, database, lease).await?;
    let is_new = moved.sealed_again == 0;
    if is_new {
        Keys::add(key_file, clock.now())?;
        moved = move_secrets(keys, database, lease).await?;
    }
    if let Err(error) = database.overwrite_log().await {
        tracing::warn!(%error, "secrets as they were go from there when `usher run retention` comes to it");
    }
    let uses = uses(keys, database).await?;
    let key = current(keys);
    let pins = uses.iter().filter(|used| used.id != key).map(|used| used.protected.pins).sum();
    tracing::info!(key = %key, is_new, secrets = moved.sealed_again, "secrets are protected with the key in use");
    Ok(Rotation {
        key,
        is_new,
        sealed_again: moved.sealed_again,
        unopened: moved.unopened,
        pins_of_older_keys: pins,
    })
}

#[derive(Default)]
struct Moved {
    sealed_again: usize,
    unopened: Vec<KeysError>,
}

/// Moves secrets until none is left that can be: while this is at it, others may store some more with the key of before.
async fn move_secrets(
    keys: &Keys,
    database: &Database,
    (leases, holder): (&Leases, &str),
) -> Result<Moved, RekeyingError> {
    let mut moved = Moved::default();
    let mut given_up = BTreeSet::new();
    loop {
        let mut places = database.secrets_of_other_keys(&current(keys).to_string()).await?;
        places.retain(|place| !given_up.contains(place));
        if places.is_empty() {
            return Ok(moved);
        }
        for batch in places.chunks(BATCH) {
            if !leases.renew(LEASE, holder).await? {
                return Err(RekeyingError::Busy("another process, which has taken over".to_owned()));
            }
            let mut sealed_again = Vec::new();
            for place in batch {
                let Some(old) = database.sealed_secret(place).await? else { continue };
                let purpose = purpose(database, place).await?;
                match keys.open(&purpose, &old) {
                    Ok(plain) => sealed_again.push((place, keys.seal(&purpose, &plain), old)),
                    Err(error) => {
                        moved.unopened.push(error);
                        given_up.insert(place.clone());
                    }
                }
            }
            fail_point::reached(|| "secrets sealed again".to_owned());
            let mut transaction = database.begin().await?;
            let mut replaced = 0;
            for (place, new, old) in &sealed_again {
                replaced += usize::from(replace_secret_in(&mut transaction, place, old, new).await?);
            }
            fail_point::reached(|| "secrets replaced".to_owned());
            transaction.commit().await.map_err(DatabaseError::from)?;
            moved.sealed_again += replaced;
            fail_point::reached(|| "secrets recorded".to_owned());
        }
    }
}

/// What the secret of a place is sealed for.
async fn purpose(database: &Database, place: &SecretPlace) -> Result<String, DatabaseError> {
    Ok(match place {
        SecretPlace::Step { request, .. } => {
            import::journey::password_purpose(&database.marker_of_request(*request).await?)
        }
        SecretPlace::Mail { .. } => outbox::PURPOSE.to_owned(),
        SecretPlace::Link { user_id, .. } => setpass::password_purpose(user_id),
        SecretPlace::ResetRequest { .. } => setpass::REQUEST_PURPOSE.to_owned(),
    })
}

/// Takes a key out that protects nothing any more.
///
/// # Errors
/// Where the key protects something, is the one in use or not there, or the key file or the database fails.
pub async fn retire(
    key_file: &Path,
    id: KeyId,
    database: &Database,
    clock: &Clock,
) -> Result<(), RekeyingError> {
    let keys = Keys::load(key_file)?.list();
    if keys.first().is_some_and(|key| key.id == id) {
        return Err(KeysError::InUse { id }.into());
    }
    if keys.iter().all(|key| key.id != id) {
        return Err(KeysError::NoSuchKey { file: key_file.to_owned(), id }.into());
    }
    let leases = Leases::new(database.clone(), clock.clone());
    let holder = take_lease(&leases).await?;
    let retired = retire_alone(key_file, id, database, clock.now()).await;
    leases.release(LEASE, &holder).await?;
    retired
}

async fn retire_alone(
    key_file: &Path,
    id: KeyId,
    database: &Database,
    now: Timestamp,
) -> Result<(), RekeyingError> {
    let mut transaction = database.begin().await?;
    let protected = retire_key_in(&mut transaction, &id.to_string(), now).await?;
    if !protected.is_nothing() {
        return Err(RekeyingError::Needed { id, protected });
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    fail_point::reached(|| "key retired".to_owned());
    Keys::remove(key_file, id)?;
    tracing::info!(key = %id, "key retired");
    Ok(())
}

/// The keys of the file in its order, and those besides that something is protected with.
///
/// # Errors
/// Where the database fails.
pub async fn uses(keys: &Keys, database: &Database) -> Result<Vec<KeyUse>, DatabaseError> {
    let mut protected = database.protected_by_keys().await?;
    let mut uses: Vec<KeyUse> = Vec::new();
    for key in keys.list() {
        let protected = protected.remove(&key.id.to_string()).unwrap_or_default();
        uses.push(KeyUse { id: key.id, key: Some(key), is_in_use: uses.is_empty(), protected });
    }
    for (id, protected) in protected {
        let Ok(id) = id.parse() else {
            return Err(DatabaseError::Damaged(format!("a secret that names no key, but {id:?}")));
        };
        uses.push(KeyUse { id, key: None, is_in_use: false, protected });
    }
    Ok(uses)
}

fn current(keys: &Keys) -> KeyId {
    keys.list().first().expect("there are no keys without one in use").id
}

async fn take_lease(leases: &Leases) -> Result<String, RekeyingError> {
    let holder = Process::this().to_string();
    // Nothing asks these commands to stop: a signal ends them.
    let taken = leases.take(LEASE, &holder, &Stop::default()).await?;
    taken.map_err(|other| RekeyingError::Busy(other.in_words()))?;
    Ok(holder)
}

#[cfg(test)]
mod tests;

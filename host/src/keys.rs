//! The keys that protect stored secrets: what the database holds is useless without the key file.
//!
//! A key file is text: a first line that names the format, then one key a line: an id, 32 random
//! bytes in hexadecimal, and when it was made. The first key protects what is stored from now on; the
//! others still open what they protected. What is protected says the id of its key. From each key come
//! sub-keys for one use each (HKDF-SHA256, RFC 5869), so that what is learnt about one use tells nothing
//! about another.
//!
//! The file is looked at before each use and read again where it has changed: whoever runs for long
//! takes a new key up without being told.
//!
//! Knows nothing of where protected secrets are kept.

mod file;
mod fingerprint;
mod pin;
mod ring;
mod seal;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use secrecy::SecretString;
use zeroize::Zeroizing;

use file::Stamp;
use pin::PinCost;
use ring::KeyRing;

pub use fingerprint::Fingerprint;
pub use ring::{InvalidKeyId, KeyId};

/// The keys of one key file. Clones share them.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    read: RwLock<Read>,
    pin_cost: PinCost,
}

/// What was read last.
struct Read {
    ring: Arc<KeyRing>,
    /// The file as it was found then, whether or not it could be used.
    stamp: Option<Stamp>,
}

/// A key of the file, without itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its id.
    pub id: KeyId,
    /// When it was made; none where the file is of the format that did not say.
    pub made: Option<Timestamp>,
}

/// Why keys cannot be used. All are final: somebody has to do something.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is a key file already. Replacing it would make every stored secret unreadable.
    #[error(
        "{file}: there is a key in the key file already; `usher keys rotate` adds a new one. Move the file away first \
         only if nothing is needed any more that it protects",
        file = file.display()
    )]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// There is no key file.
    #[error("{file}: there is no key file; make one with `usher keys new`", file = file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{file}: cannot use the key file: {source}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Others than its owner may read or write the file.
    #[error("{file}: others may read or write the key file (mode {mode:03o}); run chmod 600 on it", file = file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a key file, or a damaged one.
    #[error(
        "{file}:{line}: {problem}; restore the key file from its backup, or make another with `usher keys new`",
        file = file.display()
    )]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong. Never quotes the line.
        problem: &'static str,
    },
    /// The secret was sealed with a key that the file does not hold.
    #[error(
        "a stored secret is protected with key {id}, which the key file does not hold; put the line that begins with \
         {id} back from a copy of the key file. `usher doctor` tells what depends on it"
    )]
    UnknownKey {
        /// Id of the missing key.
        id: KeyId,
    },
    /// The key is the one in use.
    #[error("key {id} is the one in use; `usher keys rotate` puts a new one in its place")]
    InUse {
        /// The key.
        id: KeyId,
    },
    /// The file does not hold the key.
    #[error("{file}: there is no key {id} in the key file; `usher keys list` shows those that are", file = file.display())]
    NoSuchKey {
        /// The file.
        file: PathBuf,
        /// The key.
        id: KeyId,
    },
    /// The sealed bytes were changed, or were sealed for another purpose.
    #[error("a stored secret is damaged, or belongs somewhere else; issue it again")]
    Damaged,
}

impl Keys {
    /// Makes a key file with one new key, readable by its owner only, and returns once it is on disk.
    /// A file without any key in it gets its first.
    ///
    /// # Errors
    /// Where the file has a key already, or cannot be written.
    pub fn create(file: &Path, now: Timestamp) -> Result<KeyId, KeysError> {
        file::create(file, now)
    }

    /// Adds a new key to a key file, which is used from then on, and returns once it is on disk.
    ///
    /// # Errors
    /// Where the file cannot be used or written.
    pub fn add(file: &Path, now: Timestamp) -> Result<KeyId, KeysError> {
        file::add(file, now)
    }

    /// Takes a key out of a key file, and returns once that is on disk. What it protected is lost.
    ///
    /// # Errors
    /// Where the file cannot be used or written, or would be without a key.
    pub fn remove(file: &Path, id: KeyId) -> Result<(), KeysError> {
        file::remove(file, id)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Where there is none, others than its owner may read it, or it is damaged.
    pub fn load(file: &Path) -> Result<Self, KeysError> {
        Self::load_with(file, PinCost::FULL)
    }

    /// Reads a key file for a test that hashes thousands of PINs.
    #[cfg(test)]
    pub(crate) fn load_with_cheap_pins(file: &Path) -> Result<Self, KeysError> {
        Self::load_with(file, PinCost::LOW)
    }

    fn load_with(file: &Path, pin_cost: PinCost) -> Result<Self, KeysError> {
        let (ring, stamp) = file::load(file)?;
        let read = RwLock::new(Read { ring: Arc::new(ring), stamp: Some(stamp) });
        Ok(Self { inner: Arc::new(Inner { file: file.to_owned(), read, pin_cost }) })
    }

    /// The keys, the one in use first.
    #[must_use]
    pub fn list(&self) -> Vec<KeyEntry> {
        self.fresh().keys().iter().map(|key| KeyEntry { id: key.id, made: key.made }).collect()
    }

    /// Encrypts a secret so that only a holder of the key file can read it, and only for the same
    /// `purpose` (a name of the use, such as `outbox`, with what the secret belongs to).
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        seal::seal(self.fresh().current(), purpose, plain)
    }

    /// Decrypts what [`Keys::seal`] made for the same purpose.
    ///
    /// # Errors
    /// Where the key is missing, or the bytes are not what `seal` made for this purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        seal::open(&self.fresh(), purpose, sealed)
    }

    /// The slow, keyed hash of a PIN, as text that also says how it was made.
    ///
    /// Takes tens of milliseconds and 19 MiB: callers bound how many run at once.
    #[must_use]
    pub fn hash_pin(&self, pin: &SecretString) -> String {
        pin::hash(self.fresh().current(), self.inner.pin_cost, pin)
    }

    /// Whether the PIN is the one that was hashed. Costs what [`Keys::hash_pin`] costs, and the time
    /// tells nothing about how much of the PIN is right.
    ///
    /// # Errors
    /// Where the key is missing, at once.
    pub fn verify_pin(&self, pin: &SecretString, hash: &str) -> Result<bool, KeysError> {
        pin::verify(&self.fresh(), pin, hash)
    }

    /// A name for something that must not be written down, such as a client's address: the same for the same
    /// `purpose` and text, and of no use to anybody without the key file. Another key gives another name, so what
    /// is counted by it begins anew when the key changes.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, text: &str) -> Fingerprint {
        fingerprint::fingerprint(self.fresh().current(), purpose, text)
    }

    /// Whether the file can be used as it is now, whatever was read before.
    ///
    /// # Errors
    /// As for [`Keys::load`].
    pub fn check(&self) -> Result<(), KeysError> {
        file::load(&self.inner.file).map(drop)
    }

    /// Reads the file again where it has changed. Every use does that by itself; who does not use the
    /// keys for long forgets by this what was taken out of the file.
    pub fn refresh(&self) {
        let _ = self.fresh();
    }

    /// The keys as the file has them now. Where it has changed and cannot be used, those of before.
    fn fresh(&self) -> Arc<KeyRing> {
        let Inner { file, read, .. } = &*self.inner;
        let stamp = Stamp::of(file);
        {
            let read = read.read().unwrap_or_else(PoisonError::into_inner);
            if read.stamp == stamp {
                return Arc::clone(&read.ring);
            }
        }
        let mut read = read.write().unwrap_or_else(PoisonError::into_inner);
        if read.stamp != stamp {
            match file::load(file) {
                Ok((ring, stamp)) => {
                    tracing::info!(keys = ring.keys().len(), in_use = %ring.current().id, "the key file has changed and was read again");
                    *read = Read { ring: Arc::new(ring), stamp: Some(stamp) };
                }
                Err(error) => {
                    tracing::error!(%error, "the key file has changed and cannot be used; the keys of before are used on");
                    // Told once for each change.
                    read.stamp = stamp;
                }
            }
        }
        Arc::clone(&read.ring)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.list().iter().map(|key| key.id.to_string()).collect();
        formatter.debug_struct("Keys").field("ids", &ids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

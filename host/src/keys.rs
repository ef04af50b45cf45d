//! The keys that protect stored secrets: what the database holds is useless without the key file.
//!
//! A key file is text: a first line that names the format, then one key a line, an id and 32 random
//! bytes in hexadecimal. The first key protects what is stored from now on; the others still open
//! what they protected. From each key come sub-keys for one use each (HKDF-SHA256, RFC 5869), so
//! that what is learnt about one use tells nothing about another.
//!
//! Knows nothing of where protected secrets are kept.

mod file;
mod pin;
mod seal;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hkdf::Hkdf;
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of a key and of a sub-key, in bytes.
const KEY_LENGTH: usize = 32;

/// Length of a key's id, in bytes. It only tells the few keys of one file apart.
const ID_LENGTH: usize = 4;

/// The keys of one key file. Clones share them.
#[derive(Clone)]
pub struct Keys {
    /// Never empty; the first is the one in use.
    keys: Arc<[Key]>,
}

/// One key and the sub-keys that come from it.
struct Key {
    id: [u8; ID_LENGTH],
    sealing: Zeroizing<[u8; KEY_LENGTH]>,
    pepper: Zeroizing<[u8; KEY_LENGTH]>,
}

/// Why keys cannot be used. All are final: somebody has to do something.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is a key file already. Replacing it would make every stored secret unreadable.
    #[error("{file}: there is a key file already; move it away first if its secrets are not needed any more", file = file.display())]
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
        "a stored secret was sealed with key {id}, which the key file does not hold; restore that key file"
    )]
    UnknownKey {
        /// Id of the missing key, in hexadecimal.
        id: String,
    },
    /// The sealed bytes were changed, or were sealed for another purpose.
    #[error("a stored secret is damaged, or belongs somewhere else; issue it again")]
    Damaged,
}

impl Keys {
    /// Makes a key file with one new key, readable by its owner only, and returns once it is on disk.
    ///
    /// # Errors
    /// Where there is a file already, or it cannot be written.
    pub fn create(file: &Path) -> Result<(), KeysError> {
        file::create(file)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Where there is none, others than its owner may read it, or it is damaged.
    pub fn load(file: &Path) -> Result<Self, KeysError> {
        file::load(file)
    }

    /// Encrypts a secret so that only a holder of the key file can read it, and only for the same
    /// `purpose` (a name of the use, such as `outbox`, with what the secret belongs to).
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        seal::seal(self.current(), purpose, plain)
    }

    /// Decrypts what [`Keys::seal`] made for the same purpose.
    ///
    /// # Errors
    /// Where the key is missing, or the bytes are not what `seal` made for this purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        seal::open(self, purpose, sealed)
    }

    /// The slow, keyed hash of a PIN, as text that also says how it was made.
    ///
    /// Takes tens of milliseconds and 19 MiB: callers bound how many run at once.
    #[must_use]
    pub fn hash_pin(&self, pin: &SecretString) -> String {
        pin::hash(self.current(), pin)
    }

    /// Whether the PIN is the one that was hashed. Costs what [`Keys::hash_pin`] costs, and the time
    /// tells nothing about how much of the PIN is right.
    #[must_use]
    pub fn verify_pin(&self, pin: &SecretString, hash: &str) -> bool {
        pin::verify(self, pin, hash)
    }

    fn current(&self) -> &Key {
        self.keys.first().expect("a key file without keys is refused when it is read")
    }

    fn with_id(&self, id: &[u8]) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.keys.iter().map(|key| hex::encode(key.id)).collect();
        formatter.debug_struct("Keys").field("ids", &ids).finish_non_exhaustive()
    }
}

impl Key {
    fn derive(id: [u8; ID_LENGTH], material: &[u8; KEY_LENGTH]) -> Self {
        let source = Hkdf::<Sha256>::new(None, material);
        let expand = |usage: &[u8]| {
            let mut key = Zeroizing::new([0; KEY_LENGTH]);
            source.expand(usage, &mut *key).expect("32 bytes are within what HKDF-SHA256 can give");
            key
        };
        Self { id, sealing: expand(b"usher/1/seal"), pepper: expand(b"usher/1/pin") }
    }
}

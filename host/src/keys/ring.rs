//! The keys of a key file and what comes from them.

use std::fmt;
use std::str::FromStr;

use hkdf::Hkdf;
use jiff::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of a key and of a sub-key, in bytes.
pub(super) const KEY_LENGTH: usize = 32;

/// Length of a key's id, in bytes. It only tells the few keys of one file apart.
pub(super) const ID_LENGTH: usize = 4;

/// Names a key. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; ID_LENGTH]);

/// The text is not the id of a key.
#[derive(Debug, thiserror::Error)]
#[error("a key's id is 8 hexadecimal digits; `usher keys list` shows them")]
pub struct InvalidKeyId;

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let mut id = [0; ID_LENGTH];
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidKeyId)?;
        Ok(Self(id))
    }
}

/// The keys of one file at one time.
pub(super) struct KeyRing {
    /// Never empty; the first is the one in use.
    keys: Vec<Key>,
}

/// One key's sub-keys.
pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) made: Option<Timestamp>,
    pub(super) sealing: Zeroizing<[u8; KEY_LENGTH]>,
    pub(super) pepper: Zeroizing<[u8; KEY_LENGTH]>,
    pub(super) fingerprinting: Zeroizing<[u8; KEY_LENGTH]>,
}

impl KeyRing {
    /// None without any key.
    pub(super) fn new(keys: Vec<Key>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self { keys })
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(super) fn current(&self) -> &Key {
        self.keys.first().expect("there is no ring without keys")
    }

    pub(super) fn with_id(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Key {
    pub(super) fn derive(id: KeyId, made: Option<Timestamp>, material: &[u8; KEY_LENGTH]) -> Self {
        let source = Hkdf::<Sha256>::new(None, material);
        let expand = |usage: &[u8]| {
            let mut key = Zeroizing::new([0; KEY_LENGTH]);
            source.expand(usage, &mut *key).expect("32 bytes are within what HKDF-SHA256 can give");
            key
        };
        Self {
            id,
            made,
            sealing: expand(b"usher/1/seal"),
            pepper: expand(b"usher/1/pin"),
            fingerprinting: expand(b"usher/1/fingerprint"),
        }
    }
}

/// Keys that need no file: each an id and a key of one byte said again and again.
#[cfg(test)]
pub(super) fn ring(keys: &[(u8, u8)]) -> KeyRing {
    let key = |(id, key): &(u8, u8)| Key::derive(KeyId([*id; ID_LENGTH]), None, &[*key; KEY_LENGTH]);
    KeyRing::new(keys.iter().map(key).collect()).unwrap()
}

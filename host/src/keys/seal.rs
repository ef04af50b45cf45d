//! Encryption of secrets at rest: XChaCha20-Poly1305, whose 192-bit nonces may be drawn at random.
//!
//! Sealed bytes are: one byte for the format, the key's id, the nonce, the ciphertext with its tag.
//! The head and the purpose are authenticated too.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::KeysError;
use super::ring::{ID_LENGTH, Key, KeyId, KeyRing};
use crate::random;

/// The first byte of sealed bytes. A later format gets another number.
const FORMAT: u8 = 1;

/// Length of the nonce, in bytes.
const NONCE_LENGTH: usize = 24;

/// Length of what stands before the nonce, in bytes.
const HEAD_LENGTH: usize = 1 + ID_LENGTH;

/// Encrypts with one key.
pub(super) fn seal(key: &Key, purpose: &str, plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEAD_LENGTH + NONCE_LENGTH + plain.len() + 16);
    sealed.push(FORMAT);
    sealed.extend_from_slice(&key.id.0);
    let nonce = random::bytes::<NONCE_LENGTH>();
    let aad = associated_data(&sealed, purpose);
    let ciphertext = cipher(key)
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
        .expect("only secrets of more than 256 GiB cannot be encrypted");
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&ciphertext);
    sealed
}

/// Decrypts with the key that the head names.
pub(super) fn open(keys: &KeyRing, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let (head, rest) = sealed.split_first_chunk::<HEAD_LENGTH>().ok_or(KeysError::Damaged)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or(KeysError::Damaged)?;
    let [FORMAT, id @ ..] = *head else { return Err(KeysError::Damaged) };
    let id = KeyId(id);
    let key = keys.with_id(id).ok_or(KeysError::UnknownKey { id })?;
    let aad = associated_data(head, purpose);
    cipher(key)
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &aad })
        .map(Zeroizing::new)
        .map_err(|_| KeysError::Damaged)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&CipherKey::from(*key.sealing))
}

fn associated_data(head: &[u8], purpose: &str) -> Vec<u8> {
    [head, purpose.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;

    struct Keys(KeyRing);

    impl Keys {
        fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
            seal(self.0.current(), purpose, plain)
        }

        fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
            open(&self.0, purpose, sealed)
        }
    }

    fn keys(ids: &[u8]) -> Keys {
        Keys(ring(&ids.iter().map(|id| (*id, *id)).collect::<Vec<_>>()))
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let keys = keys(&[1]);
        let sealed = keys.seal("password:7", b"secret words");
        assert_eq!(keys.open("password:7", &sealed).unwrap().as_slice(), b"secret words");
        assert!(matches!(keys.open("password:8", &sealed), Err(KeysError::Damaged)));
        assert_ne!(sealed, keys.seal("password:7", b"secret words"), "the same nonce twice");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let keys = keys(&[1]);
        let sealed = keys.seal("p", b"x");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys.open("p", &changed).is_err(), "byte {at}");
            assert!(keys.open("p", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_older_key_still_opens_and_a_missing_one_is_named() {
        let sealed = keys(&[1]).seal("p", b"x");
        assert_eq!(keys(&[2, 1]).open("p", &sealed).unwrap().as_slice(), b"x");
        let error = keys(&[2]).open("p", &sealed).unwrap_err();
        assert!(matches!(&error, KeysError::UnknownKey { id } if id.to_string() == "01010101"), "{error}");
        assert_eq!(keys(&[2, 1]).seal("p", b"x")[1..HEAD_LENGTH], [2; ID_LENGTH]);
    }
}

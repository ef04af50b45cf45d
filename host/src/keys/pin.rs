//! The slow, keyed hash of PINs.
//!
//! Ten thousand PINs are tried in no time against any unkeyed hash, however slow, so the hash takes
//! a secret that is not in the database. The text is the key's id, then the PHC string.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};

use super::{Key, Keys};
use crate::random;

/// Memory in KiB, passes and lanes, as OWASP's Password Storage cheat sheet recommends for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes with one key.
pub(super) fn hash(key: &Key, pin: &SecretString) -> String {
    let hash: PasswordHash = argon2(key)
        .hash_password_with_salt(pin.expose_secret().as_bytes(), &random::bytes::<16>())
        .expect("the parameters are constants that Argon2 accepts, and a PIN is shorter than 4 GiB");
    format!("{}{hash}", hex::encode(key.id))
}

/// Compares with the key that the text names.
pub(super) fn verify(keys: &Keys, pin: &SecretString, text: &str) -> bool {
    let Some(at) = text.find('$') else { return false };
    let (id, hash) = text.split_at(at);
    let Some(key) = hex::decode(id).ok().and_then(|id| keys.with_id(&id)) else { return false };
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    argon2(key).verify_password(pin.expose_secret().as_bytes(), &hash).is_ok()
}

fn argon2(key: &Key) -> Argon2<'_> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are constants in Argon2's range");
    Argon2::new_with_secret(&*key.pepper, Algorithm::Argon2id, Version::V0x13, params)
        .expect("the secret is 32 bytes long, far below Argon2's limit")
}

#[cfg(test)]
mod tests {
    use super::super::ID_LENGTH;
    use super::*;

    fn keys(materials: &[(u8, u8)]) -> Keys {
        Keys { keys: materials.iter().map(|(id, key)| Key::derive([*id; ID_LENGTH], &[*key; 32])).collect() }
    }

    #[test]
    fn only_the_pin_that_was_hashed_verifies() {
        let keys = keys(&[(1, 1)]);
        let hash = keys.hash_pin(&"4711".into());
        assert!(hash.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(keys.verify_pin(&"4711".into(), &hash));
        for wrong in ["4712", "", "47111", " 4711"] {
            assert!(!keys.verify_pin(&wrong.into(), &hash), "{wrong}");
        }
        assert_ne!(hash, keys.hash_pin(&"4711".into()), "the same salt twice");
    }

    #[test]
    fn without_the_key_a_hash_verifies_nothing() {
        let hash = keys(&[(1, 1)]).hash_pin(&"4711".into());
        assert!(!keys(&[(1, 2)]).verify_pin(&"4711".into(), &hash), "another key under the same id");
        assert!(!keys(&[(2, 2)]).verify_pin(&"4711".into(), &hash), "the key is gone");
        assert!(keys(&[(2, 2), (1, 1)]).verify_pin(&"4711".into(), &hash), "the key is an older one");
    }

    #[test]
    fn damaged_hashes_verify_nothing() {
        let keys = keys(&[(1, 1)]);
        for text in ["", "$", "01010101", "01010101$argon2id$v=19$m=19456,t=2,p=1$c2FsdA", "zz$argon2id"] {
            assert!(!keys.verify_pin(&"4711".into(), text), "{text}");
        }
    }
}

//! The slow, keyed hash of PINs.
//!
//! Ten thousand PINs are tried in no time against any unkeyed hash, however slow, so the hash takes
//! a secret that is not in the database. The text is the key's id, then the PHC string.

use std::cell::RefCell;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use super::KeysError;
use super::ring::{Key, KeyId, KeyRing};
use crate::random;

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PinCost {
    memory_kib: u32,
    passes: u32,
}

impl PinCost {
    /// As OWASP's Password Storage cheat sheet recommends for Argon2id.
    pub(super) const FULL: Self = Self { memory_kib: 19 * 1024, passes: 2 };

    /// Enough for a test to see that it was paid, thousands of times.
    #[cfg(test)]
    pub(super) const LOW: Self = Self { memory_kib: 4 * 1024, passes: 1 };
}

const LANES: u32 = 1;

thread_local! {
    /// The memory of the last hash of a thread, for its next one: glibc before 2.38 does not use again what so
    /// large and aligned a block leaves behind, and a process that hashes much would grow to a gigabyte.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Hashes with one key.
pub(super) fn hash(key: &Key, cost: PinCost, pin: &SecretString) -> String {
    const VALID: &str = "the parameters are constants that Argon2 accepts, and a PIN is shorter than 4 GiB";
    let params = Params::new(cost.memory_kib, cost.passes, LANES, None).expect(VALID);
    let salt = Salt::new(&random::bytes::<16>()).expect(VALID);
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    compute(key, &params, pin, &salt, &mut output).expect(VALID);
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).expect(VALID),
        salt: Some(salt),
        hash: Some(Output::new(&output).expect(VALID)),
    };
    format!("{}{hash}", key.id)
}

/// Compares with the key that the text names. A text that is no hash of ours is that of no PIN.
pub(super) fn verify(keys: &KeyRing, pin: &SecretString, text: &str) -> Result<bool, KeysError> {
    let Some((id, hash)) = split(text) else { return Ok(false) };
    let key = keys.with_id(id).ok_or(KeysError::UnknownKey { id })?;
    Ok(verify_text(key, pin, hash).unwrap_or(false))
}

/// The key's id, and the PHC string.
fn split(text: &str) -> Option<(KeyId, &str)> {
    let (id, hash) = text.split_at(text.find('$')?);
    Some((id.parse().ok()?, hash))
}

/// None where the text is no hash of ours.
fn verify_text(key: &Key, pin: &SecretString, text: &str) -> Option<bool> {
    let hash = PasswordHash::new(text).ok()?;
    if hash.algorithm != Algorithm::Argon2id.ident() || hash.version != Some(Version::V0x13.into()) {
        return None;
    }
    let params = Params::try_from(&hash).ok()?;
    let (salt, expected) = (hash.salt?, hash.hash?);
    let mut output = vec![0; expected.len()];
    compute(key, &params, pin, &salt, &mut output).ok()?;
    // Takes the same time wherever the two differ.
    Some(Output::new(&output).ok()? == expected)
}

fn compute(
    key: &Key,
    params: &Params,
    pin: &SecretString,
    salt: &Salt,
    output: &mut [u8],
) -> Result<(), argon2::Error> {
    let argon2 = Argon2::new_with_secret(&*key.pepper, Algorithm::Argon2id, Version::V0x13, params.clone())?;
    MEMORY.with_borrow_mut(|memory| {
        memory.resize(params.block_count(), Block::default());
        argon2.hash_password_into_with_memory(pin.expose_secret().as_bytes(), salt, output, memory)
    })
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;

    fn hash_pin(keys: &KeyRing, pin: &str) -> String {
        hash(keys.current(), PinCost::FULL, &pin.into())
    }

    fn verify_pin(keys: &KeyRing, pin: &str, hash: &str) -> bool {
        verify(keys, &pin.into(), hash).unwrap()
    }

    #[test]
    fn only_the_pin_that_was_hashed_verifies() {
        let keys = ring(&[(1, 1)]);
        let hash = hash_pin(&keys, "4711");
        assert!(hash.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify_pin(&keys, "4711", &hash));
        for wrong in ["4712", "", "47111", " 4711"] {
            assert!(!verify_pin(&keys, wrong, &hash), "{wrong}");
        }
        assert_ne!(hash, hash_pin(&keys, "4711"), "the same salt twice");
    }

    /// The memory of an earlier hash has no part in the next one, and another program comes to the same.
    #[test]
    fn the_hash_is_argon2s_own_whatever_was_hashed_before() {
        use argon2::PasswordVerifier as _;
        let keys = ring(&[(1, 1)]);
        for pin in ["4711", "0815", "4711"] {
            let text = hash_pin(&keys, pin);
            let hash = PasswordHash::new(text.trim_start_matches(|c: char| c != '$')).unwrap();
            let params = Params::try_from(&hash).unwrap();
            let fresh =
                Argon2::new_with_secret(&*keys.current().pepper, Algorithm::Argon2id, Version::V0x13, params)
                    .unwrap();
            assert!(fresh.verify_password(pin.as_bytes(), &hash).is_ok());
            assert!(fresh.verify_password(b"0000", &hash).is_err());
        }
    }

    #[test]
    fn without_the_key_a_hash_verifies_nothing() {
        let hash = hash_pin(&ring(&[(1, 1)]), "4711");
        assert!(!verify_pin(&ring(&[(1, 2)]), "4711", &hash), "another key under the same id");
        assert!(verify_pin(&ring(&[(2, 2), (1, 1)]), "4711", &hash), "the key is an older one");
        let missing = verify(&ring(&[(2, 2)]), &"4711".into(), &hash).unwrap_err();
        assert!(
            matches!(missing, KeysError::UnknownKey { id } if id.to_string() == "01010101"),
            "a PIN must not be called wrong that cannot be compared: {missing}"
        );
    }

    #[test]
    fn damaged_hashes_verify_nothing() {
        let keys = ring(&[(1, 1)]);
        for text in ["", "$", "01010101", "01010101$argon2id$v=19$m=19456,t=2,p=1$c2FsdA", "zz$argon2id"] {
            assert!(!verify_pin(&keys, "4711", text), "{text}");
        }
    }
}

//! Keyed names for what must not be written down.

use hkdf::Hkdf;
use sha2::Sha256;

use super::ring::Key;

/// A name that tells nothing about what it names.
pub type Fingerprint = [u8; 32];

/// The name with one key.
pub(super) fn fingerprint(key: &Key, purpose: &str, text: &str) -> Fingerprint {
    let mut name = Fingerprint::default();
    // HKDF's first half is HMAC-SHA256 with the key, which nobody can compute without it.
    Hkdf::<Sha256>::new(Some(&*key.fingerprinting), text.as_bytes())
        .expand(purpose.as_bytes(), &mut name)
        .expect("32 bytes are within what HKDF-SHA256 can give");
    name
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;

    #[test]
    fn a_name_depends_on_key_purpose_and_text_and_on_nothing_else() {
        let (one, other) = (ring(&[(1, 1)]), ring(&[(2, 2)]));
        let name = fingerprint(one.current(), "client", "192.0.2.1");
        assert_eq!(name, fingerprint(one.current(), "client", "192.0.2.1"));
        for different in [
            fingerprint(other.current(), "client", "192.0.2.1"),
            fingerprint(one.current(), "account", "192.0.2.1"),
            fingerprint(one.current(), "client", "192.0.2.2"),
        ] {
            assert_ne!(name, different);
        }
    }
}

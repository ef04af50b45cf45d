//! Names for what is not to be stored as it is, and yet told apart from others of its kind.

use hkdf::Hkdf;
use sha2::Sha256;

use super::ring::Key;

/// Length of a name, in bytes: long enough to be nobody else's by chance.
const LENGTH: usize = 8;

/// The name, in hexadecimal. There are few addresses, so that a hash without a key would be searched through; HKDF
/// with the key as its salt is a keyed one.
pub(super) fn of(key: &Key, thing: &[u8]) -> String {
    let mut name = [0; LENGTH];
    let source = Hkdf::<Sha256>::new(Some(key.naming.as_slice()), thing);
    source.expand(b"pseudonym", &mut name).expect("8 bytes are within what HKDF-SHA256 can give");
    hex::encode(name)
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;

    #[test]
    fn a_name_depends_on_the_thing_and_the_key() {
        let (keys, others) = (ring(&[(1, 1)]), ring(&[(1, 2)]));
        let name = of(keys.current(), b"192.0.2.1");
        assert_eq!(name.len(), 16);
        assert_eq!(name, of(keys.current(), b"192.0.2.1"));
        assert_ne!(name, of(keys.current(), b"192.0.2.2"));
        assert_ne!(name, of(others.current(), b"192.0.2.1"));
    }
}

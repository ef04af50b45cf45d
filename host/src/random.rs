//! The only place that draws randomness, always from the operating system's generator.

use secrecy::SecretString;

/// Characters of generated passwords: no look-alikes, nothing that a shell or a mail client mangles.
const PASSWORD_ALPHABET: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789-";

/// Length of generated passwords: 40 characters of 56 are 232 bits, within the 54 bytes that every
/// hash Keystone offers can take.
const PASSWORD_LENGTH: usize = 40;

/// Random bytes.
///
/// # Panics
/// Where the operating system has no randomness to give: nothing secret can be made then.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where randomness enters the program")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut buffer = [0u8; N];
    getrandom::fill(&mut buffer).expect("the operating system provides randomness");
    buffer
}

/// A random password that nobody is meant to type.
///
/// It holds a capital, a small letter, a digit and a hyphen, so that the usual password rules of
/// Keystone's `[security_compliance] password_regex` accept it.
#[must_use]
pub fn password() -> SecretString {
    loop {
        let mut text = String::with_capacity(PASSWORD_LENGTH);
        while text.len() < PASSWORD_LENGTH {
            for byte in bytes::<64>() {
                // 224 is the largest multiple of 56 in a byte: without this, some characters
                // would come up more often than others.
                if byte < 224 && text.len() < PASSWORD_LENGTH {
                    text.push(char::from(PASSWORD_ALPHABET[usize::from(byte) % PASSWORD_ALPHABET.len()]));
                }
            }
        }
        let every_kind = text.contains(|c: char| c.is_ascii_uppercase())
            && text.contains(|c: char| c.is_ascii_lowercase())
            && text.contains(|c: char| c.is_ascii_digit())
            && text.contains('-');
        if every_kind {
            return SecretString::from(text);
        }
    }
}

/// A random identifier that need not be secret, such as the local part of a Message-ID.
#[must_use]
pub fn identifier() -> String {
    hex::encode(bytes::<16>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn passwords_differ_and_hold_every_kind_of_character() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let password = password();
            let text = password.expose_secret();
            assert_eq!(text.len(), PASSWORD_LENGTH);
            assert!(text.contains('-') && text.contains(|c: char| c.is_ascii_digit()));
            assert!(seen.insert(text.to_owned()), "the same password twice");
        }
    }
}

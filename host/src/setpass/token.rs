//! Tokens: 256 random bits, of which only a hash is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::database::TokenHash;
use crate::random;

/// A new token.
pub(super) fn draw() -> SecretString {
    let bits = Zeroizing::new(random::bytes::<32>());
    SecretString::from(URL_SAFE_NO_PAD.encode(*bits))
}

/// The form in which a token is stored and looked up. A fast hash does, as nobody can try 2^256
/// tokens; and since a guess cannot steer its hash, the time of the look-up tells nothing of use.
pub(super) fn hash(token: &SecretString) -> TokenHash {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

/// The link with this token.
pub(crate) fn url(public_url: &Url, token: &SecretString) -> SecretString {
    let mut url = public_url.clone();
    url.query_pairs_mut().append_pair("token", token.expose_secret());
    SecretString::from(String::from(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_256_bits_and_needs_no_escape_in_a_url() {
        let token = draw();
        assert_eq!(URL_SAFE_NO_PAD.decode(token.expose_secret()).unwrap().len(), 32);
        assert_ne!(token.expose_secret(), draw().expose_secret());
        let link = url(&Url::parse("https://cloud.example.org/setpass/").unwrap(), &token);
        assert_eq!(
            link.expose_secret(),
            format!("https://cloud.example.org/setpass/?token={}", token.expose_secret())
        );
    }
}

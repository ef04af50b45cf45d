//! The names of requests that were erased: a digest stays in the place of each, so that a row that comes back is still
//! known as one that was finished.
//!
//! The digest is made with a random value of this database. Who has both can find out whether a name that he guesses,
//! second and address, is among those that were erased, and nothing else.

use sha2::{Digest as _, Sha256};

use super::{Database, DatabaseError, Transaction};
use crate::random;
use crate::registration::SheetKind;

/// What an erased name begins with. No parser's name of a request does.
pub(super) const ERASED: &str = "erased:";

/// Makes digests of names, where any were erased in this database.
pub(super) struct NameDigest {
    salt: Option<Vec<u8>>,
}

impl NameDigest {
    /// What stands in the place of a name that was erased; the name itself where none was.
    pub(super) fn of(&self, sheet: SheetKind, key: &str) -> String {
        let Some(salt) = &self.salt else { return key.to_owned() };
        let mut hash = Sha256::new();
        for part in [salt.as_slice(), sheet.name().as_bytes(), b"\0", key.as_bytes()] {
            hash.update(part);
        }
        format!("{ERASED}{}", hex::encode(hash.finalize()))
    }
}

/// The digest in what stands in the place of an erased name, which the number of its record may follow; a name that was not
/// erased as it is.
pub(super) fn digest_in(key: &str) -> &str {
    let number = key.strip_prefix(ERASED).and_then(|digest| digest.find(':'));
    number.map_or(key, |at| &key[..ERASED.len() + at])
}

impl Database {
    /// What looks up names that may have been erased.
    pub(super) async fn name_digest(&self) -> Result<NameDigest, DatabaseError> {
        let salt = sqlx::query_scalar("SELECT salt FROM erasure").fetch_optional(&self.pool).await?;
        Ok(NameDigest { salt })
    }
}

/// What erases names, from now on also for those that look them up.
pub(super) async fn name_digest_in(transaction: &mut Transaction) -> Result<NameDigest, DatabaseError> {
    sqlx::query("INSERT INTO erasure (id, salt) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
        .bind(random::bytes::<32>().as_slice())
        .execute(&mut **transaction)
        .await?;
    let salt = sqlx::query_scalar("SELECT salt FROM erasure").fetch_optional(&mut **transaction).await?;
    Ok(NameDigest { salt })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_whatever_follows_it_and_no_name_is_taken_for_one() {
        for (key, digest) in [
            ("erased:0a1b", "erased:0a1b"),
            ("erased:0a1b:17", "erased:0a1b"),
            ("2018-03-14T15:48:48 a@example.org", "2018-03-14T15:48:48 a@example.org"),
        ] {
            assert_eq!(digest_in(key), digest);
        }
    }
}

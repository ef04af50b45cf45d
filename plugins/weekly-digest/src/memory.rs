//! Who was named in which digest: lines of a worksheet of its own, in which the admins can look that up too.
//!
//! A line has the digest's identifier and the name of a request. It is written before the digest is mailed, and another
//! one when it is, so that a run that ends in between is made up for by the next: with the same identifier, under which
//! the host mails nothing twice. A line is the first word on its request; later ones count for nothing.

use std::collections::{BTreeMap, BTreeSet};

use usher_plugin::types::Row;

/// In the place of an identifier: known from before the first digest.
const BEFORE: &str = "before";

/// In the place of a request's name: the digest was mailed.
const MAILED: &str = "mailed";

/// What is remembered.
pub struct Memory<'a> {
    digests: BTreeMap<&'a str, &'a str>,
    mailed: BTreeSet<&'a str>,
    is_new: bool,
}

impl<'a> Memory<'a> {
    /// Reads the lines. A header is one that says nothing.
    pub fn read(lines: &'a [Row]) -> Self {
        let mut memory = Self { digests: BTreeMap::new(), mailed: BTreeSet::new(), is_new: true };
        for line in lines {
            let cell = |column: usize| line.cells.get(column).map_or("", |cell| cell.trim());
            let (digest, name) = (cell(0), cell(1));
            memory.is_new &= digest != BEFORE;
            if name == MAILED {
                memory.mailed.insert(digest);
            } else if !digest.is_empty() {
                memory.digests.entry(name).or_insert(digest);
            }
        }
        memory
    }

    /// Whether there has been no digest yet.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The digest that names a request.
    pub fn digest_of(&self, name: &str) -> Option<&'a str> {
        self.digests.get(name).copied()
    }

    /// Whether a digest has yet to be mailed.
    pub fn is_owed(&self, digest: &str) -> bool {
        digest != BEFORE && !self.mailed.contains(digest)
    }

    /// The line that says that there has been a first run.
    pub fn begins() -> Vec<String> {
        vec![BEFORE.to_owned(), String::new()]
    }

    /// The line of a request that no digest names.
    pub fn before(name: &str) -> Vec<String> {
        vec![BEFORE.to_owned(), name.to_owned()]
    }

    /// The line of a request that a digest names.
    pub fn named(digest: &str, name: &str) -> Vec<String> {
        vec![digest.to_owned(), name.to_owned()]
    }

    /// The line of a digest that was mailed.
    pub fn mailed(digest: &str) -> Vec<String> {
        vec![digest.to_owned(), MAILED.to_owned()]
    }
}

/// Tells sets of names apart (FNV-1a). No two digests name the same request, so that it need not be hard to make two
/// sets alike.
pub fn fingerprint<'a>(names: impl Iterator<Item = &'a str>) -> u64 {
    let bytes = names.flat_map(|name| name.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

//! The file of a component: its content, its digest, and a cheap way to see whether it changed.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What tells a file from any other content at the same path, without reading it. The change time
/// is set by the kernel at every write, and unlike the modification time it cannot be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    /// The identity of the file at that path.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self::new(&std::fs::metadata(path)?))
    }

    /// The identity of a file by its metadata.
    pub(super) fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file had been at rest when something was written beside it at the given moment
    /// of the same clock. A file that changes twice within the clock's resolution looks unchanged,
    /// so an identity proves nothing about one that had only just changed.
    pub(super) fn was_at_rest(&self, written: &Metadata) -> bool {
        /// Far above the resolution of any file system's clock.
        const REST: i64 = 2;
        written.mtime().saturating_sub(self.changed.0) >= REST
    }
}

/// Reads a file, with the identity that it had when it was opened.
pub(super) fn read(path: &Path) -> std::io::Result<(Vec<u8>, Identity)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut content)?;
    Ok((content, Identity::new(&metadata)))
}

/// The SHA-256 of some bytes.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What the first bytes of a file say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A component.
    Component,
    /// A core module.
    CoreModule,
    /// No WebAssembly.
    Other,
}

/// What the bytes are, by the preamble of the WebAssembly binary format: magic, version, and a
/// layer that is 0 for core modules and 1 for components.
pub(super) fn format(bytes: &[u8]) -> Format {
    match bytes {
        [0x00, b'a', b's', b'm', _, _, 0x01, 0x00, ..] => Format::Component,
        [0x00, b'a', b's', b'm', _, _, 0x00, 0x00, ..] => Format::CoreModule,
        _ => Format::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_and_core_modules_are_told_apart_by_their_layer() {
        assert_eq!(format(&wat::parse_str("(component)").unwrap()), Format::Component);
        assert_eq!(format(&wat::parse_str("(module)").unwrap()), Format::CoreModule);
        assert_eq!(format(b"\x7fELF\x02\x01\x01\x00\x00"), Format::Other);
        assert_eq!(format(b"\0asm"), Format::Other);
        assert_eq!(format(b""), Format::Other);
    }

    #[test]
    fn a_file_replaced_by_one_of_the_same_size_and_time_has_another_identity() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("component.wasm");
        std::fs::write(&path, "one").unwrap();
        let before = std::fs::metadata(&path).unwrap();
        let other = folder.path().join("other");
        std::fs::write(&other, "two").unwrap();
        File::open(&other).unwrap().set_modified(before.modified().unwrap()).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(Identity::new(&before), Identity::of(&path).unwrap());
    }
}

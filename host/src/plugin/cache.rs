//! Compiled components, kept in a folder so that a component is compiled once and not at each
//! start.
//!
//! An artifact is machine code that is mapped into this process, so what may be loaded is decided
//! with care. The folder and the files belong to this user and nobody else may enter or write; that
//! is checked at each start and each load, and a folder that fails is not used. Beside each
//! artifact lies a record with the SHA-256 that it had when it was written.
//!
//! Hashing an artifact of 60 MB takes longer than loading it. The record therefore also holds the
//! identity of the artifact's file (device, inode, size, modification and change time). While the
//! identity is the recorded one, nothing has written to the file since it was hashed, because the
//! kernel sets the change time at every write; otherwise the artifact is hashed, and rebuilt where
//! the digest differs. The same goes for the component's own file, whose SHA-256 names the artifact:
//! it is remembered by identity, unless the settings pin a digest: a pinned file is hashed each time.
//!
//! The name of an artifact holds the component's digest and the engine's compatibility hash, which
//! covers wasmtime's version, the machine's features and the engine's settings. Files are written
//! under another name, flushed, and renamed, so another process sees all of a file or nothing.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::component_file::{self, Identity};

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    engine_key: String,
}

/// What is known of an artifact.
#[derive(Serialize, Deserialize)]
struct ArtifactRecord {
    sha256: String,
    identity: Identity,
}

/// What is known of a component's file.
#[derive(Serialize, Deserialize)]
struct DigestRecord {
    sha256: String,
    identity: Identity,
}

impl Cache {
    /// Opens the folder, making it where it is missing.
    ///
    /// # Errors
    /// Where it cannot be made, or is not private to this user.
    pub(super) fn open(folder: &Path, engine: &Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        check_private(&fs::symlink_metadata(folder)?, 0o077)?;
        Ok(Self { folder: folder.to_owned(), engine_key: engine_key(engine) })
    }

    /// The compiled component of that digest; none where it has to be compiled.
    pub(super) fn load(&self, engine: &Engine, sha256: &[u8; 32]) -> Option<Component> {
        let path = self.artifact(sha256);
        match self.verify(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "compiling a component again: its artifact cannot be used");
                return None;
            }
        }
        match map(engine, &path) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(file = %path.display(), error = format!("{error:#}"), "compiling a component again: its artifact cannot be loaded");
                None
            }
        }
    }

    /// Keeps an artifact.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn store(&self, sha256: &[u8; 32], artifact: &[u8]) -> io::Result<()> {
        let path = self.artifact(sha256);
        self.write(&path, artifact)?;
        self.write_record(&path, hex::encode(component_file::digest(artifact)))
    }

    /// The digest of a component's file with the file's identity, where it is known that the file
    /// has not changed since the digest was computed.
    pub(super) fn known_digest(&self, component: &Path) -> Option<([u8; 32], Identity)> {
        let path = self.digest_record(component);
        let (record, metadata): (DigestRecord, _) = read_record(&path).ok()?;
        let identity = Identity::of(component).ok()?;
        if record.identity != identity || !identity.was_at_rest(&metadata) {
            return None;
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(&record.sha256, &mut digest).ok()?;
        Some((digest, identity))
    }

    /// Remembers the digest of a component's file that has that identity.
    pub(super) fn remember_digest(&self, component: &Path, identity: Identity, sha256: &[u8; 32]) {
        let record = DigestRecord { sha256: hex::encode(sha256), identity };
        let written = serde_json::to_vec(&record)
            .map_err(io::Error::from)
            .and_then(|json| self.write(&self.digest_record(component), &json));
        if let Err(error) = written {
            tracing::debug!(%error, "the digest of a component was not remembered");
        }
    }

    /// Checks that an artifact is the one that this user wrote.
    fn verify(&self, path: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        check_private(&metadata, 0o077)?;
        check_private(&fs::symlink_metadata(&self.folder)?, 0o077)?;
        let (record, _): (ArtifactRecord, _) = read_record(&record_of(path))?;
        if record.identity == Identity::new(&metadata) {
            return Ok(());
        }
        let sha256 = hex::encode(component_file::digest(&fs::read(path)?));
        if sha256 != record.sha256 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
        }
        self.write_record(path, sha256)
    }

    fn write_record(&self, artifact: &Path, sha256: String) -> io::Result<()> {
        let record = ArtifactRecord { sha256, identity: Identity::of(artifact)? };
        self.write(&record_of(artifact), &serde_json::to_vec(&record)?)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(&self.folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn artifact(&self, sha256: &[u8; 32]) -> PathBuf {
        self.folder.join(format!("{}-{}.cwasm", hex::encode(sha256), self.engine_key))
    }

    fn digest_record(&self, component: &Path) -> PathBuf {
        let full = component.canonicalize().unwrap_or_else(|_| component.to_owned());
        let name = hex::encode(component_file::digest(full.as_os_str().as_encoded_bytes()));
        self.folder.join(format!("{name}.digest.json"))
    }
}

fn record_of(artifact: &Path) -> PathBuf {
    artifact.with_extension("json")
}

/// Maps an artifact into memory.
#[expect(unsafe_code, reason = "wasmtime cannot tell whether machine code is harmless; `verify` can")]
fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the bytes have to come from `Engine::precompile_component` and must not change while
    // they are mapped. `Cache::verify` has just checked that this user wrote the file, that nobody
    // else can write to it or to its folder, and that it is as it was when it was written; what
    // was written is what this module got from `precompile_component`. Files in the folder are
    // never written to again, only replaced by renaming, which leaves a mapping as it is.
    unsafe { Component::deserialize_file(engine, path) }
}

fn read_record<T: DeserializeOwned>(path: &Path) -> io::Result<(T, Metadata)> {
    let metadata = fs::symlink_metadata(path)?;
    check_private(&metadata, 0o077)?;
    Ok((serde_json::from_slice(&fs::read(path)?)?, metadata))
}

/// Checks that a file or folder belongs to this user and that no other has any of these rights.
fn check_private(metadata: &Metadata, others: u32) -> io::Result<()> {
    let refuse = |reason: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason.to_owned()));
    if metadata.file_type().is_symlink() {
        return refuse("it is a symbolic link");
    }
    if metadata.uid() != own_user()? {
        return refuse("it belongs to another user");
    }
    if metadata.mode() & others != 0 {
        return refuse("other users may access it; take their rights away with chmod go=");
    }
    Ok(())
}

/// The user that this process runs as.
fn own_user() -> io::Result<u32> {
    // The owner of /proc/self is the effective user, which is who the files must belong to. A call
    // of geteuid would be unsafe code.
    Ok(fs::metadata("/proc/self")?.uid())
}

/// Names everything that an artifact's use depends on. The standard hasher is not stable from one
/// version of Rust to the next, so the parts are fed to SHA-256.
fn engine_key(engine: &Engine) -> String {
    struct Sha256Hasher(Sha256);
    impl Hasher for Sha256Hasher {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
    }
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        engine: Engine,
        cache: Cache,
        sha256: [u8; 32],
    }

    /// A cache that holds one small component.
    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = Cache::open(&folder.path().join("cache"), &engine).unwrap();
        let component = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
        let sha256 = component_file::digest(&component);
        cache.store(&sha256, &engine.precompile_component(&component).unwrap()).unwrap();
        Fixture { folder, engine, cache, sha256 }
    }

    #[test]
    fn an_artifact_is_private_and_loads() {
        let Fixture { cache, engine, sha256, folder: _folder } = fixture();
        assert!(cache.load(&engine, &sha256).is_some());
        assert_eq!(fs::metadata(&cache.folder).unwrap().mode() & 0o777, 0o700);
        for entry in fs::read_dir(&cache.folder).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_artifact_is_not_loaded() {
        let Fixture { cache, engine, sha256, folder: _folder } = fixture();
        let path = cache.artifact(&sha256);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(cache.load(&engine, &sha256).is_none());
        fs::write(&path, &bytes[..middle]).unwrap();
        assert!(cache.load(&engine, &sha256).is_none());
    }

    #[test]
    fn an_artifact_that_was_copied_back_is_hashed_and_loads() {
        let Fixture { cache, engine, sha256, folder: _folder } = fixture();
        let path = cache.artifact(&sha256);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        cache.write(&path, &bytes).unwrap();
        assert!(cache.load(&engine, &sha256).is_some());
    }

    #[test]
    fn an_artifact_that_others_may_write_is_not_loaded() {
        let Fixture { cache, engine, sha256, folder: _folder } = fixture();
        fs::set_permissions(cache.artifact(&sha256), Permissions::from_mode(0o620)).unwrap();
        assert!(cache.load(&engine, &sha256).is_none());
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let Fixture { cache, engine, folder: _folder, .. } = fixture();
        fs::set_permissions(&cache.folder, Permissions::from_mode(0o755)).unwrap();
        let error = Cache::open(&cache.folder, &engine).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_digest_is_remembered_only_for_a_file_at_rest() {
        let Fixture { cache, folder, .. } = fixture();
        let component = folder.path().join("component.wasm");
        fs::write(&component, "content").unwrap();
        let digest = component_file::digest(b"content");
        cache.remember_digest(&component, Identity::of(&component).unwrap(), &digest);
        assert!(cache.known_digest(&component).is_none(), "it has only just been written");
        let later = fs::metadata(&component).unwrap().modified().unwrap() + std::time::Duration::from_secs(5);
        File::open(cache.digest_record(&component)).unwrap().set_modified(later).unwrap();
        assert_eq!(cache.known_digest(&component).unwrap().0, digest);
        fs::write(&component, "Content").unwrap();
        assert!(cache.known_digest(&component).is_none(), "it has changed");
    }

    #[test]
    fn engines_with_other_settings_have_other_artifacts() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        assert_ne!(engine_key(&Engine::default()), engine_key(&Engine::new(&config).unwrap()));
        assert_eq!(engine_key(&Engine::default()), engine_key(&Engine::default()));
    }
}

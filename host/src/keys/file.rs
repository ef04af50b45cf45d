//! The key file.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{ID_LENGTH, KEY_LENGTH, Key, Keys, KeysError};
use crate::random;

/// First line of every key file. A later format gets another number.
const HEADER: &str = "usher-keys 1";

/// Permission bits of group and world.
const OTHERS: u32 = 0o077;

/// Makes a key file with one new key.
pub(super) fn create(file: &Path) -> Result<(), KeysError> {
    let failed = |source: std::io::Error| KeysError::File { file: file.to_owned(), source };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let id = random::bytes::<ID_LENGTH>();
    let material = Zeroizing::new(random::bytes::<KEY_LENGTH>());
    let text = Zeroizing::new(format!(
        "{HEADER}\n{} {}\n",
        hex::encode(id),
        Zeroizing::new(hex::encode(*material)).as_str()
    ));
    let prepared = prepare(folder, text.as_bytes()).map_err(failed)?;
    prepared.persist_noclobber(file).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => KeysError::Exists { file: file.to_owned() },
        _ => failed(error.error),
    })?;
    // The name is in the folder, which is a file of its own to the disk.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Writes the whole text, on the disk and readable by its owner only, under a name that means nothing
/// yet: whoever dies half-way leaves no key file, rather than one without a key.
fn prepare(folder: &Path, text: &[u8]) -> std::io::Result<NamedTempFile> {
    let mode = std::fs::Permissions::from_mode(0o600);
    let mut file = tempfile::Builder::new().prefix(".usher-keys-").permissions(mode).tempfile_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Reads a key file.
pub(super) fn load(file: &Path) -> Result<Keys, KeysError> {
    let failed = |source: std::io::Error| KeysError::File { file: file.to_owned(), source };
    let mut opened = match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(KeysError::Missing { file: file.to_owned() });
        }
        other => other.map_err(failed)?,
    };
    let mode = opened.metadata().map_err(failed)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeysError::Exposed { file: file.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    opened.read_to_string(&mut text).map_err(failed)?;
    parse(&text).map_err(|(line, problem)| KeysError::Malformed { file: file.to_owned(), line, problem })
}

fn parse(text: &str) -> Result<Keys, (usize, &'static str)> {
    let mut lines = text.lines().zip(1..);
    if lines.next().map(|(line, _)| line.trim_end()) != Some(HEADER) {
        return Err((1, "expected the first line \"usher-keys 1\""));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (line, number) in lines {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut id = [0; ID_LENGTH];
        let mut material = Zeroizing::new([0; KEY_LENGTH]);
        let (first, second) = line.split_once(' ').ok_or((number, "expected an id, a blank and a key"))?;
        hex::decode_to_slice(first, &mut id).map_err(|_| (number, "the id is not 8 hexadecimal digits"))?;
        hex::decode_to_slice(second.trim(), &mut *material)
            .map_err(|_| (number, "the key is not 64 hexadecimal digits"))?;
        if keys.iter().any(|key| key.id == id) {
            return Err((number, "two keys have the same id"));
        }
        keys.push(Key::derive(id, &material));
    }
    if keys.is_empty() {
        return Err((2, "there is no key in the file"));
    }
    Ok(Keys { keys: keys.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn death_before_the_key_is_on_the_disk_leaves_no_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        // What is left behind where nothing cleans up any more.
        let (_, left) = prepare(folder.path(), b"usher-keys 1\n").unwrap().keep().unwrap();
        assert_eq!(std::fs::metadata(&left).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Keys::load(&file), Err(KeysError::Missing { .. })));
        Keys::create(&file).unwrap();
        Keys::load(&file).unwrap();
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "only the key file and what was left before");
    }

    #[test]
    fn a_new_file_is_private_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sub/keys");
        Keys::create(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let before = std::fs::read(&file).unwrap();
        assert!(matches!(Keys::create(&file), Err(KeysError::Exists { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), before);
        Keys::load(&file).unwrap();
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        Keys::create(&file).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(Keys::load(&file), Err(KeysError::Exposed { .. })), "mode {mode:o}");
        }
    }

    #[test]
    fn a_missing_file_says_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = Keys::load(&folder.path().join("keys")).unwrap_err();
        assert!(error.to_string().contains("usher keys new"), "{error}");
    }

    #[test]
    fn damaged_files_are_refused_without_quoting_a_key() {
        let key = "ab".repeat(KEY_LENGTH);
        for (text, line) in [
            (String::new(), 1),
            (format!("{HEADER}\n"), 2),
            (format!("{HEADER}\n01020304\n"), 2),
            (format!("{HEADER}\n0102 {key}\n"), 2),
            (format!("{HEADER}\n# comment\n01020304 {key}ab\n"), 3),
            (format!("{HEADER}\n01020304 {key}\n01020304 {key}\n"), 3),
        ] {
            let (at, problem) = parse(&text).unwrap_err();
            assert_eq!(at, line, "{problem}");
            assert!(!problem.contains(&key[..8]));
        }
    }
}

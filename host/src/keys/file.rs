//! The key file: read as a whole, and replaced as a whole.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use jiff::Timestamp;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::KeysError;
use super::ring::{ID_LENGTH, KEY_LENGTH, Key, KeyId, KeyRing};
use crate::{fail_point, random};

/// First line of every key file. A later format gets another number.
const HEADER: &str = "usher-keys 2";

/// First line of key files that do not say when their keys were made.
const UNDATED_HEADER: &str = "usher-keys 1";

/// Permission bits of group and world.
const OTHERS: u32 = 0o077;

/// A state of the file: any change of it gives another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// None where there is no file, or nobody may look.
    pub(super) fn of(file: &Path) -> Option<Self> {
        std::fs::metadata(file).ok().map(|found| Self::new(&found))
    }

    fn new(found: &Metadata) -> Self {
        Self {
            place: (found.dev(), found.ino()),
            size: found.size(),
            mode: found.mode(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// A key file that was opened.
struct Contents {
    text: Zeroizing<String>,
    found: Metadata,
}

/// Makes a key file with one new key, or gives a file without any its first.
pub(super) fn create(file: &Path, now: Timestamp) -> Result<KeyId, KeysError> {
    match read(file) {
        Err(KeysError::Missing { .. }) => {}
        Err(error) => return Err(error),
        Ok(contents) if contents.text.lines().all(|line| is_header(line) || is_silent(line)) => {
            return add_line(file, &contents, now);
        }
        Ok(_) => return Err(KeysError::Exists { file: file.to_owned() }),
    }
    let folder = folder_of(file);
    std::fs::create_dir_all(folder).map_err(failed(file))?;
    let (id, line) = draw(now, &[]);
    let text = Zeroizing::new(format!("{HEADER}\n{}\n", line.as_str()));
    let prepared = prepare(folder, text.as_bytes(), None).map_err(failed(file))?;
    prepared.persist_noclobber(file).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => KeysError::Exists { file: file.to_owned() },
        _ => failed(file)(error.error),
    })?;
    sync(folder).map_err(failed(file))?;
    Ok(id)
}

/// Adds a new key before the others.
pub(super) fn add(file: &Path, now: Timestamp) -> Result<KeyId, KeysError> {
    let contents = read(file)?;
    parse(&contents.text).map_err(malformed(file))?;
    add_line(file, &contents, now)
}

fn add_line(file: &Path, contents: &Contents, now: Timestamp) -> Result<KeyId, KeysError> {
    let ids: Vec<KeyId> = contents.text.lines().filter_map(id_of).collect();
    let (id, line) = draw(now, &ids);
    let kept = contents.text.lines().filter(|line| !is_header(line));
    replace(file, contents, std::iter::once(line.as_str()).chain(kept))?;
    Ok(id)
}

/// Takes a key out.
pub(super) fn remove(file: &Path, id: KeyId) -> Result<(), KeysError> {
    let contents = read(file)?;
    let ring = parse(&contents.text).map_err(malformed(file))?;
    if ring.with_id(id).is_none() {
        return Err(KeysError::NoSuchKey { file: file.to_owned(), id });
    }
    if ring.current().id == id {
        return Err(KeysError::InUse { id });
    }
    let kept = contents.text.lines().filter(|line| !is_header(line) && id_of(line) != Some(id));
    replace(file, &contents, kept)
}

/// Puts other lines in the place of those of the file, all at once.
fn replace<'a>(
    file: &Path,
    contents: &Contents,
    lines: impl Iterator<Item = &'a str>,
) -> Result<(), KeysError> {
    // Where the name is a link, the file that it leads to is replaced, and not the link.
    let file = file.canonicalize().map_err(failed(file))?;
    // As large as it can become, so that it never moves and leaves keys behind.
    let mut text = Zeroizing::new(String::with_capacity(contents.text.len() + 256));
    for line in std::iter::once(HEADER).chain(lines) {
        text.push_str(line);
        text.push('\n');
    }
    let folder = folder_of(&file);
    let prepared = prepare(folder, text.as_bytes(), Some(&contents.found)).map_err(failed(&file))?;
    fail_point::reached(|| "key file prepared".to_owned());
    prepared.persist(&file).map_err(|error| failed(&file)(error.error))?;
    sync(folder).map_err(failed(&file))?;
    fail_point::reached(|| "key file replaced".to_owned());
    Ok(())
}

/// A new key, and its line.
fn draw(now: Timestamp, others: &[KeyId]) -> (KeyId, Zeroizing<String>) {
    let id = loop {
        let id = KeyId(random::bytes::<ID_LENGTH>());
        if !others.contains(&id) {
            break id;
        }
    };
    let material = Zeroizing::new(random::bytes::<KEY_LENGTH>());
    let encoded = Zeroizing::new(hex::encode(*material));
    (id, Zeroizing::new(format!("{id} {} {now:.0}", encoded.as_str())))
}

fn failed(file: &Path) -> impl Fn(std::io::Error) -> KeysError {
    move |source| KeysError::File { file: file.to_owned(), source }
}

fn malformed(file: &Path) -> impl Fn((usize, &'static str)) -> KeysError {
    move |(line, problem)| KeysError::Malformed { file: file.to_owned(), line, problem }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name is in the folder, which is a file of its own to the disk.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}

/// Writes the whole text, on the disk and readable by its owner only, under a name that means nothing
/// yet: whoever dies half-way leaves no key file, rather than one without a key. It belongs to whom the
/// file belongs that it is to replace.
fn prepare(folder: &Path, text: &[u8], replaced: Option<&Metadata>) -> std::io::Result<NamedTempFile> {
    let mode = std::fs::Permissions::from_mode(0o600);
    let mut file = tempfile::Builder::new().prefix(".usher-keys-").permissions(mode).tempfile_in(folder)?;
    let own = file.as_file().metadata()?;
    if let Some(found) = replaced
        && (found.uid(), found.gid()) != (own.uid(), own.gid())
    {
        std::os::unix::fs::fchown(file.as_file(), Some(found.uid()), Some(found.gid()))?;
    }
    file.write_all(text)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Reads a key file.
pub(super) fn load(file: &Path) -> Result<(KeyRing, Stamp), KeysError> {
    let contents = read(file)?;
    let ring = parse(&contents.text).map_err(malformed(file))?;
    Ok((ring, Stamp::new(&contents.found)))
}

fn read(file: &Path) -> Result<Contents, KeysError> {
    let mut opened = match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(KeysError::Missing { file: file.to_owned() });
        }
        other => other.map_err(failed(file))?,
    };
    let found = opened.metadata().map_err(failed(file))?;
    let mode = found.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeysError::Exposed { file: file.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    opened.read_to_string(&mut text).map_err(failed(file))?;
    Ok(Contents { text, found })
}

fn is_header(line: &str) -> bool {
    [HEADER, UNDATED_HEADER].contains(&line.trim_end())
}

/// Whether the line has nothing to say to the program.
fn is_silent(line: &str) -> bool {
    line.trim().is_empty() || line.trim().starts_with('#')
}

/// The id that a line begins with, where it is the line of a key.
fn id_of(line: &str) -> Option<KeyId> {
    line.split_whitespace().next()?.parse().ok()
}

fn parse(text: &str) -> Result<KeyRing, (usize, &'static str)> {
    let mut lines = text.lines().zip(1..);
    let dated = match lines.next().map(|(line, _)| line.trim_end()) {
        Some(HEADER) => true,
        Some(UNDATED_HEADER) => false,
        _ => return Err((1, "expected the first line \"usher-keys 2\"")),
    };
    let mut keys: Vec<Key> = Vec::new();
    for (line, number) in lines.filter(|(line, _)| !is_silent(line)) {
        let key = parse_key(line, dated).map_err(|problem| (number, problem))?;
        if keys.iter().any(|other| other.id == key.id) {
            return Err((number, "two keys have the same id"));
        }
        keys.push(key);
    }
    KeyRing::new(keys).ok_or((2, "there is no key in the file"))
}

fn parse_key(line: &str, dated: bool) -> Result<Key, &'static str> {
    let mut words = line.split_whitespace();
    let (Some(id), Some(encoded)) = (words.next(), words.next()) else {
        return Err("expected an id, a blank and a key");
    };
    let id = id.parse().map_err(|_| "the id is not 8 hexadecimal digits")?;
    let mut material = Zeroizing::new([0; KEY_LENGTH]);
    hex::decode_to_slice(encoded, &mut *material).map_err(|_| "the key is not 64 hexadecimal digits")?;
    // A line from a file of the earlier format has none, wherever it stands now.
    let made = match words.next() {
        Some(moment) if dated => Some(moment.parse().map_err(|_| "the third word is not a moment")?),
        Some(_) => return Err("there is more on the line than an id and a key"),
        None => None,
    };
    match words.next() {
        Some(_) => Err("there is more on the line than an id, a key and a moment"),
        None => Ok(Key::derive(id, made, &material)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Keys;
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn death_before_the_key_is_on_the_disk_leaves_no_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        // What is left behind where nothing cleans up any more.
        let (_, left) = prepare(folder.path(), b"usher-keys 2\n", None).unwrap().keep().unwrap();
        assert_eq!(std::fs::metadata(&left).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Keys::load(&file), Err(KeysError::Missing { .. })));
        Keys::create(&file, NOW).unwrap();
        Keys::load(&file).unwrap();
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "only the key file and what was left before");
    }

    #[test]
    fn a_new_file_is_private_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sub/keys");
        Keys::create(&file, NOW).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let before = std::fs::read(&file).unwrap();
        assert!(matches!(Keys::create(&file, NOW), Err(KeysError::Exists { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), before);
        Keys::load(&file).unwrap();
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        Keys::create(&file, NOW).unwrap();
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
            (format!("{HEADER}\n01020304 {key} yesterday\n"), 2),
            (format!("{HEADER}\n01020304 {key} 2026-01-01T00:00:00Z {key}\n"), 2),
            (format!("{UNDATED_HEADER}\n01020304 {key} 2026-01-01T00:00:00Z\n"), 2),
            (format!("usher-keys 3\n01020304 {key}\n"), 1),
        ] {
            let (at, problem) = parse(&text).err().unwrap();
            assert_eq!(at, line, "{problem}");
            assert!(!problem.contains(&key[..8]));
        }
    }

    #[test]
    fn a_file_of_the_earlier_format_is_read_and_takes_a_new_key_without_losing_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let old = format!("{UNDATED_HEADER}\n# of the old host\n01020304 {}\n", "ab".repeat(KEY_LENGTH));
        std::fs::write(&file, &old).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let old_id: KeyId = "01020304".parse().unwrap();
        let keys = Keys::load(&file).unwrap();
        assert_eq!(keys.list()[0].id, old_id);
        assert_eq!(keys.list()[0].made, None);
        let sealed = keys.seal("p", b"x");

        let new_id = Keys::add(&file, NOW).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with(HEADER) && text.ends_with(old.strip_prefix(UNDATED_HEADER).unwrap()),
            "kept"
        );
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let listed = Keys::load(&file).unwrap().list();
        assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), [new_id, old_id]);
        assert_eq!(listed[0].made, Some(NOW));
        assert_eq!(Keys::load(&file).unwrap().open("p", &sealed).unwrap().as_slice(), b"x");

        assert!(matches!(Keys::remove(&file, new_id), Err(KeysError::InUse { .. })));
        Keys::remove(&file, old_id).unwrap();
        assert!(matches!(Keys::remove(&file, old_id), Err(KeysError::NoSuchKey { .. })));
        assert!(!std::fs::read_to_string(&file).unwrap().contains("abab"));
        assert!(Keys::load(&file).unwrap().open("p", &sealed).is_err());
    }

    #[test]
    fn a_file_without_a_key_gets_its_first_and_a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("keys"), folder.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for empty in ["", "# nothing yet\n", HEADER, "usher-keys 1\n\n"] {
            std::fs::write(&file, empty).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            let id = Keys::create(&link, NOW).unwrap();
            assert_eq!(Keys::load(&file).unwrap().list()[0].id, id, "{empty:?}");
            assert!(link.is_symlink());
        }
        std::fs::write(&file, "something else\n").unwrap();
        assert!(
            matches!(Keys::create(&link, NOW), Err(KeysError::Exists { .. })),
            "whatever it is, it is kept"
        );
    }
}

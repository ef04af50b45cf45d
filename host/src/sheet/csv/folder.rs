//! The folder that a spreadsheet is kept in: its lock, its files, and how one is replaced.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::sheet::SheetError;

/// Where the next content of a worksheet is written before it takes the old one's place.
const NEXT: &str = ".usher.next";

/// A folder of CSV files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// Held while the folder is used by this process alone. Ends when it is dropped, also by death.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a worksheet. The name is one that [`is_name`] accepts.
    pub(super) fn file(&self, worksheet: &str) -> PathBuf {
        self.path.join(format!("{worksheet}.csv"))
    }

    /// Waits until no other process uses the folder. It is the folder itself that is locked, so that
    /// reading leaves nothing behind.
    pub(super) fn lock(&self) -> Result<Lock, SheetError> {
        let file = File::open(&self.path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SheetError::NoFolder { folder: self.path.clone() },
            _ => failure("open", &self.path, source),
        })?;
        file.lock().map_err(|source| failure("lock", &self.path, source))?;
        Ok(Lock { _file: file })
    }

    /// The names of the worksheets, sorted.
    pub(super) fn worksheets(&self) -> Result<Vec<String>, SheetError> {
        let entries = std::fs::read_dir(&self.path).map_err(|source| failure("list", &self.path, source))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| failure("list", &self.path, source))?;
            let name = entry.file_name();
            if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".csv"))
                && is_name(name)
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The bytes of a worksheet.
    pub(super) fn read(&self, worksheet: &str) -> Result<Vec<u8>, SheetError> {
        let file = self.file(worksheet);
        if !is_name(worksheet) || self.metadata(&file)?.is_none() {
            let there = self.worksheets()?;
            return Err(SheetError::NoSuchWorksheet { worksheet: worksheet.to_owned(), there });
        }
        std::fs::read(&file).map_err(|source| failure("read", &file, source))
    }

    /// Puts new bytes in the place of a worksheet's old ones, all at once, unless somebody has saved others there.
    pub(super) fn replace(&self, worksheet: &str, old: &[u8], bytes: &[u8]) -> Result<(), SheetError> {
        let next = self.path.join(NEXT);
        self.write(&next, bytes, worksheet)?;
        // Writing took its time.
        if self.read(worksheet)? != old {
            self.remove(&next)?;
            return Err(SheetError::Changed { worksheet: worksheet.to_owned() });
        }
        self.rename(&next, &self.file(worksheet))?;
        self.sync()
    }

    /// Writes a file with the mode and owner of a worksheet, and waits until it is on the disk.
    pub(super) fn write(&self, file: &Path, bytes: &[u8], like: &str) -> Result<(), SheetError> {
        self.remove(file)?;
        let write = || -> io::Result<()> {
            let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            output.write_all(bytes)?;
            take_after(&output, &std::fs::metadata(self.file(like))?)?;
            output.sync_all()
        };
        write().map_err(|source| failure("write", file, source))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), SheetError> {
        std::fs::rename(from, to).map_err(|source| failure("replace", to, source))
    }

    /// Removes a file if it is there.
    pub(super) fn remove(&self, file: &Path) -> Result<(), SheetError> {
        match std::fs::remove_file(file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failure("remove", file, source)),
            _ => Ok(()),
        }
    }

    /// Waits until the names in the folder are on the disk.
    pub(super) fn sync(&self) -> Result<(), SheetError> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(|source| failure("write", &self.path, source))
    }

    /// What is at a place; none if nothing is.
    fn metadata(&self, file: &Path) -> Result<Option<Metadata>, SheetError> {
        match std::fs::symlink_metadata(file) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
            Ok(_) => Err(SheetError::NotAFile { file: file.to_owned() }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failure("read", file, source)),
        }
    }
}

/// Whether a worksheet may be called so. Names come from components too, and must not lead out of the folder.
pub(super) fn is_name(worksheet: &str) -> bool {
    !worksheet.is_empty() && !worksheet.starts_with('.') && !worksheet.contains(['/', '\\', '\0'])
}

/// Says what the operating system refused.
pub(super) fn failure(action: &'static str, file: &Path, source: io::Error) -> SheetError {
    let file = file.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            SheetError::Forbidden { action, file, source }
        }
        _ => SheetError::Io { action, file, source },
    }
}

/// Gives a file the mode of another one, and its owner and group as far as this user may.
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::fchown;
    let new = file.metadata()?;
    if new.gid() != old.gid() {
        // Without the right to give it away, the file keeps this user's group.
        let _not_ours_to_give = fchown(file, None, Some(old.gid()));
    }
    if new.uid() != old.uid() {
        let _not_ours_to_give = fchown(file, Some(old.uid()), None);
    }
    // Last, because a change of owner takes bits of the mode away.
    file.set_permissions(old.permissions())
}

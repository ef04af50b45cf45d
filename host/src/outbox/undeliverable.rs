//! Files of mails that were given up. They hold what users were to read, passwords' links too, and are
//! for the site's operator only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The name of a mail's file: the same each time, and another one for another mail.
pub(super) fn file_name(origin: &str, message_id: &str) -> String {
    let readable: String = origin
        .chars()
        .take(80)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .collect();
    let hash = Sha256::digest(format!("{origin}\n{message_id}"));
    format!("{}-{}.eml", readable, hex::encode(&hash[..8]))
}

/// Writes the file so that it is there as a whole or not at all, also if the power fails. Only the holder
/// of the mail's claim does this, so what an earlier attempt left half-done may be thrown away.
pub(super) fn keep(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let half_done = file.with_extension("eml.part");
    match std::fs::remove_file(&half_done) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half_done)?;
    output.write_all(bytes)?;
    output.sync_all()?;
    std::fs::rename(&half_done, file)?;
    File::open(folder)?.sync_all()
}

//! The image beside the site's name.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::http::asset::Asset;

/// A logo is small; a larger file is a photograph by mistake, and would be sent with every first visit.
const LARGEST: u64 = 512 * 1024;

/// The image beside the site's name.
#[derive(Clone, Debug)]
pub(in crate::http) struct Logo {
    /// The media type.
    kind: &'static str,
    /// The file.
    bytes: Vec<u8>,
}

/// Why the logo cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LogoError {
    /// The file cannot be read.
    #[error("setpass.page.logo: {file}: {reason}; check the path and that this user may read it", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// The file is too large.
    #[error("setpass.page.logo: {file}: larger than {} KiB; make the image smaller", LARGEST / 1024, file = file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The file is no image that browsers show.
    #[error("setpass.page.logo: {file}: neither PNG, JPEG, WebP nor SVG; convert it to one of these", file = file.display())]
    NoImage {
        /// The file.
        file: PathBuf,
    },
}

impl Logo {
    /// Reads a file. Its type is told by what is in it.
    pub(super) fn read(file: &Path) -> Result<Self, LogoError> {
        let name = || file.to_owned();
        let mut bytes = Vec::new();
        File::open(file)
            // A byte more, to see whether there is more.
            .and_then(|opened| opened.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(|reason| LogoError::Unreadable { file: name(), reason })?;
        if bytes.len() as u64 > LARGEST {
            return Err(LogoError::TooLarge { file: name() });
        }
        let kind = kind(&bytes).ok_or_else(|| LogoError::NoImage { file: name() })?;
        Ok(Self { kind, bytes })
    }

    /// As pages load it.
    pub(super) fn into_asset(self) -> Asset {
        Asset::new(self.kind, self.bytes)
    }
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some("image/jpeg");
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    // An SVG begins with a declaration and comments, or none. It is shown as an image, in which no script
    // runs, and the policy that it is served with forbids scripts also where it is opened by itself.
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim_start();
    (text.starts_with('<') && text.contains("<svg")).then_some("image/svg+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<&'static str, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("logo");
        std::fs::write(&file, content).unwrap();
        Logo::read(&file).map(|logo| logo.kind).map_err(|error| error.to_string())
    }

    #[test]
    fn the_type_is_told_by_the_content() {
        assert_eq!(read(b"\x89PNG\r\n\x1a\n..."), Ok("image/png"));
        assert_eq!(read(b"\xff\xd8\xff\xe0"), Ok("image/jpeg"));
        assert_eq!(read(b"RIFF....WEBPVP8 "), Ok("image/webp"));
        assert_eq!(read("<?xml version=\"1.0\"?>\n<!-- ä --><svg/>".as_bytes()), Ok("image/svg+xml"));
    }

    #[test]
    fn other_files_missing_ones_and_large_ones_are_refused() {
        for content in [b"".as_slice(), b"<html></html>", b"GIF89a", b"svg <svg/>", b"\xff<svg/>"] {
            assert!(read(content).unwrap_err().contains("neither PNG"), "{content:?}");
        }
        let large = [b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 512 * 1024]].concat();
        assert!(read(&large).unwrap_err().contains("larger than 512 KiB"));
        let missing = Logo::read(Path::new("/nowhere/logo.png")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/logo.png"), "{missing}");
    }
}

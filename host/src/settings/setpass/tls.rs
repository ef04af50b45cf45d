//! `[setpass.tls]`: the certificate with which setpass speaks HTTPS itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The files of a certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and after it those that lead to an authority, in PEM form.
    pub certificate: PathBuf,
    /// Its key in PEM form, not encrypted.
    pub key: PathBuf,
}

impl Tls {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        for file in [&mut self.certificate, &mut self.key] {
            crate::settings::resolve(folder, file);
        }
    }
}

//! Where a secret is: in a file or in the environment, never in the settings file itself.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Where to find a secret. Nothing is read before it is needed.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The content of a file, without the line break at its end.
    File(PathBuf),
    /// The value of an environment variable.
    Environment(String),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {file}: {source}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The environment variable is not set, or not text.
    #[error("the environment variable {0} that should hold the secret is not set")]
    Environment(String),
    /// There is nothing in it.
    #[error("the secret from {0} is empty")]
    Empty(String),
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            file: Option<PathBuf>,
            env: Option<String>,
        }
        const EXPECTED: &str =
            "a secret is not written here: expected { file = \"PATH\" } or { env = \"VARIABLE\" }";
        // serde asks here, too, whether a secret may be left out.
        let explained = |error: D::Error| match error.to_string().starts_with("missing field") {
            true => error,
            false => D::Error::custom(EXPECTED),
        };
        match Table::deserialize(deserializer).map_err(explained)? {
            Table { file: Some(file), env: None } => Ok(Self::File(file)),
            Table { file: None, env: Some(variable) } => Ok(Self::Environment(variable)),
            _ => Err(D::Error::custom(EXPECTED)),
        }
    }
}

impl SecretSource {
    /// Takes a relative path from the settings file's folder.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        if let Self::File(file) = self {
            super::resolve(folder, file);
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// Where there is none.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let (text, place) = match self {
            Self::File(file) => (
                std::fs::read_to_string(file)
                    .map_err(|source| SecretError::File { file: file.clone(), source })?,
                file.display().to_string(),
            ),
            Self::Environment(variable) => (
                std::env::var(variable).map_err(|_| SecretError::Environment(variable.clone()))?,
                variable.clone(),
            ),
        };
        let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
        if secrecy::ExposeSecret::expose_secret(&secret).is_empty() {
            return Err(SecretError::Empty(place));
        }
        Ok(secret)
    }
}

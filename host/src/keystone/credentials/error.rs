//! Why the account that Usher uses cannot be used.

use std::path::PathBuf;

/// Why the account cannot be used. All of these are final: somebody has to correct something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A secret of the settings cannot be read.
    #[error("keystone.auth: {0}")]
    Secret(String),
    /// There is no `clouds.yaml`.
    #[error(
        "keystone.auth: no clouds.yaml at the usual places (the working directory, ~/.config/openstack, \
         /etc/openstack); write one there, or name it in keystone.auth.file"
    )]
    NoCloudsFile,
    /// `clouds.yaml` or `secure.yaml` cannot be read.
    #[error("{file}: cannot be used as a clouds.yaml: {reason}", file = file.display())]
    CloudsFile {
        /// The file.
        file: PathBuf,
        /// What is wrong; no value of the file.
        reason: String,
    },
    /// There is no such entry.
    #[error("clouds.yaml has no entry {cloud}; it has {}", if entries.is_empty() { "none".to_owned() } else { entries.join(", ") })]
    NoSuchCloud {
        /// The entry that was asked for.
        cloud: String,
        /// The entries there are.
        entries: Vec<String>,
    },
    /// Something is missing.
    #[error("{place}: {what} is missing")]
    Missing {
        /// Where, such as `cloud minicloud` or `environment`.
        place: String,
        /// What, such as `auth.password`.
        what: &'static str,
    },
    /// Something cannot be used.
    #[error("{place}: {what}: {problem}")]
    Unusable {
        /// Where, such as `cloud minicloud` or `environment`.
        place: String,
        /// What, such as `auth_type`.
        what: &'static str,
        /// Why, and what to do.
        problem: String,
    },
    /// The file of certificates cannot be used.
    #[error("cannot use the certificates in {file}: {reason}; check keystone.ca_file or the cloud's cacert", file = file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}; is the package ca-certificates installed?")]
    Tls(String),
}

//! `[keystone]`: the cloud's identity service and the account that Usher uses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::secret::SecretSource;
use crate::registration::fold;

/// How long one call may take at most where setpass is served: its requests are given up after two minutes, and what is
/// claimed for a change of a password is free again after five.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(100);

/// The identity service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keystone {
    /// Who Usher is.
    pub auth: Auth,
    /// Id of the domain that users and projects are created in.
    #[serde(default = "default_domain")]
    pub domain: String,
    /// Role that users get on their projects.
    #[serde(default = "member")]
    pub member_role: String,
    /// Project whose scope a caller of setpass's PUT must be able to get.
    #[serde(default = "admin")]
    pub admin_project: String,
    /// Id of the domain of `admin_project`.
    #[serde(default = "default_domain")]
    pub admin_project_domain: String,
    /// Region whose services' quotas are set; what the cloud's entry or `OS_REGION_NAME` says where it is
    /// not set here, and the only region where there is just one.
    pub region: Option<String>,
    /// Which of a service's endpoints to use; what the cloud's entry or `OS_INTERFACE` says where it is
    /// not set here, and public where nothing does.
    pub interface: Option<Interface>,
    /// Certificates of authorities to trust besides the system's, in PEM form.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    #[serde(default = "half_a_minute", deserialize_with = "super::duration::deserialize")]
    pub timeout: Duration,
    /// How many calls to the cloud's services are made at the same time at most.
    #[serde(default = "sixteen")]
    pub concurrency: usize,
    /// How often a call that failed in passing is made again.
    #[serde(default = "three")]
    pub retries: u32,
}

/// Which of a service's endpoints in the catalog to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// For everybody.
    #[default]
    Public,
    /// For the cloud's own services.
    Internal,
    /// For administrators.
    Admin,
}

/// How Usher proves who it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// An entry of `clouds.yaml` (and `secure.yaml`), looked for where OpenStack's clients look.
    Cloud {
        /// Name of the entry.
        cloud: String,
        /// The file, where it is not at one of the usual places.
        file: Option<PathBuf>,
    },
    /// The `OS_*` environment variables that OpenStack's clients read.
    Environment,
    /// A user name and password, scoped to a project.
    Password {
        /// Keystone's URL, such as `https://keystone.example.org:5000/v3`.
        url: Url,
        /// User name.
        username: String,
        /// Id of the user's domain.
        #[serde(default = "default_domain")]
        user_domain: String,
        /// Password.
        password: SecretSource,
        /// Project.
        project: String,
        /// Id of the project's domain.
        #[serde(default = "default_domain")]
        project_domain: String,
    },
    /// An application credential.
    ApplicationCredential {
        /// Keystone's URL.
        url: Url,
        /// Id of the credential.
        id: String,
        /// Its secret.
        secret: SecretSource,
    },
}

fn default_domain() -> String {
    "default".to_owned()
}

fn member() -> String {
    "member".to_owned()
}

fn admin() -> String {
    "admin".to_owned()
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn three() -> u32 {
    3
}

fn sixteen() -> usize {
    16
}

impl Keystone {
    /// The folded name of the administrators' project, where it is in the domain of the users' projects.
    #[must_use]
    pub fn closed_project(&self) -> Option<String> {
        (self.admin_project_domain == self.domain).then(|| fold(&self.admin_project))
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        if let Some(file) = &mut self.ca_file {
            super::resolve(folder, file);
        }
        match &mut self.auth {
            Auth::Cloud { file: Some(file), .. } => super::resolve(folder, file),
            Auth::Password { password: secret, .. } | Auth::ApplicationCredential { secret, .. } => {
                secret.resolve(folder);
            }
            Auth::Cloud { file: None, .. } | Auth::Environment => {}
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        if self.concurrency == 0 {
            let message = "with 0 calls at a time nothing is ever done; expected 1 or more";
            return Err(("keystone.concurrency".to_owned(), message.to_owned()));
        }
        match &self.auth {
            Auth::Password { url, .. } | Auth::ApplicationCredential { url, .. }
                if !matches!(url.scheme(), "http" | "https") =>
            {
                Err(("keystone.auth.url".to_owned(), "expected an http or https URL".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

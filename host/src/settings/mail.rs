//! `[mail]`: the mail server and the site's own addresses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::secret::SecretSource;

/// The mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Host name of the server, which its certificate must carry.
    pub host: String,
    /// Port; by default 587, 465 with `security = "tls"`, and 25 with `security = "plain"`.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub security: Security,
    /// Certificates of authorities to trust besides the system's, in PEM form.
    pub ca_file: Option<PathBuf>,
    /// Who Usher is to the server, where the server asks.
    pub login: Option<Login>,
    /// Sender of every mail that does not name another, as an address or `Name <address>`.
    pub sender: String,
    /// Address of the helpdesk's ticket system.
    pub helpdesk: String,
    /// How long one exchange with the server may take.
    #[serde(default = "half_a_minute", deserialize_with = "super::duration::deserialize")]
    pub timeout: Duration,
    /// How long the server may look at a whole mail before it takes it. Who gives up earlier sends again what a
    /// slow content filter was about to take.
    #[serde(default = "ten_minutes", deserialize_with = "super::duration::deserialize")]
    pub content_timeout: Duration,
    /// Folder where mail that was finally refused is kept, one `.eml` file each.
    pub undeliverable: PathBuf,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Plain at first, and nothing sent before TLS has started (RFC 3207).
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all. Password links would cross the network in clear.
    Plain,
}

/// A login to the mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretSource,
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

/// What RFC 5321, section 4.5.3.2.6, asks for.
fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

impl Mail {
    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::Plain => 25,
        })
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        super::resolve(folder, &mut self.undeliverable);
        if let Some(file) = &mut self.ca_file {
            super::resolve(folder, file);
        }
        if let Some(login) = &mut self.login {
            login.password.resolve(folder);
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("mail.{key}"), message.to_owned()));
        if self.security == Security::Plain && self.login.is_some() {
            return fail("login", "a login over security = \"plain\" would show the password to the network");
        }
        if self.security == Security::Plain && self.ca_file.is_some() {
            return fail("ca_file", "there is no certificate to check with security = \"plain\"");
        }
        for (key, address) in [("sender", &self.sender), ("helpdesk", &self.helpdesk)] {
            if address.parse::<lettre::message::Mailbox>().is_err() {
                return fail(key, "expected an e-mail address, or Name <address>");
            }
        }
        Ok(())
    }
}

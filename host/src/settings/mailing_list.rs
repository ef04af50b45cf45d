//! `[mailing_list]`: the mailing list that new users are subscribed to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::secret::SecretSource;

/// Who keeps the list.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MailingList {
    /// Mailman 3, which has a REST API.
    Mailman(Mailman),
    /// Majordomo, which is told by mail.
    Majordomo(Majordomo),
    /// A program of the site's own.
    Command(Command),
}

/// A list that Mailman 3 keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailman {
    /// Root of the REST API, such as `http://localhost:8001/3.1`.
    pub url: Url,
    /// User name of the API: `admin_user` in `mailman.cfg`.
    pub user: String,
    /// Its password: `admin_pass` there.
    pub password: SecretSource,
    /// Id of the list: its address with a dot for the at sign.
    pub list: String,
    /// Certificates of authorities to trust besides the system's, in PEM form.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    #[serde(default = "half_a_minute", deserialize_with = "super::duration::deserialize")]
    pub timeout: Duration,
}

/// A list that Majordomo keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Majordomo {
    /// Address that commands are mailed to.
    pub address: String,
    /// Name of the list.
    pub list: String,
    /// Password of the list with which a subscription needs nobody's approval.
    pub password: Option<SecretSource>,
}

/// A list that a program keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments. No shell reads them.
    pub command: Vec<String>,
    /// How long it may run.
    #[serde(default = "a_minute", deserialize_with = "super::duration::deserialize")]
    pub timeout: Duration,
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

impl MailingList {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        match self {
            Self::Mailman(mailman) => {
                mailman.password.resolve(folder);
                if let Some(file) = &mut mailman.ca_file {
                    super::resolve(folder, file);
                }
            }
            Self::Majordomo(majordomo) => {
                if let Some(password) = &mut majordomo.password {
                    password.resolve(folder);
                }
            }
            Self::Command(Command { command, .. }) => {
                // What has no stroke in it is looked for where programs are.
                if let Some(program) = command.first_mut().filter(|program| program.contains('/'))
                    && Path::new(program).is_relative()
                {
                    *program = folder.join(&*program).display().to_string();
                }
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, what: &str| Err((format!("mailing_list.{key}"), what.to_owned()));
        match self {
            Self::Mailman(mailman) => {
                if !matches!(mailman.url.scheme(), "http" | "https") {
                    return wrong("url", "expected an http or https URL");
                }
                if mailman.list.contains('@') || !is_word(&mailman.list) {
                    return wrong(
                        "list",
                        "expected the list's id, which is its address with a dot for the at sign: users.lists.example.org",
                    );
                }
            }
            Self::Majordomo(majordomo) => {
                if majordomo.address.parse::<lettre::Address>().is_err() {
                    return wrong("address", "expected an e-mail address");
                }
                if !is_word(&majordomo.list) {
                    return wrong("list", "expected the list's name, which is one word without an at sign");
                }
            }
            Self::Command(Command { command, .. }) => {
                if command.first().is_none_or(|program| program.trim().is_empty()) {
                    return wrong(
                        "command",
                        "expected a program and its arguments: [\"PROGRAM\", \"ARGUMENT\"]",
                    );
                }
                if command.iter().any(|word| word.contains('\0')) {
                    return wrong("command", "no argument can hold a NUL");
                }
            }
        }
        Ok(())
    }
}

/// Whether a name can stand in a command or in a URL as it is.
fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | '?' | '#' | '%' | '@'))
}

//! `[setpass]`: the page where users choose passwords.

pub mod page;
pub mod proxies;
pub mod reset;
pub mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::sheet::is_protected;

/// What the setpass that `remote` names decides, so that it has no meaning here.
const DECIDED_ELSEWHERE: [&str; 9] = [
    "max_attempts",
    "max_attempts_per_day",
    "max_attempts_per_client",
    "min_password_length",
    "audit_client",
    "trusted_proxies",
    "forwarded_header",
    "reset",
    "page",
];

/// How few characters may be asked for: fewer than NIST SP 800-63B-4 allows are none.
pub const SHORTEST_PASSWORD: usize = 8;

/// How many characters may be asked for: more are a passphrase that few can type.
const LONGEST_MINIMUM: usize = 64;

/// The setpass page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setpass {
    /// Address and port that `usher serve` listens on.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// URL of the setpass on another machine, where users are registered with that one.
    pub remote: Option<Url>,
    /// Certificates of authorities to trust besides the system's when it is called, in PEM form.
    pub remote_ca_file: Option<PathBuf>,
    /// URL under which users reach the page, where it is not the one of `remote`; see [`Setpass::public_url`].
    pub public_url: Option<Url>,
    /// How long a link works.
    #[serde(default = "a_day", deserialize_with = "super::duration::deserialize")]
    pub token_lifetime: Duration,
    /// How many PINs may be tried with one link.
    #[serde(default = "five")]
    pub max_attempts: u32,
    /// How many PINs may be tried for one user within 24 hours, over all of that user's links.
    #[serde(default = "twenty")]
    pub max_attempts_per_day: u32,
    /// How many wrong PINs one client may send within an hour, over all links.
    #[serde(default = "three_hundred")]
    pub max_attempts_per_client: u32,
    /// How many characters a new password has to have.
    #[serde(default = "eight")]
    pub min_password_length: usize,
    /// What the audit trail says of where a request came from.
    #[serde(default)]
    pub audit_client: RecordedClient,
    /// How long the audit trail is kept.
    #[serde(default = "a_year", deserialize_with = "super::duration::deserialize")]
    pub audit_retention: Duration,
    /// How long open requests may take to finish when the server is told to stop.
    #[serde(default = "ten_seconds", deserialize_with = "super::duration::deserialize")]
    pub grace: Duration,
    /// For how long clients are still let in after that, where that is not to end at once.
    #[serde(default, deserialize_with = "super::duration::deserialize_some")]
    pub stop_delay: Option<Duration>,
    /// The certificate with which the server speaks HTTPS itself, where it does.
    pub tls: Option<tls::Tls>,
    /// How many connections may be open at the same time.
    #[serde(default = "two_thousand")]
    pub max_connections: u32,
    /// How many of them one client may have; an eighth, or 8 where that is less, where it is not set.
    pub max_connections_per_client: Option<u32>,
    /// How long a client may take for each of its parts of a conversation, and between two requests.
    #[serde(default = "twenty_seconds", deserialize_with = "super::duration::deserialize")]
    pub client_timeout: Duration,
    /// The proxies whose word counts about where a request comes from.
    #[serde(default)]
    pub trusted_proxies: proxies::TrustedProxies,
    /// The header in which they write it.
    #[serde(default)]
    pub forwarded_header: proxies::ForwardedHeader,
    /// The page where users ask for a link.
    #[serde(default)]
    pub reset: reset::Reset,
    /// How the pages look.
    #[serde(default)]
    pub page: page::Page,
}

/// What the audit trail says of where a request came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedClient {
    /// A name that stays the same for one client and tells nobody without the key file which it is.
    #[default]
    Pseudonym,
    /// The address.
    Address,
    /// Nothing.
    Nothing,
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5001))
}

fn a_day() -> Duration {
    Duration::from_secs(86_400)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn a_year() -> Duration {
    Duration::from_secs(365 * 86_400)
}

fn eight() -> usize {
    SHORTEST_PASSWORD
}

fn twenty_seconds() -> Duration {
    Duration::from_secs(20)
}

fn two_thousand() -> u32 {
    2048
}

fn five() -> u32 {
    5
}

fn twenty() -> u32 {
    20
}

fn three_hundred() -> u32 {
    300
}

impl Setpass {
    /// URL under which users reach the page; the links in mails start with it.
    #[must_use]
    pub fn public_url(&self) -> &Url {
        let url = self.public_url.as_ref().or(self.remote.as_ref());
        url.expect("settings with neither public_url nor remote are refused when they are read")
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        self.page.resolve(folder);
        if let Some(tls) = &mut self.tls {
            tls.resolve(folder);
        }
        if let Some(file) = &mut self.remote_ca_file {
            super::resolve(folder, file);
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("setpass.{key}"), message.to_owned()));
        let expected = "expected an https URL (http only for a loopback address)";
        if self.public_url.is_none() && self.remote.is_none() {
            let message = "the URL under which users reach the page is missing; write it, or name the setpass of \
                           another machine as setpass.remote";
            return fail("public_url", message);
        }
        if self.public_url.as_ref().is_some_and(|url| !is_protected(url)) {
            return fail("public_url", expected);
        }
        if self.remote.as_ref().is_some_and(|url| !is_protected(url)) {
            return fail("remote", expected);
        }
        for (key, url) in [("public_url", &self.public_url), ("remote", &self.remote)] {
            let Some(url) = url else { continue };
            if !url.username().is_empty() || url.password().is_some() {
                return fail(
                    key,
                    "a URL with a user or a password would be mailed to everybody; take them out",
                );
            }
            if url.query().is_some() || url.fragment().is_some() {
                return fail(key, "expected the root of a setpass: a URL without a query");
            }
        }
        if self.remote_ca_file.is_some() && self.remote.is_none() {
            return fail("remote_ca_file", "it is of use only with setpass.remote; take it out");
        }
        if self.max_attempts == 0 {
            return fail("max_attempts", "with 0 attempts nobody can set a password; expected 1 or more");
        }
        if self.max_attempts_per_day < self.max_attempts {
            return fail("max_attempts_per_day", "must not be smaller than max_attempts");
        }
        if !(SHORTEST_PASSWORD..=LONGEST_MINIMUM).contains(&self.min_password_length) {
            let message = format!("expected {SHORTEST_PASSWORD} to {LONGEST_MINIMUM} characters");
            return Err(("setpass.min_password_length".to_owned(), message));
        }
        if self.max_attempts_per_client < self.max_attempts {
            return fail("max_attempts_per_client", "must not be smaller than max_attempts");
        }
        self.reset.check()?;
        if self.max_connections == 0 {
            return fail(
                "max_connections",
                "with 0 connections nobody can set a password; expected 1 or more",
            );
        }
        if self.max_connections_per_client.is_some_and(|most| most == 0 || most > self.max_connections) {
            return fail(
                "max_connections_per_client",
                "expected 1 or more, and no more than max_connections",
            );
        }
        self.page.check()
    }

    /// Refuses keys that are written here and have no meaning here.
    pub(crate) fn check_written(&self, is_written: impl Fn(&str) -> bool) -> Result<(), (String, String)> {
        let mut written = DECIDED_ELSEWHERE.into_iter().map(|key| format!("setpass.{key}"));
        match (&self.remote, written.find(|key| is_written(key))) {
            (Some(_), Some(key)) => {
                let message = "the setpass that setpass.remote names decides this; write it into the settings of \
                               that one, and take it out here";
                Err((key, message.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_link_works_for_a_day_and_takes_five_pins() {
        let setpass: Setpass = toml::from_str("public_url = \"https://setpass.example.org/\"").unwrap();
        setpass.check().unwrap();
        assert_eq!(setpass.token_lifetime, Duration::from_secs(24 * 3600));
        assert_eq!((setpass.max_attempts, setpass.max_attempts_per_day), (5, 20));
        assert_eq!((setpass.min_password_length, setpass.audit_client), (8, RecordedClient::Pseudonym));
    }

    #[test]
    fn a_share_of_the_connections_that_is_none_is_refused() {
        for (share, is_right) in [(0, false), (1, true), (100, true), (101, false)] {
            let text = format!(
                "public_url = \"https://setpass.example.org/\"\nmax_connections = 100\n\
                 max_connections_per_client = {share}"
            );
            let checked = toml::from_str::<Setpass>(&text).unwrap().check();
            let key = checked.err().map(|(key, _)| key);
            assert_eq!(key.is_none(), is_right, "{share}");
            assert!(key.is_none_or(|key| key == "setpass.max_connections_per_client"));
        }
    }

    #[test]
    fn a_shortest_password_that_guards_nothing_is_refused() {
        for length in [0, 7, 65] {
            let text =
                format!("public_url = \"https://setpass.example.org/\"\nmin_password_length = {length}");
            let (key, message) = toml::from_str::<Setpass>(&text).unwrap().check().unwrap_err();
            assert_eq!(key, "setpass.min_password_length", "{message}");
        }
    }
}

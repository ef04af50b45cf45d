//! `[setpass]`: the page where users choose passwords.

pub mod page;
pub mod proxies;
pub mod reset;
pub mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// The setpass page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setpass {
    /// Address and port that `usher serve` listens on.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// URL under which users reach the page; the links in mails start with it.
    pub public_url: Url,
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
    /// How long open requests may take to finish when the server is told to stop.
    #[serde(default = "ten_seconds", deserialize_with = "super::duration::deserialize")]
    pub grace: Duration,
    /// The certificate with which the server speaks HTTPS itself, where it does.
    pub tls: Option<tls::Tls>,
    /// How many connections may be open at the same time.
    #[serde(default = "two_thousand")]
    pub max_connections: u32,
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

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5001))
}

fn a_day() -> Duration {
    Duration::from_secs(86_400)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
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
    pub(crate) fn resolve(&mut self, folder: &Path) {
        self.page.resolve(folder);
        if let Some(tls) = &mut self.tls {
            tls.resolve(folder);
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("setpass.{key}"), message.to_owned()));
        let loopback =
            self.public_url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127."));
        match self.public_url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return fail("public_url", "expected an https URL (http only for a loopback address)"),
        }
        if self.max_attempts == 0 {
            return fail("max_attempts", "with 0 attempts nobody can set a password; expected 1 or more");
        }
        if self.max_attempts_per_day < self.max_attempts {
            return fail("max_attempts_per_day", "must not be smaller than max_attempts");
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
        self.page.check()
    }
}

//! `[sheet]`: where the sign-up sheets are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// The sign-up sheets.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "backend", rename_all = "lowercase")]
pub enum Sheet {
    /// A folder for each sheet, with one CSV file per worksheet.
    Csv(Csv),
    /// Spreadsheets at Google.
    Google(Google),
}

/// Sheets as CSV files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// Folder of the access sheet.
    pub access: PathBuf,
    /// Folder of the quota sheet, where there is one.
    pub quota: Option<PathBuf>,
    /// Whether the reason is written beside a row that could not be processed.
    #[serde(default)]
    pub write_errors: bool,
}

/// Spreadsheets at Google.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Google {
    /// The JSON key file of the service account that the spreadsheets are shared with.
    pub credentials: PathBuf,
    /// Id of the access sheet: the part of its URL between `/d/` and `/edit`.
    pub access: String,
    /// Id of the quota sheet, where there is one.
    pub quota: Option<String>,
    /// Whether the reason is written beside a row that could not be processed.
    #[serde(default)]
    pub write_errors: bool,
    /// How long one call may take.
    #[serde(default = "timeout", with = "super::duration")]
    pub timeout: Duration,
    /// Where the Sheets API is.
    #[serde(default = "base_url")]
    pub base_url: Url,
}

fn timeout() -> Duration {
    Duration::from_secs(60)
}

fn base_url() -> Url {
    Url::parse("https://sheets.googleapis.com/").expect("it is a URL")
}

impl Sheet {
    /// Where people open a sheet in a browser, as far as its place tells: the access sheet, or the quota sheet.
    #[must_use]
    pub fn web_address(&self, quota: bool) -> Option<String> {
        let Self::Google(google) = self else { return None };
        let id = if quota { google.quota.as_ref()? } else { &google.access };
        Some(format!("https://docs.google.com/spreadsheets/d/{id}/edit"))
    }

    /// Whether the reason is written beside a row that could not be processed.
    #[must_use]
    pub fn write_errors(&self) -> bool {
        match self {
            Self::Csv(csv) => csv.write_errors,
            Self::Google(google) => google.write_errors,
        }
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        match self {
            Self::Csv(csv) => {
                super::resolve(folder, &mut csv.access);
                if let Some(quota) = &mut csv.quota {
                    super::resolve(folder, quota);
                }
            }
            Self::Google(google) => super::resolve(folder, &mut google.credentials),
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let Self::Google(google) = self else { return Ok(()) };
        let wrong = |key: &str, what: &str| Err((format!("sheet.{key}"), what.to_owned()));
        for (key, id) in [("access", Some(&google.access)), ("quota", google.quota.as_ref())] {
            let is_id = |id: &String| {
                !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            if !id.is_none_or(is_id) {
                return wrong(
                    key,
                    "it has to be the id of a spreadsheet alone: the part of its URL between /d/ and /edit",
                );
            }
        }
        if google.quota.as_ref() == Some(&google.access) {
            return wrong("quota", "it is the access sheet too; name another spreadsheet, or leave it out");
        }
        if !is_protected(&google.base_url) {
            return wrong("base_url", "it has to be an https URL, or http at a loopback address");
        }
        Ok(())
    }
}

/// Whether what goes to a URL cannot be read on the way: it is https, or stays on this machine.
#[must_use]
pub fn is_protected(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

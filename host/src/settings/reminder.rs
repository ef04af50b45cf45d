//! `[reminder]`: how approvers are reminded of requests that nobody has decided on.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::registration::SheetKind;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reminders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminder {
    /// Addresses of the approvers.
    pub to: Vec<String>,
    /// How long a request waits before the first reminder.
    #[serde(default = "two_days", deserialize_with = "super::duration::deserialize")]
    pub first_after: Duration,
    /// How long after a reminder the next one follows.
    #[serde(default = "two_days", deserialize_with = "super::duration::deserialize")]
    pub repeat_every: Duration,
    /// Addresses of those who are told as well of requests that reminders did not help.
    #[serde(default)]
    pub escalate_to: Vec<String>,
    /// How many reminders of a request there were before.
    #[serde(default = "three")]
    pub escalate_after: u32,
    /// Where approvers open the access sheet; by default its place at Google.
    pub access_url: Option<Url>,
    /// Where approvers open the quota sheet; by default its place at Google.
    pub quota_url: Option<Url>,
}

fn two_days() -> Duration {
    2 * DAY
}

fn three() -> u32 {
    3
}

impl Reminder {
    /// Where approvers open a sheet, where the settings say.
    #[must_use]
    pub fn url(&self, sheet: SheetKind) -> Option<&Url> {
        match sheet {
            SheetKind::Access => self.access_url.as_ref(),
            SheetKind::Quota => self.quota_url.as_ref(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("reminder.{key}"), message.to_owned()));
        if self.to.is_empty() {
            return fail("to", "expected at least one address");
        }
        for (key, addresses) in [("to", &self.to), ("escalate_to", &self.escalate_to)] {
            if addresses.iter().any(|address| address.parse::<lettre::message::Mailbox>().is_err()) {
                return fail(key, "expected e-mail addresses, or Name <address>");
            }
        }
        if self.escalate_after == 0 {
            return fail(
                "escalate_after",
                "expected 1 or more: those in escalate_to are told after that many reminders",
            );
        }
        for (key, url) in [("access_url", &self.access_url), ("quota_url", &self.quota_url)] {
            if url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
                return fail(key, "expected an http or https URL");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Reminder {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn approvers_suffice_and_what_cannot_be_is_named() {
        let reminder = read("to = [\"approvers@example.org\"]");
        assert_eq!(reminder.check(), Ok(()));
        assert_eq!(
            (reminder.first_after, reminder.repeat_every, reminder.escalate_after),
            (2 * DAY, 2 * DAY, 3)
        );
        for (text, key) in [
            ("to = []", "reminder.to"),
            ("to = [\"approvers\"]", "reminder.to"),
            (
                "to = [\"a@example.org\"]\nescalate_to = [\"a@example.org, b@example.org\"]",
                "reminder.escalate_to",
            ),
            ("to = [\"a@example.org\"]\nescalate_after = 0", "reminder.escalate_after"),
            ("to = [\"a@example.org\"]\naccess_url = \"javascript:alert(1)\"", "reminder.access_url"),
        ] {
            assert_eq!(read(text).check().unwrap_err().0, key, "{text}");
        }
    }
}

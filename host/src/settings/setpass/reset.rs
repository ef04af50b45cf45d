//! `[setpass.reset]`: the page where users who forgot their password ask for a link.

use std::time::Duration;

use serde::Deserialize;

/// How few digits a site may ask for, and how many.
const DIGITS: std::ops::RangeInclusive<u32> = 4..=12;

/// Who answers those who ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetMode {
    /// The helpdesk, which gets a ticket.
    #[default]
    Helpdesk,
    /// Usher itself, which mails a link to the address of the account.
    SelfService,
    /// Nobody: the page only says whom to write to.
    Off,
}

/// The page where users ask for a link.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reset {
    /// Who answers those who ask.
    pub mode: ResetMode,
    /// How many digits a PIN that is chosen there has at least.
    pub pin_digits: u32,
    /// How long the helpdesk has to decide a case.
    #[serde(deserialize_with = "crate::settings::duration::deserialize")]
    pub case_lifetime: Duration,
    /// How often one account may be asked for within 24 hours.
    pub max_per_account: u32,
    /// How often one client may ask within an hour.
    pub max_per_client: u32,
    /// How often one client may ask within 24 hours, where it is set; see [`Reset::per_client_per_day`].
    pub max_per_client_per_day: Option<u32>,
    /// How often all together may ask within 24 hours.
    pub max_in_total: u32,
    /// Users with one of these roles, wherever, get no link that was asked for here.
    pub protected_roles: Vec<String>,
}

impl Default for Reset {
    fn default() -> Self {
        Self {
            mode: ResetMode::default(),
            pin_digits: 6,
            case_lifetime: Duration::from_secs(7 * 86_400),
            max_per_account: 3,
            max_per_client: 30,
            max_per_client_per_day: None,
            max_in_total: 500,
            protected_roles: vec!["admin".to_owned()],
        }
    }
}

impl Reset {
    /// How often one client may ask within 24 hours: a tenth of what all together may, where it is not set.
    #[must_use]
    pub fn per_client_per_day(&self) -> u32 {
        self.max_per_client_per_day.unwrap_or((self.max_in_total / 10).max(1))
    }

    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("setpass.reset.{key}"), message.to_owned()));
        if !DIGITS.contains(&self.pin_digits) {
            return fail("pin_digits", "a PIN has 4 to 12 digits");
        }
        if self.case_lifetime < Duration::from_secs(60) {
            return fail("case_lifetime", "nobody can decide a case in less than a minute");
        }
        for (key, limit) in [
            ("max_per_account", self.max_per_account),
            ("max_per_client", self.max_per_client),
            ("max_in_total", self.max_in_total),
        ] {
            if limit == 0 {
                return fail(key, "with 0 nobody can ask for a link; write mode = \"off\" for that");
            }
        }
        if self.max_per_client_per_day == Some(0) {
            return fail(
                "max_per_client_per_day",
                "with 0 nobody can ask for a link; write mode = \"off\" for that",
            );
        }
        if self.per_client_per_day() >= self.max_in_total {
            let key =
                if self.max_per_client_per_day.is_some() { "max_per_client_per_day" } else { "max_in_total" };
            return fail(
                key,
                "one client alone could keep everybody from asking for a link: max_per_client_per_day has to be less than \
                 max_in_total, which has to be 2 or more",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_cannot_be_is_named() {
        let read = |text: &str| toml::from_str::<Reset>(text).unwrap();
        let defaults = read("");
        assert_eq!((defaults.mode, defaults.pin_digits), (ResetMode::Helpdesk, 6));
        assert_eq!(defaults.protected_roles, ["admin"]);
        defaults.check().unwrap();
        assert_eq!((defaults.max_in_total, defaults.per_client_per_day()), (500, 50));
        read("max_per_client_per_day = 2\nmax_in_total = 3").check().unwrap();
        assert_eq!(read("max_in_total = 3").per_client_per_day(), 1);
        assert_eq!(read("mode = \"self-service\"").mode, ResetMode::SelfService);
        assert_eq!(read("mode = \"off\"").mode, ResetMode::Off);
        for (text, key) in [
            ("pin_digits = 3", "pin_digits"),
            ("pin_digits = 13", "pin_digits"),
            ("case_lifetime = \"59s\"", "case_lifetime"),
            ("max_per_account = 0", "max_per_account"),
            ("max_per_client = 0", "max_per_client"),
            ("max_in_total = 0", "max_in_total"),
            ("max_in_total = 1", "max_in_total"),
            ("max_per_client_per_day = 0", "max_per_client_per_day"),
            ("max_per_client_per_day = 500", "max_per_client_per_day"),
            ("max_per_client_per_day = 3\nmax_in_total = 3", "max_per_client_per_day"),
        ] {
            assert_eq!(read(text).check().unwrap_err().0, format!("setpass.reset.{key}"));
        }
        assert!(toml::from_str::<Reset>("mode = \"nobody\"").is_err());
        assert!(toml::from_str::<Reset>("max = 1").is_err());
    }
}

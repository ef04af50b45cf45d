//! `[schedule]`: what happens by itself, and when.

use std::time::Duration;

use serde::Deserialize;

use super::duration;
use crate::cron::CronLine;

/// The jobs that Usher has itself, by the names that the command line has for them.
pub const BUILT_IN_JOBS: [&str; 8] =
    ["import", "quotas", "notify", "remind", "outbox", "expire-tokens", "expire-quotas", "retention"];

/// What happens by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Who is told when a job keeps failing, and when it works again, as an address or `Name <address>`.
    pub alert_to: Option<String>,
    /// After how many attempts that failed in a row.
    pub alert_after: u32,
    /// How long a job may take to finish its step when the server is told to stop.
    #[serde(deserialize_with = "duration::deserialize")]
    pub grace: Duration,
    /// Processing the access sheet.
    pub import: Times,
    /// Processing the quota sheet.
    pub quotas: Times,
    /// Telling the helpdesk of approved requests.
    pub notify: Times,
    /// Reminding approvers.
    pub remind: Times,
    /// Sending mail that waits.
    pub outbox: Switch,
    /// Erasing setpass links and their secrets that have outlived their time.
    pub expire_tokens: Times,
    /// Undoing temporary quotas whose day is over.
    pub expire_quotas: Times,
    /// Erasing records that name people.
    pub retention: Times,
}

/// When a job runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// When; none for a job that does not run by itself unless a site says when.
    pub cron: Option<CronLine>,
    /// False: not at all.
    pub enabled: Option<bool>,
    /// How long one attempt may take.
    #[serde(default, deserialize_with = "duration::deserialize_some")]
    pub deadline: Option<Duration>,
    /// What becomes of occasions that nobody was there for.
    #[serde(default)]
    pub missed: Missed,
}

/// What the server does every few seconds, without occasions.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// False: not at all.
    pub enabled: bool,
}

impl Default for Switch {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What becomes of occasions of a job that passed while no host was running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// The job runs once for all of them.
    #[default]
    RunOnce,
    /// They are recorded as dropped.
    Drop,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            alert_to: None,
            alert_after: 3,
            grace: Duration::from_secs(30),
            import: Times::default(),
            quotas: Times::default(),
            notify: Times::default(),
            remind: Times::default(),
            outbox: Switch::default(),
            expire_tokens: Times::default(),
            expire_quotas: Times::default(),
            retention: Times::default(),
        }
    }
}

impl Times {
    /// When, by default where the site does not say; none where the job does not run by itself.
    #[must_use]
    pub fn cron_or(&self, default: Option<&str>) -> Option<CronLine> {
        if self.enabled == Some(false) {
            return None;
        }
        self.cron.clone().or_else(|| default.and_then(|line| line.parse().ok()))
    }

    fn is_asked_for(&self) -> bool {
        self.cron.is_some() && self.enabled != Some(false)
    }

    /// How long one attempt may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline.unwrap_or(Duration::from_secs(3600))
    }

    /// Fails where a job is switched on and nothing says when it runs.
    pub(super) fn check(&self, key: &str) -> Result<(), (String, String)> {
        if self.enabled == Some(true) && self.cron.is_none() {
            let message =
                "say when: cron = \"*/15 * * * *\", which is every quarter of an hour, or another time";
            return Err((format!("{key}.enabled"), message.to_owned()));
        }
        Ok(())
    }
}

impl Schedule {
    pub(crate) fn check(&self, has_sheet: bool) -> Result<(), (String, String)> {
        let fail = |key: &str, message: &str| Err((format!("schedule.{key}"), message.to_owned()));
        if self.alert_to.as_ref().is_some_and(|to| to.parse::<lettre::message::Mailbox>().is_err()) {
            return fail("alert_to", "expected an e-mail address, or Name <address>");
        }
        if self.alert_after == 0 {
            return fail("alert_after", "expected at least 1");
        }
        // Those two run because somebody has said when, so it is a section that is missing.
        let of_sheets = [("import", &self.import), ("quotas", &self.quotas)];
        let idle = "this job is about the sheets, and there is no section [sheet] in the settings; write one, or take this \
                    line out";
        if let Some((job, _)) = of_sheets.iter().find(|(_, times)| !has_sheet && times.is_asked_for()) {
            return fail(&format!("{job}.cron"), idle);
        }
        self.import.check("schedule.import")?;
        self.quotas.check("schedule.quotas")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_for_processing_a_sheet_that_is_not_there_is_refused() {
        for job in ["import", "quotas"] {
            let schedule = |more: &str| {
                toml::from_str::<Schedule>(&format!("{job} = {{ cron = \"@daily\"{more} }}")).unwrap()
            };
            let (key, message) = schedule("").check(false).unwrap_err();
            assert_eq!(key, format!("schedule.{job}.cron"));
            assert!(message.contains("there is no section [sheet]"), "{message}");
            assert_eq!(schedule("").check(true), Ok(()));
            assert_eq!(schedule(", enabled = false").check(false), Ok(()), "it asks for nothing");
        }
    }
}

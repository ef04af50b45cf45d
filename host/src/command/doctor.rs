//! `usher doctor`: one line for each thing that has to be right, with what to do where it is not.

mod disk;
mod findings;
mod jobs;
mod plugins;
mod records;
mod services;
mod setpass;
mod sheets;

use std::process::ExitCode;

use self::findings::Findings;
use self::jobs::check_jobs;
use self::plugins::check_plugins;
use self::records::{check_database, check_folders, check_keys};
use self::services::{check_keystone, check_mail, check_mailing_list};
use self::setpass::{check_certificate, check_setpass};
use self::sheets::check_sheets;
use super::Exit;
use crate::clock::Clock;
use crate::settings::{Settings, SettingsError};

/// Runs the command. Every check is made, also after one that failed.
pub async fn run(settings: Result<Settings, SettingsError>, clock: Clock) -> ExitCode {
    let mut findings = Findings::default();
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            findings.bad("settings", error, Exit::Usage);
            return findings.exit();
        }
    };
    findings.good("settings", settings.file.display());
    check_setpass(&settings, &clock, &mut findings).await;
    check_certificate(&settings, &clock, &mut findings);
    let keys = check_keys(&settings, &mut findings);
    check_database(&settings, keys.as_ref(), &clock, &mut findings).await;
    let row_parser = check_plugins(&settings, &mut findings).await;
    check_jobs(&settings, &clock, &mut findings).await;
    check_keystone(&settings, clock, &mut findings).await;
    check_mail(&settings, &mut findings).await;
    if let Some(list) = &settings.mailing_list {
        check_mailing_list(list, &mut findings).await;
    }
    check_sheets(&settings, row_parser.as_ref(), &mut findings).await;
    check_folders(&settings, &mut findings);
    findings.exit()
}

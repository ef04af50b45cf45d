//! `usher doctor`: one line for each thing that has to be right, with what to do where it is not.

use std::fmt::Display;
use std::process::ExitCode;

use super::Exit;
use crate::clock::Clock;
use crate::database::Database;
use crate::keys::Keys;
use crate::keystone::Keystone;
use crate::mailer::Mailer;
use crate::plugin::{Capabilities, PluginHost};
use crate::quotas::Quotas;
use crate::registration::Layout;
use crate::settings::{Settings, SettingsError};
use crate::sheet::Sheet;

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
    check_keys(&settings, &mut findings);
    check_database(&settings, &mut findings).await;
    let layout = check_plugins(&settings, &mut findings).await;
    check_keystone(&settings, clock, &mut findings).await;
    check_mail(&settings, &mut findings).await;
    check_sheet(&settings, layout.as_ref(), &mut findings).await;
    findings.exit()
}

/// What was found, printed as it is found.
#[derive(Default)]
struct Findings {
    worst: Option<Exit>,
}

impl Findings {
    fn good(&self, what: &str, finding: impl Display) {
        println!("ok    {what:<10} {finding}");
    }

    fn warn(&self, what: &str, finding: impl Display) {
        println!("warn  {what:<10} {finding}");
    }

    fn bad(&mut self, what: &str, finding: impl Display, exit: Exit) {
        println!("FAIL  {what:<10} {finding}");
        // Settings come first: a service that cannot be reached may be the wrong one.
        self.worst = match (self.worst, exit) {
            (Some(Exit::Usage), _) | (_, Exit::Usage) => Some(Exit::Usage),
            (_, exit) => Some(exit),
        };
    }

    fn exit(&self) -> ExitCode {
        self.worst.unwrap_or(Exit::Done).into()
    }
}

fn reach(is_passing: bool) -> Exit {
    if is_passing { Exit::Unreachable } else { Exit::Usage }
}

fn check_keys(settings: &Settings, findings: &mut Findings) {
    match Keys::load(&settings.database.key_file) {
        Ok(_) => findings.good("keys", settings.database.key_file.display()),
        Err(error) => findings.bad("keys", error, Exit::Usage),
    }
}

async fn check_database(settings: &Settings, findings: &mut Findings) {
    match Database::open(&settings.database.file).await {
        Ok(database) => {
            findings.good("database", settings.database.file.display());
            database.close().await;
        }
        Err(error) => findings.bad("database", error, Exit::Usage),
    }
}

async fn check_plugins(settings: &Settings, findings: &mut Findings) -> Option<Layout> {
    let host = match PluginHost::new(&settings.plugins, Capabilities::default()) {
        Ok(host) => host,
        Err(error) => {
            findings.bad("plugins", error, Exit::Usage);
            return None;
        }
    };
    let mut layout = None;
    let parser = async { host.row_parser(&settings.plugins.row_parser).await?.describe().await };
    match parser.await {
        Ok(found) => {
            let file = settings.plugins.row_parser.component.display();
            findings.good("plugins", format!("row_parser {file}: worksheet {:?}", found.access.requests));
            layout = Some(found);
        }
        Err(error) => findings.bad("plugins", error, Exit::Usage),
    }
    match host.quota_policy(&settings.plugins.quota_policy).await {
        Ok(_) => {
            findings.good(
                "plugins",
                format!("quota_policy {}", settings.plugins.quota_policy.component.display()),
            );
        }
        Err(error) => findings.bad("plugins", error, Exit::Usage),
    }
    match host.mail_templates(&settings.plugins.mail_templates).await {
        Ok(_) => {
            let file = settings.plugins.mail_templates.component.display();
            findings.good("plugins", format!("mail_templates {file}"));
        }
        Err(error) => findings.bad("plugins", error, Exit::Usage),
    }
    layout
}

async fn check_keystone(settings: &Settings, clock: Clock, findings: &mut Findings) {
    let keystone = match Keystone::new(&settings.keystone, clock) {
        Ok(keystone) => keystone,
        Err(error) => return findings.bad("keystone", error, Exit::Usage),
    };
    match keystone.whoami().await {
        Ok(identity) => findings
            .good("keystone", format!("authenticated as {} in project {}", identity.user, identity.project)),
        Err(error) => return findings.bad("keystone", &error, reach(error.is_passing())),
    }
    match keystone.may_create_users().await {
        Ok(Some(true)) => findings.good("keystone", "may create users"),
        Ok(None) => {
            findings.warn("keystone", "the domain has no user yet: cannot tell whether users may be created");
        }
        Ok(Some(false)) => findings.bad(
            "keystone",
            "the account may not create users; give it the admin role, or a role whose policy allows it",
            Exit::Usage,
        ),
        Err(error) => findings.bad("keystone", &error, reach(error.is_passing())),
    }
    let role = &settings.keystone.member_role;
    match keystone.find_role(role).await {
        Ok(Some(_)) => findings.good("keystone", format!("role {role}")),
        Ok(None) => {
            let remedy = "create it, or correct keystone.member_role";
            findings.bad("keystone", format!("there is no role {role}; {remedy}"), Exit::Usage);
        }
        Err(error) => findings.bad("keystone", &error, reach(error.is_passing())),
    }
    match Quotas::new(keystone).services().await {
        Ok(services) => {
            let names: Vec<_> = services.iter().map(|service| service.name()).collect();
            findings.good("quotas", format!("services in the catalog: {}", names.join(", ")));
            if services.len() < 3 {
                findings.warn("quotas", "services that are not in the catalog get no quotas");
            }
        }
        Err(error) => findings.bad("quotas", &error, reach(error.is_passing())),
    }
}

async fn check_mail(settings: &Settings, findings: &mut Findings) {
    let mailer = match Mailer::new(&settings.mail) {
        Ok(mailer) => mailer,
        Err(error) => return findings.bad("mail", error, Exit::Usage),
    };
    match mailer.check().await {
        Ok(found) => findings.good("mail", found),
        Err(error) => findings.bad("mail", &error, reach(error.is_passing())),
    }
}

async fn check_sheet(settings: &Settings, layout: Option<&Layout>, findings: &mut Findings) {
    let sheet = Sheet::access(&settings.sheet);
    match (sheet.check().await, layout) {
        (Err(error), _) => findings.bad("sheet", error, Exit::Unreachable),
        (Ok(worksheets), Some(layout)) if !worksheets.contains(&layout.access.requests) => {
            let wanted = &layout.access.requests;
            let there = worksheets.join(", ");
            findings.bad("sheet", format!("no worksheet {wanted:?}; there are: {there}"), Exit::Usage);
        }
        (Ok(worksheets), _) => findings.good("sheet", format!("worksheets: {}", worksheets.join(", "))),
    }
}

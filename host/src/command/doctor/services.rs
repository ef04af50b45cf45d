//! Keystone, the services that keep quotas, the mail server, and the mailing list.

use super::findings::{Findings, reach};
use crate::clock::Clock;
use crate::command::Exit;
use crate::command::exit::of_mailing_list;
use crate::keystone::Keystone;
use crate::mailer::Mailer;
use crate::mailing_list::MailingList;
use crate::quotas::Quotas;
use crate::settings::sheet::is_protected;
use crate::settings::{self, Settings};

pub(super) async fn check_keystone(settings: &Settings, clock: Clock, findings: &mut Findings) {
    let keystone = match Keystone::new(&settings.keystone, clock) {
        Ok(keystone) => keystone,
        Err(error) => return findings.bad("keystone", error, Exit::Usage),
    };
    match keystone.whoami().await {
        Ok(identity) => findings
            .good("keystone", format!("authenticated as {} in project {}", identity.user, identity.project)),
        Err(error) => return findings.bad("keystone", &error, reach(error.is_passing())),
    }
    if settings.sheet.is_some() {
        check_rights(settings, keystone, findings).await;
    }
}

/// What an import needs of the cloud, and setpass alone does not.
async fn check_rights(settings: &Settings, keystone: Keystone, findings: &mut Findings) {
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

pub(super) async fn check_mail(settings: &Settings, findings: &mut Findings) {
    let mailer = match Mailer::new(&settings.mail) {
        Ok(mailer) => mailer,
        Err(error) => return findings.bad("mail", error, Exit::Usage),
    };
    match mailer.check().await {
        Ok(found) => findings.good("mail", found),
        Err(error) => findings.bad("mail", &error, reach(error.is_passing())),
    }
}

pub(super) async fn check_mailing_list(
    settings: &settings::mailing_list::MailingList,
    findings: &mut Findings,
) {
    if let settings::mailing_list::MailingList::Mailman(mailman) = settings
        && !is_protected(&mailman.url)
    {
        findings.warn("list", "mailing_list.url is http: Mailman's password crosses the network in clear");
    }
    let checked = async { MailingList::new(settings)?.check().await };
    match checked.await {
        Ok(found) => findings.good("list", found),
        Err(error) => findings.bad("list", &error, of_mailing_list(&error)),
    }
}

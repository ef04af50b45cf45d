//! `usher doctor`: one line for each thing that has to be right, with what to do where it is not.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use super::Exit;
use super::exit::{of_mailing_list, of_remote_setpass, of_sheet};
use super::keys::missing_key;
use crate::batch::report::counted;
use crate::clock::Clock;
use crate::command::say::say;
use crate::database::Database;
use crate::http::Look;
use crate::keys::Keys;
use crate::keystone::Keystone;
use crate::mail_content;
use crate::mailer::Mailer;
use crate::mailing_list::MailingList;
use crate::outbox;
use crate::plugin::{Capabilities, Decision, PluginError, PluginHost, QuotaContext, RowParser};
use crate::quotas::Quotas;
use crate::registration::{Layout, Outcome, SheetKind};
use crate::rekeying;
use crate::remote_setpass::RemoteSetpass;
use crate::server::tls::{self, Remark};
use crate::settings::plugins::Plugin;
use crate::settings::sheet::is_protected;
use crate::settings::{self, Settings, SettingsError};
use crate::sheet::{Sheet, Sheets};

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
    check_database(&settings, keys.as_ref(), &mut findings).await;
    let row_parser = check_plugins(&settings, &mut findings).await;
    check_keystone(&settings, clock, &mut findings).await;
    check_mail(&settings, &mut findings).await;
    if let Some(list) = &settings.mailing_list {
        check_mailing_list(list, &mut findings).await;
    }
    check_sheets(&settings, row_parser.as_ref(), &mut findings).await;
    check_folders(&settings, &mut findings);
    findings.exit()
}

/// What was found, printed as it is found.
#[derive(Default)]
struct Findings {
    worst: Option<Exit>,
}

impl Findings {
    fn good(&self, what: &str, finding: impl Display) {
        say!("ok    {what:<10} {finding}");
    }

    fn warn(&self, what: &str, finding: impl Display) {
        say!("warn  {what:<10} {finding}");
    }

    fn bad(&mut self, what: &str, finding: impl Display, exit: Exit) {
        say!("FAIL  {what:<10} {finding}");
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

/// The page here, or the setpass of another machine.
async fn check_setpass(settings: &Settings, clock: &Clock, findings: &mut Findings) {
    if settings.setpass.remote.is_none() {
        return check_page(settings, findings);
    }
    // What is wrong with Keystone's settings is told with Keystone.
    let Ok(keystone) = Keystone::new(&settings.keystone, clock.clone()) else { return };
    let checked = async {
        match RemoteSetpass::new(settings, &keystone, clock)? {
            Some(remote) => remote.check().await.map(Some),
            None => Ok(None),
        }
    };
    match checked.await {
        Ok(found) => found.iter().for_each(|found| findings.good("setpass", found)),
        Err(error) => findings.bad("setpass", &error, of_remote_setpass(&error)),
    }
}

/// The logo is all of the pages that can be wrong where the settings are right.
fn check_page(settings: &Settings, findings: &mut Findings) {
    match (Look::load(&settings.site, &settings.setpass), &settings.setpass.page.logo) {
        (Ok(_), Some(logo)) => findings.good("page", format!("the logo is {}", logo.display())),
        (Ok(_), None) => {}
        (Err(error), _) => findings.bad("page", error, Exit::Usage),
    }
}

/// What users who open a link will make of the certificate.
fn check_certificate(settings: &Settings, clock: &Clock, findings: &mut Findings) {
    let Some(tls) = &settings.setpass.tls else { return };
    let file = tls.certificate.display();
    // Where the pages are on another machine, its name is no name of this one, and only probes come here.
    let host = match &settings.setpass.remote {
        None => Some(settings.setpass.public_url().host_str().unwrap_or_default()),
        Some(_) => None,
    };
    match tls::examine(tls, host, clock) {
        Ok(Remark::None) => {
            let finding = host.map_or("is valid".to_owned(), |host| format!("is for {host}"));
            findings.good("tls", format!("the certificate {file} {finding}"));
        }
        Ok(Remark::EndsSoon) => {
            findings.warn("tls", format!("the certificate {file} ends within 14 days; renew it"));
        }
        Ok(Remark::NotYet) => findings.bad(
            "tls",
            format!("the certificate {file} is not valid yet; is the clock right?"),
            Exit::Usage,
        ),
        Ok(Remark::Ended) => {
            findings.bad("tls", format!("the certificate {file} has ended; renew it"), Exit::Usage);
        }
        Ok(Remark::OtherHost) => findings.bad(
            "tls",
            format!(
                "the certificate {file} does not name {}, the host of setpass.public_url; get one that does",
                host.unwrap_or_default()
            ),
            Exit::Usage,
        ),
        Err(error) => findings.bad("tls", error, Exit::Usage),
    }
}

fn check_keys(settings: &Settings, findings: &mut Findings) -> Option<Keys> {
    match Keys::load(&settings.database.key_file) {
        Ok(keys) => {
            findings.good("keys", settings.database.key_file.display());
            Some(keys)
        }
        Err(error) => {
            findings.bad("keys", error, Exit::Usage);
            None
        }
    }
}

async fn check_database(settings: &Settings, keys: Option<&Keys>, findings: &mut Findings) {
    match Database::open(&settings.database.file).await {
        Ok(database) => {
            findings.good("database", settings.database.file.display());
            if let Some(keys) = keys {
                check_protection(keys, &database, findings).await;
            }
            database.close().await;
        }
        Err(error) => findings.bad("database", error, Exit::Usage),
    }
}

/// Whether the key file is the one that belongs to the database.
async fn check_protection(keys: &Keys, database: &Database, findings: &mut Findings) {
    let uses = match rekeying::uses(keys, database).await {
        Ok(uses) => uses,
        Err(error) => return findings.bad("database", error, Exit::Usage),
    };
    for used in &uses {
        if let Some(missing) = missing_key(used) {
            findings.bad("keys", missing, Exit::Usage);
        } else if !used.is_in_use && used.protected.secrets > 0 {
            let secrets = used.protected.secrets;
            let remedy = "`usher keys rotate` moves them to the key in use";
            findings.warn(
                "keys",
                format!("the older key {} still protects {secrets} secrets; {remedy}", used.id),
            );
        }
    }
}

async fn check_plugins(settings: &Settings, findings: &mut Findings) -> Option<(RowParser, Layout)> {
    let plugins = &settings.plugins;
    let host = match PluginHost::new(&settings.plugins, Capabilities::default()) {
        Ok(host) => host,
        Err(error) => {
            findings.bad("plugins", error, Exit::Usage);
            return None;
        }
    };
    let row_parser = match &plugins.row_parser {
        Some(plugin) => check_row_parser(&host, plugin, findings).await,
        None => None,
    };
    if let Some(plugin) = &plugins.quota_policy {
        check_quota_policy(&host, plugin, findings).await;
    }
    check_mail_templates(settings, &host, findings).await;
    row_parser
}

async fn check_row_parser(
    host: &PluginHost,
    plugin: &Plugin,
    findings: &mut Findings,
) -> Option<(RowParser, Layout)> {
    let described = async {
        let parser = host.row_parser(plugin).await?;
        let layout = parser.describe().await?;
        Ok::<_, PluginError>((parser, layout))
    };
    match described.await {
        Ok((parser, layout)) => {
            let file = plugin.component.display();
            findings.good("plugins", format!("row_parser {file}: worksheet {:?}", layout.access.requests));
            Some((parser, layout))
        }
        Err(error) => {
            findings.bad("plugins", error, Exit::Usage);
            None
        }
    }
}

async fn check_quota_policy(host: &PluginHost, plugin: &Plugin, findings: &mut Findings) {
    let new_project = QuotaContext::new_project("Project", "");
    let decides = async { host.quota_policy(plugin).await?.decide(&new_project).await };
    match decides.await {
        Ok(decision) => {
            let file = plugin.component.display();
            match decision {
                Decision::Granted { limits, notices } => {
                    let limits = counted(limits.len(), "limit", "limits");
                    findings.good("plugins", format!("quota_policy {file}: {limits} for a new project"));
                    // What the policy says about its settings would come up at each import.
                    notices
                        .iter()
                        .for_each(|notice| findings.warn("plugins", format!("quota_policy: {notice}")));
                }
                Decision::LeftToPeople => {
                    findings
                        .warn("plugins", format!("quota_policy {file}: does not decide about a new project"));
                }
                Decision::Denied(reason) => {
                    findings.warn("plugins", format!("quota_policy {file}: refuses a new project: {reason}"));
                }
            }
        }
        Err(error) => findings.bad("plugins", error, Exit::Usage),
    }
}

async fn check_mail_templates(settings: &Settings, host: &PluginHost, findings: &mut Findings) {
    let words_mail = async {
        let mail_templates = host.mail_templates(&settings.plugins.mail_templates).await?;
        for content in mail_content::samples() {
            let message = mail_templates.render(&content).await?;
            outbox::check_wording(&settings.mail.sender, message)
                .with_context(|| format!("the mail {} cannot be sent as it is worded", content.kind()))?;
        }
        anyhow::Ok(())
    };
    match words_mail.await {
        Ok(()) => {
            let file = settings.plugins.mail_templates.component.display();
            findings.good("plugins", format!("mail_templates {file}: words every kind of mail"));
        }
        Err(error) => findings.bad("plugins", format!("mail_templates: {error:#}"), Exit::Usage),
    }
    for (name, job) in &settings.plugins.jobs {
        match host.job(&job.plugin).await {
            Ok(_) => {
                findings.good("plugins", format!("jobs.{name} {}: is a job", job.plugin.component.display()));
            }
            Err(error) => findings.bad("plugins", format!("jobs.{name}: {error}"), Exit::Usage),
        }
    }
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

/// What an import writes besides the database, which would come to light only when it is needed.
fn check_folders(settings: &Settings, findings: &mut Findings) {
    let mut folders = vec![("mail.undeliverable", settings.mail.undeliverable.as_path())];
    if let Some(settings::sheet::Sheet::Csv(csv)) = &settings.sheet {
        folders.push(("sheet.access", &csv.access));
        folders.extend(csv.quota.iter().map(|quota| ("sheet.quota", quota.as_path())));
    }
    for (key, folder) in folders {
        if let Err(error) = try_to_write(folder) {
            let remedy =
                "this user has to be able to write there: correct the setting, or the folder's owner";
            findings.bad("folders", format!("{key}: {}: {error}; {remedy}", folder.display()), Exit::Usage);
        }
    }
}

/// Writes a file that has no name, and is gone at once; in the nearest folder there is, where this one is still to be made.
fn try_to_write(folder: &Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    tempfile::tempfile_in(there).map(drop)
}

async fn check_mailing_list(settings: &settings::mailing_list::MailingList, findings: &mut Findings) {
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

async fn check_sheets(
    settings: &Settings,
    row_parser: Option<&(RowParser, Layout)>,
    findings: &mut Findings,
) {
    let sheets = Sheets::new(settings.sheet.as_ref());
    let Ok(access) = sheets.access() else {
        return findings.good("sheet", "none: this machine serves setpass and processes no sheet");
    };
    let Some((parser, layout)) = row_parser else {
        for sheet in sheets.iter() {
            match sheet.check().await {
                Ok(worksheets) => findings.warn(
                    "sheet",
                    format!("worksheets: {}; without a row parser, none was read", worksheets.join(", ")),
                ),
                Err(error) => findings.bad("sheet", &error, of_sheet(&error)),
            }
        }
        return;
    };
    check_worksheet(access, &layout.access.requests, SheetKind::Access, parser, findings).await;
    match (&sheets.quota, &layout.quota) {
        (Some(sheet), Some(layout)) => {
            check_worksheet(sheet, &layout.requests, SheetKind::Quota, parser, findings).await;
        }
        (Some(_), None) => {
            findings.warn("sheet", "the row parser does not read the quota sheet that the settings name");
        }
        (None, _) => {}
    }
}

/// Reads a worksheet as an import would.
async fn check_worksheet(
    sheet: &Sheet,
    worksheet: &str,
    kind: SheetKind,
    parser: &RowParser,
    findings: &mut Findings,
) {
    let kind_name = kind.name();
    let snapshot = match sheet.read(worksheet).await {
        Ok(snapshot) => snapshot,
        Err(error) => return findings.bad("sheet", format!("{kind_name}: {error}"), of_sheet(&error)),
    };
    let parsed = match parser.parse_rows(kind, &snapshot.rows).await {
        Ok(parsed) => parsed,
        Err(error) => {
            return findings.bad(
                "sheet",
                format!("{kind_name}: worksheet {worksheet:?}: {error}"),
                Exit::Usage,
            );
        }
    };
    let rejected = parsed.rows.iter().filter(|row| matches!(row.outcome, Outcome::Rejected(_))).count();
    let rows = counted(parsed.rows.len(), "row", "rows");
    let finding = format!("{kind_name}: worksheet {worksheet:?} has {rows}");
    match rejected {
        0 => findings.good("sheet", finding),
        _ => findings.warn("sheet", format!("{finding}, of which {rejected} cannot be used as they are")),
    }
}

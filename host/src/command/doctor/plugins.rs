//! The components.

use anyhow::Context as _;

use super::findings::Findings;
use crate::batch::report::counted;
use crate::command::{Exit, in_words};
use crate::mail_content;
use crate::outbox;
use crate::plugin::{Capabilities, Decision, PluginError, PluginHost, QuotaContext, RowParser};
use crate::registration::Layout;
use crate::settings::Settings;
use crate::settings::plugins::Plugin;

pub(super) async fn check_plugins(
    settings: &Settings,
    findings: &mut Findings,
) -> Option<(RowParser, Layout)> {
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
        Err(error) => findings.bad("plugins", format!("mail_templates: {}", in_words(&error)), Exit::Usage),
    }
}

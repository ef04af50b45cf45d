//! The role of wording the mails.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::ExposeSecret;

use crate::mail_content::{MailContent, PasswordLink};
use crate::mailer::Message;

use super::bindings::interfaces::types as wit;
use super::bindings::mail_templates::MailTemplatesPre;
use super::error::PluginError;
use super::role::Role;
use super::sheet_rows;

mod quota_mails;

const RENDER: &str = "render";

/// Words a mail as the site wants it.
pub type RenderMail =
    Arc<dyn Fn(MailContent) -> BoxFuture<'static, Result<Message, PluginError>> + Send + Sync>;

/// The component that words the mails.
#[derive(Clone)]
pub struct MailTemplates {
    role: Role,
}

impl MailTemplates {
    pub(super) fn new(role: Role) -> Self {
        Self { role }
    }

    /// Words one mail.
    ///
    /// # Errors
    /// Where a template or setting is wrong, the component fails, or its answer cannot be mailed.
    pub async fn render(&self, content: &MailContent) -> Result<Message, PluginError> {
        let callee = self.role.callee().await;
        let (_place, mut store) = callee.store().await;
        let content = to_wit(content);
        let rendered = callee
            .within_deadline(async {
                let guest = MailTemplatesPre::new(callee.pre.clone())?.instantiate_async(&mut store).await?;
                guest.call_render(&mut store, &content).await
            })
            .await
            .map_err(|error| callee.explain(&error, RENDER, &store))?
            .map_err(|wit::RenderError { place, reason }| PluginError::Render {
                plugin: callee.profile.name.clone(),
                place,
                reason,
            })?;
        check(&rendered).map_err(|reason| callee.bad_answer(RENDER, None, reason.to_owned()))?;
        Ok(message_from_wit(rendered))
    }

    /// As a function, for who has no business with components.
    #[must_use]
    pub fn into_function(self) -> RenderMail {
        Arc::new(move |content| {
            let templates = self.clone();
            Box::pin(async move { templates.render(&content).await })
        })
    }

    /// SHA-256 of the component that runs.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.role.sha256()
    }
}

/// A message as the host knows it.
pub(super) fn message_from_wit(message: wit::Message) -> Message {
    let wit::Message { sender, cc, subject, text, html } = message;
    Message { sender, cc, subject, text, html }
}

/// What makes a message one that cannot be mailed. Line breaks in a header could add headers.
fn check(message: &wit::Message) -> Result<(), &'static str> {
    if message.subject.trim().is_empty() {
        return Err("the subject is blank");
    }
    if message.subject.contains(char::is_control) {
        return Err("the subject holds a line break or another control character");
    }
    if message.sender.iter().chain(&message.cc).any(|address| address.contains(char::is_control)) {
        return Err("an address holds a line break or another control character");
    }
    Ok(())
}

fn to_wit(content: &MailContent) -> wit::MailContent {
    match content {
        MailContent::Welcome(mail) => wit::MailContent::Welcome(wit::WelcomeMail {
            full_name: mail.full_name.clone(),
            username: mail.username.clone(),
            project: mail.project.clone(),
        }),
        MailContent::Password(link) => wit::MailContent::Password(link_to_wit(link)),
        MailContent::PasswordReset(link) => wit::MailContent::PasswordReset(link_to_wit(link)),
        MailContent::PasswordChanged(mail) => wit::MailContent::PasswordChanged(wit::PasswordChangedMail {
            full_name: mail.full_name.clone(),
            username: mail.username.clone(),
            changed: mail.changed.clone(),
            support_email: mail.support_email.clone(),
        }),
        MailContent::NewProject(mail) => wit::MailContent::NewProject(wit::NewProjectMail {
            full_name: mail.full_name.clone(),
            project: mail.project.clone(),
        }),
        MailContent::QuotaUpdate(mail) => wit::MailContent::QuotaUpdate(quota_mails::update(mail)),
        MailContent::QuotaDenied(mail) => wit::MailContent::QuotaDenied(quota_mails::denied(mail)),
        MailContent::QuotaEnding(mail) => wit::MailContent::QuotaEnding(quota_mails::ending(mail)),
        MailContent::QuotaEnded(mail) => wit::MailContent::QuotaEnded(quota_mails::ended(mail)),
        MailContent::HelpdeskTicket(ticket) => wit::MailContent::HelpdeskTicket(wit::TicketMail {
            username: ticket.username.clone(),
            first_name: ticket.first_name.clone(),
            last_name: ticket.last_name.clone(),
            project: ticket.project.clone(),
            request_type: ticket.request_type.clone(),
            comment: ticket.comment.clone(),
            case_number: ticket.case_number.clone(),
        }),
        MailContent::Reminder(reminder) => wit::MailContent::Reminder(wit::ReminderMail {
            kind: sheet_rows::kind_to_wit(reminder.kind),
            escalated: reminder.escalated,
            spreadsheet_url: reminder.spreadsheet_url.clone(),
            requests: reminder
                .requests
                .iter()
                .map(|request| wit::PendingRequest {
                    row: request.row,
                    full_name: request.full_name.clone(),
                    email: request.email.clone(),
                    project: request.project.clone(),
                    since: request.since.clone(),
                    comment: request.comment.clone(),
                    reminders: request.reminders,
                })
                .collect(),
        }),
    }
}

fn link_to_wit(link: &PasswordLink) -> wit::PasswordLink {
    wit::PasswordLink {
        full_name: link.full_name.clone(),
        url: link.url.expose_secret().to_owned(),
        expires: link.expires.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> wit::Message {
        wit::Message {
            sender: None,
            cc: vec!["approver@example.org".to_owned()],
            subject: "Welcome".to_owned(),
            text: "Hello\nthere".to_owned(),
            html: None,
        }
    }

    #[test]
    fn a_header_cannot_be_smuggled_in() {
        assert_eq!(check(&message()), Ok(()));
        let subject = wit::Message { subject: "a\r\nBcc: x@example.org".to_owned(), ..message() };
        assert!(check(&subject).is_err());
        let cc = wit::Message { cc: vec!["a@example.org\nBcc: x@example.org".to_owned()], ..message() };
        assert!(check(&cc).is_err());
        let sender = wit::Message { sender: Some("\u{0}".to_owned()), ..message() };
        assert!(check(&sender).is_err());
        assert!(check(&wit::Message { subject: " ".to_owned(), ..message() }).is_err());
    }
}

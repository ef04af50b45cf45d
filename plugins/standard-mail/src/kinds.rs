//! The kinds of mail, and the values that each brings for its templates. The names are those of the MOC's
//! tools, so that a site's wording can be carried over.

use std::collections::BTreeMap;

use minijinja::Value;
use usher_plugin::types::{MailContent, PasswordLink, PendingRequest, SheetKind};

use crate::quotas;

/// Every kind, by the name of its template files and its table in the settings.
pub const NAMES: [&str; 11] = [
    "welcome",
    "password",
    "password-reset",
    "password-changed",
    "new-project",
    "quota-update",
    "quota-denied",
    "quota-ending",
    "quota-ended",
    "helpdesk-ticket",
    "reminder",
];

/// The name of a mail's kind.
pub fn name(content: &MailContent) -> &'static str {
    match content {
        MailContent::Welcome(_) => "welcome",
        MailContent::Password(_) => "password",
        MailContent::PasswordReset(_) => "password-reset",
        MailContent::PasswordChanged(_) => "password-changed",
        MailContent::NewProject(_) => "new-project",
        MailContent::QuotaUpdate(_) => "quota-update",
        MailContent::QuotaDenied(_) => "quota-denied",
        MailContent::QuotaEnding(_) => "quota-ending",
        MailContent::QuotaEnded(_) => "quota-ended",
        MailContent::HelpdeskTicket(_) => "helpdesk-ticket",
        MailContent::Reminder(_) => "reminder",
    }
}

/// The values of a mail by placeholder.
pub fn values(content: &MailContent) -> BTreeMap<String, Value> {
    match content {
        MailContent::Welcome(mail) => values_of([
            ("fullname", line(&mail.full_name)),
            ("username", line(&mail.username)),
            ("project", line(&mail.project)),
        ]),
        MailContent::Password(link) | MailContent::PasswordReset(link) => password_link(link),
        MailContent::PasswordChanged(mail) => values_of([
            ("fullname", line(&mail.full_name)),
            ("username", line(&mail.username)),
            ("changed", line(&mail.changed)),
            ("support_email", line(&mail.support_email)),
        ]),
        MailContent::NewProject(mail) => {
            values_of([("fullname", line(&mail.full_name)), ("project", line(&mail.project))])
        }
        MailContent::QuotaUpdate(mail) => quotas::update(mail),
        MailContent::QuotaDenied(mail) => quotas::denied(mail),
        MailContent::QuotaEnding(mail) => quotas::ending(mail),
        MailContent::QuotaEnded(mail) => quotas::ended(mail),
        MailContent::HelpdeskTicket(mail) => values_of([
            ("user_name", line(&mail.username)),
            ("first_name", line(&mail.first_name)),
            ("last_name", line(&mail.last_name)),
            ("project", line(&mail.project)),
            ("csr_type", line(&mail.request_type)),
            ("case_number", line(&mail.case_number)),
            ("comment", lines(&mail.comment)),
        ]),
        MailContent::Reminder(mail) => values_of([
            ("request_count", Value::from(mail.requests.len())),
            ("request_type", Value::from(request_type(mail.kind))),
            // Requests come the oldest first.
            ("start", line(mail.requests.first().map_or("", |request| request.since.as_str()))),
            ("request_spreadsheet", line(&mail.spreadsheet_url)),
            ("request_details", mail.requests.iter().map(pending_request).collect()),
        ]),
    }
}

fn password_link(link: &PasswordLink) -> BTreeMap<String, Value> {
    values_of([
        ("fullname", line(&link.full_name)),
        ("setpass_token_url", line(&link.url)),
        ("expires", line(&link.expires)),
    ])
}

fn pending_request(request: &PendingRequest) -> Value {
    Value::from(values_of([
        ("row", Value::from(request.row)),
        ("fullname", line(&request.full_name)),
        ("email", line(&request.email)),
        ("project", line(&request.project)),
        ("since", line(&request.since)),
        ("comment", lines(&request.comment)),
    ]))
}

fn request_type(kind: SheetKind) -> &'static str {
    match kind {
        SheetKind::Access => "access",
        SheetKind::Quota => "quota",
    }
}

/// Values by the names of their placeholders.
pub fn values_of<const N: usize>(values: [(&str, Value); N]) -> BTreeMap<String, Value> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value that stays on one line, so that it can neither end a header nor start a line of a ticket.
pub fn line(text: &str) -> Value {
    Value::from(one_line(text))
}

/// A value of several lines, ended by line feeds.
pub fn lines(text: &str) -> Value {
    Value::from(text.replace("\r\n", "\n").replace('\r', "\n").trim())
}

/// A text without line breaks and other control characters, which become spaces.
pub fn one_line(text: &str) -> String {
    // U+2028 and U+2029 end lines too, and are not control characters to Unicode.
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.split(is_break).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

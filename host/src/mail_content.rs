//! What a mail is about, with the values that its wording may use: what a flow hands to the
//! component that words the mails.
//!
//! Knows nothing of addresses, templates or components. Times are given in the site's time zone
//! and words.

use secrecy::SecretString;

use crate::registration::{RowNumber, SheetKind};

mod quotas;

pub use quotas::{
    KeptLimit, QuotaChange, QuotaDeniedMail, QuotaEndedMail, QuotaEndingMail, QuotaMail, QuotaReturn,
    samples_of_quotas,
};

/// What a mail is about. Each case is a kind of mail.
#[derive(Clone, Debug)]
pub enum MailContent {
    /// To a new user: the account exists.
    Welcome(WelcomeMail),
    /// To a new user: where to choose the first password.
    Password(PasswordLink),
    /// To a user whose password is reset: where to choose a new one.
    PasswordReset(PasswordLink),
    /// To a user: a new password was chosen; was it you?
    PasswordChanged(PasswordChangedMail),
    /// To the requester of a project: the project exists.
    NewProject(NewProjectMail),
    /// To the requester of a quota: what changed.
    QuotaUpdate(QuotaMail),
    /// To the requester of a quota: it is refused, and why.
    QuotaDenied(QuotaDeniedMail),
    /// To the requester of a temporary quota: it is about to end.
    QuotaEnding(QuotaEndingMail),
    /// To the requester of a temporary quota: it has ended.
    QuotaEnded(QuotaEndedMail),
    /// To the helpdesk: a request came in.
    HelpdeskTicket(TicketMail),
    /// To the approvers: requests wait.
    Reminder(ReminderMail),
}

impl MailContent {
    /// The kind, as in reports and the database.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Password(_) => "password",
            Self::PasswordReset(_) => "password-reset",
            Self::PasswordChanged(_) => "password-changed",
            Self::NewProject(_) => "new-project",
            Self::QuotaUpdate(_) => "quota-update",
            Self::QuotaDenied(_) => "quota-denied",
            Self::QuotaEnding(_) => "quota-ending",
            Self::QuotaEnded(_) => "quota-ended",
            Self::HelpdeskTicket(_) => "helpdesk-ticket",
            Self::Reminder(_) => "reminder",
        }
    }
}

/// Sample values for each kind of mail that an import sends, for trying the wording.
#[must_use]
pub fn samples_of_import() -> Vec<MailContent> {
    let full_name = || "New User".to_owned();
    let project = || "Project".to_owned();
    let link = PasswordLink {
        full_name: full_name(),
        url: SecretString::from("https://setpass.example.org/?token=sample"),
        expires: "Monday, 1 January 2035 at 12:00 UTC".to_owned(),
    };
    vec![
        MailContent::NewProject(NewProjectMail { full_name: full_name(), project: project() }),
        MailContent::Welcome(WelcomeMail {
            full_name: full_name(),
            username: "user@example.org".to_owned(),
            project: project(),
        }),
        MailContent::Password(link),
    ]
}

/// Sample values for every kind of mail.
#[must_use]
pub fn samples() -> Vec<MailContent> {
    let mut samples = samples_of_import();
    samples.push(MailContent::PasswordReset(PasswordLink {
        full_name: "User".to_owned(),
        url: SecretString::from("https://setpass.example.org/?token=sample"),
        expires: "Monday, 1 January 2035 at 12:00 UTC".to_owned(),
    }));
    samples.push(MailContent::PasswordChanged(PasswordChangedMail {
        full_name: "User".to_owned(),
        username: "user@example.org".to_owned(),
        changed: "Monday, 1 January 2035 at 12:00 UTC".to_owned(),
        support_email: "support@example.org".to_owned(),
    }));
    samples.push(MailContent::HelpdeskTicket(TicketMail {
        username: "user@example.org".to_owned(),
        first_name: "New".to_owned(),
        last_name: "User".to_owned(),
        project: "Project".to_owned(),
        request_type: "Password Reset".to_owned(),
        comment: String::new(),
        case_number: "1".to_owned(),
    }));
    samples.append(&mut samples_of_quotas());
    samples.push(MailContent::Reminder(ReminderMail {
        kind: SheetKind::Access,
        escalated: false,
        spreadsheet_url: "https://sheets.example.org/".to_owned(),
        requests: vec![PendingRequest {
            row: 2,
            full_name: "New User".to_owned(),
            email: "user@example.org".to_owned(),
            project: "Project".to_owned(),
            since: "Monday, 1 January 2035 at 12:00 UTC".to_owned(),
            comment: String::new(),
            reminders: 0,
        }],
    }));
    samples
}

/// A new account.
#[derive(Clone, Debug)]
pub struct WelcomeMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// Name to log in with.
    pub username: String,
    /// The project that the user has joined.
    pub project: String,
}

/// A link that a user opens to choose a password.
#[derive(Clone, Debug)]
pub struct PasswordLink {
    /// Name to greet the user by.
    pub full_name: String,
    /// The link, with its token.
    pub url: SecretString,
    /// When the link stops working.
    pub expires: String,
}

/// A password that somebody with a link and its PIN has chosen. Keystone has it, unless its answer was lost: then nobody
/// knows; or it refused that one, and has none that anybody knows.
#[derive(Clone, Debug)]
pub struct PasswordChangedMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// Name to log in with.
    pub username: String,
    /// When it was chosen, or the one of before was taken.
    pub changed: String,
    /// Whom to write to if it was not the user.
    pub support_email: String,
}

/// A new project.
#[derive(Clone, Debug)]
pub struct NewProjectMail {
    /// Name to greet the user by.
    pub full_name: String,
    /// The project.
    pub project: String,
}

/// A ticket for the helpdesk.
#[derive(Clone, Debug)]
pub struct TicketMail {
    /// The requester's e-mail address.
    pub username: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The project; may be blank.
    pub project: String,
    /// What kind of request it is, such as `Access Request`.
    pub request_type: String,
    /// What the requester wrote; may be blank.
    pub comment: String,
    /// Case number, where the host keeps one; else blank.
    pub case_number: String,
}

/// A digest of requests that wait for a decision.
#[derive(Clone, Debug)]
pub struct ReminderMail {
    /// The kind of the requests.
    pub kind: SheetKind,
    /// Whether it goes to those above the approvers, because reminders have not helped.
    pub escalated: bool,
    /// Link to the spreadsheet; may be blank.
    pub spreadsheet_url: String,
    /// The requests, the oldest first.
    pub requests: Vec<PendingRequest>,
}

/// One request that waits for a decision.
#[derive(Clone, Debug)]
pub struct PendingRequest {
    /// The row's number.
    pub row: RowNumber,
    /// The requester's name.
    pub full_name: String,
    /// The requester's e-mail address.
    pub email: String,
    /// The project; may be blank.
    pub project: String,
    /// Since when it waits.
    pub since: String,
    /// What the requester wrote; may be blank.
    pub comment: String,
    /// How often approvers were reminded of it before.
    pub reminders: u32,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_is_a_sample_of_every_kind() {
        let kinds: BTreeSet<&str> = samples().iter().map(MailContent::kind).collect();
        let expected = [
            "helpdesk-ticket",
            "new-project",
            "password",
            "password-changed",
            "password-reset",
            "quota-denied",
            "quota-ended",
            "quota-ending",
            "quota-update",
            "reminder",
            "welcome",
        ];
        assert_eq!(kinds, BTreeSet::from(expected));
    }
}

//! What a registration is: the requests that a row parser reads, in the host's own types.
//!
//! Knows nothing of sheets, databases, services or components.

use jiff::civil;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The number of a row as the spreadsheet shows it. The header is row 1.
pub type RowNumber = u32;

/// One row of a worksheet, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number that the spreadsheet shows beside the row.
    pub number: RowNumber,
    /// The cells from the first column on.
    pub cells: Vec<String>,
}

impl Row {
    /// Whether every cell is blank.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// Which of the site's sheets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SheetKind {
    /// Accounts and projects.
    Access,
    /// Quotas.
    Quota,
}

impl SheetKind {
    /// The name, as in the settings and the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Quota => "quota",
        }
    }
}

/// Where the rows of one kind are, and their bookkeeping marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SheetLayout {
    /// The worksheet that the form fills.
    pub requests: String,
    /// The worksheet that finished rows move to.
    pub done: String,
    /// Column, from 0, of the time at which the helpdesk was notified.
    pub notified_column: u32,
    /// Column, from 0, of the time of the last reminder.
    pub reminded_column: u32,
    /// Column, from 0, of the PIN that the requester chose; none where the sheet has none.
    pub pin_column: Option<u32>,
}

/// The layouts that a row parser knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// The access sheet.
    pub access: SheetLayout,
    /// The quota sheet.
    pub quota: Option<SheetLayout>,
}

/// How far a request has come. Times are in the site's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nobody has decided.
    Waiting {
        /// When the form was sent.
        since: Option<civil::DateTime>,
        /// When approvers were last reminded.
        reminded: Option<civil::DateTime>,
    },
    /// Decided against, or set aside.
    Denied,
    /// Approved, the helpdesk not told.
    Approved,
    /// To be processed.
    Ready,
}

/// What a parser made of a worksheet: every row that is not blank, exactly once.
#[derive(Clone, Debug, Serialize)]
pub struct Parsed {
    /// The rows, in the order of the sheet.
    pub rows: Vec<ParsedRow>,
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct ParsedRow {
    /// Its number.
    pub number: RowNumber,
    /// What became of it.
    pub outcome: Outcome,
    /// What approvers should know although the row can be used.
    pub warnings: Vec<String>,
}

/// What became of one row.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A request.
    Request(Request),
    /// Not usable, and why.
    Rejected(Rejection),
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Who sent it, as far as that can be told; may be blank.
    pub requester: String,
    /// Why it cannot be used, and what to correct.
    pub reason: String,
}

/// A row that the parser understood.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Names the submission for ever.
    pub key: String,
    /// How far it has come.
    pub stage: Stage,
    /// What it asks for.
    pub body: Body,
}

/// What a request asks for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// An account, a project, or both.
    Access(Box<AccessRequest>),
    /// Changed quotas.
    Quota(Box<QuotaRequest>),
}

/// A request for an account, a project, or both.
#[derive(Clone, Debug, Serialize)]
pub struct AccessRequest {
    /// E-mail address and user name.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Whether the user is to be created.
    pub account: Account,
    /// Organisation; may be blank.
    pub organisation: String,
    /// Position there; may be blank.
    pub position: String,
    /// Phone number; may be blank.
    pub phone: String,
    /// Who vouches; may be blank.
    pub sponsor: String,
    /// The PIN that the user chose.
    #[serde(skip)]
    pub pin: Option<SecretString>,
    /// What the requester wrote; may be blank.
    pub comment: String,
    /// The project.
    pub project: ProjectChoice,
}

/// Which part of a requester's e-mail address is the user name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsernameRule {
    /// All of it.
    #[default]
    Email,
    /// What stands before the last at sign.
    LocalPart,
}

impl AccessRequest {
    /// The requester's user name.
    #[must_use]
    pub fn username(&self, rule: UsernameRule) -> &str {
        let email = self.email.trim();
        match rule {
            UsernameRule::Email => email,
            UsernameRule::LocalPart => email.rsplit_once('@').map_or(email, |(local, _)| local),
        }
    }

    /// First and last name.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

/// Whether the requester has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    /// No: it is to be created.
    New,
    /// Yes: it only gets a role.
    Existing,
}

/// Which project an access request is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectChoice {
    /// A new one.
    Create {
        /// Its name.
        name: String,
        /// What it is for.
        description: String,
        /// Existing users who join besides the requester.
        members: Vec<String>,
    },
    /// One that exists.
    Join {
        /// Its name.
        name: String,
        /// Who answers for it; may be blank.
        contact_name: String,
        /// That person's address; may be blank.
        contact_email: String,
    },
}

impl ProjectChoice {
    /// The project's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Create { name, .. } | Self::Join { name, .. } => name,
        }
    }
}

/// A request for changed quotas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaRequest {
    /// E-mail address of the requester.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Organisation; may be blank.
    pub organisation: String,
    /// The project's name.
    pub project: String,
    /// The last day of a temporary change; none for a permanent one.
    pub until: Option<civil::Date>,
    /// The name of a bundle of limits that the quota policy knows; limits asked for by key win over it.
    pub size: Option<String>,
    /// Limits asked for, by OpenStack's key, in OpenStack's unit; -1 means unlimited.
    pub limits: Vec<(String, i64)>,
    /// Why.
    pub comment: String,
    /// Notes of the approvers; may be blank.
    pub notes: String,
}

impl QuotaRequest {
    /// First and last name.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

/// A service that keeps quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QuotaService {
    /// Nova.
    Compute,
    /// Neutron.
    Network,
    /// Cinder.
    Volume,
}

impl QuotaService {
    /// Every service that keeps quotas.
    pub const ALL: [Self; 3] = [Self::Compute, Self::Network, Self::Volume];

    /// The name, as in reports and the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

/// A limit that is to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecidedLimit {
    /// The service that keeps it.
    pub service: QuotaService,
    /// OpenStack's key.
    pub key: String,
    /// The limit; -1 means unlimited.
    pub limit: i64,
    /// Why it has this value.
    pub reason: String,
}

/// Whether two names are the same to Usher: without regard to case and surrounding blanks.
#[must_use]
pub fn same_name(left: &str, right: &str) -> bool {
    fold(left) == fold(right)
}

/// The form of a name that is equal for all spellings of it.
#[must_use]
pub fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

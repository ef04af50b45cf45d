//! The actions of a plan. Each is one step of the journal.

use schemars::JsonSchema;
use serde::Serialize;

use crate::registration::{DecidedLimit, QuotaService, fold};

/// One thing to be done for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Create the project.
    CreateProject {
        /// Name.
        name: String,
        /// Description.
        description: String,
    },
    /// Set the new project's limits with one service.
    SetQuotas {
        /// The service.
        service: QuotaService,
        /// The limits.
        limits: Vec<DecidedLimit>,
    },
    /// Create the user, with a random password.
    CreateUser {
        /// Name to log in with.
        name: String,
        /// E-mail address.
        email: String,
        /// Description: the full name.
        description: String,
    },
    /// Grant the requester the member role on the project.
    Grant {
        /// The requester.
        user: String,
        /// The project.
        project: String,
    },
    /// Grant somebody else, who has an account, the member role on the new project.
    GrantMember {
        /// That person.
        user: String,
        /// That person's id.
        #[serde(skip)]
        user_id: String,
        /// The project.
        project: String,
    },
    /// Record the setpass link and the mails. Ends the request.
    Announce {
        /// Whom the mails go to.
        to: String,
        /// What is mailed.
        mails: Vec<Announcement>,
        /// Whether a setpass link is made.
        link: Link,
    },
}

/// A mail that a request causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Announcement {
    /// The project exists.
    NewProject,
    /// The account exists.
    Welcome,
    /// Where to choose the first password.
    Password,
}

impl Announcement {
    /// The name, in reports and as part of the mail's identity.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NewProject => "new-project",
            Self::Welcome => "welcome",
            Self::Password => "password",
        }
    }
}

/// Whether a request ends with a setpass link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// It does: the user is new.
    New,
    /// The user has a password.
    None,
}

impl Action {
    /// The name of the step that creates a project, in the journal.
    #[must_use]
    pub fn create_project_step(project: &str) -> String {
        format!("create-project:{}", fold(project))
    }

    /// The name of the step that creates a user, in the journal.
    #[must_use]
    pub fn create_user_step(user: &str) -> String {
        format!("create-user:{}", fold(user))
    }

    /// The name of the action's step in the journal. It says what the step is about: when somebody
    /// edits the row, a step that was taken for the old content is not taken for one of the new.
    #[must_use]
    pub fn step(&self) -> String {
        match self {
            Self::CreateProject { name, .. } => Self::create_project_step(name),
            Self::SetQuotas { service, .. } => format!("set-quotas:{}", service.name()),
            Self::CreateUser { name, .. } => Self::create_user_step(name),
            Self::Grant { user, project } => format!("grant:{}:{}", fold(user), fold(project)),
            Self::GrantMember { user_id, .. } => format!("grant-member:{user_id}"),
            Self::Announce { .. } => "announce".to_owned(),
        }
    }

    /// What the action does, without whom it is about.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::CreateProject { .. } => "create-project".to_owned(),
            Self::SetQuotas { service, .. } => format!("set-quotas:{}", service.name()),
            Self::CreateUser { .. } => "create-user".to_owned(),
            Self::Grant { .. } => "grant".to_owned(),
            Self::GrantMember { .. } => "grant-member".to_owned(),
            Self::Announce { .. } => "announce".to_owned(),
        }
    }

    /// Whether a step of this name has made something that the row has to go on asking for.
    #[must_use]
    pub fn binds_row(step: &str) -> bool {
        ["create-project:", "create-user:", "grant:"].iter().any(|kind| step.starts_with(kind))
    }

    /// The action in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::CreateProject { name, .. } => format!("create project {name}"),
            Self::SetQuotas { service, limits } => {
                let limits: Vec<_> = limits.iter().map(|l| format!("{} {}", l.key, l.limit)).collect();
                format!("set {} quotas: {}", service.name(), limits.join(", "))
            }
            Self::CreateUser { name, .. } => format!("create user {name}"),
            Self::Grant { user, project } | Self::GrantMember { user, project, .. } => {
                format!("add {user} to {project}")
            }
            Self::Announce { mails, .. } if mails.is_empty() => "send no mail".to_owned(),
            Self::Announce { to, mails, .. } => {
                let mails: Vec<_> = mails.iter().map(|mail| mail.name()).collect();
                format!("mail {to}: {}", mails.join(", "))
            }
        }
    }
}

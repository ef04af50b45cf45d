//! One request on its way through its steps.
//!
//! Each step is in the journal before it has any effect, and may be taken again after a crash at
//! any instruction. What a step creates in Keystone carries the request's marker: that is how a
//! later attempt tells its own user or project from somebody else's.

pub mod announce;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::apply::Tools;
use super::plan::{Action, Target, Work};
use crate::batch::apply::Failure;
use crate::database::{Begun, DatabaseError, JournalRequest};
use crate::fail_point;
use crate::keys::KeysError;
use crate::keystone::{CreateProject, CreateUser, KeystoneError};
use crate::links::LinkError;
use crate::outbox::OutboxError;
use crate::plugin::PluginError;
use crate::quotas::QuotaError;
use crate::random;

/// How often a creation whose fate is unknown is looked into before the request is left to the
/// next run. Calls that may simply be repeated are repeated by the client itself.
const CREATION_ATTEMPTS: u32 = 4;

/// The wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Keystone did not do it.
    #[error("{step}: {source}")]
    Keystone {
        /// What was to be done.
        step: String,
        /// Why not.
        source: KeystoneError,
    },
    /// A service did not take the quotas.
    #[error("{step}: {source}")]
    Quota {
        /// What was to be done.
        step: String,
        /// Why not.
        source: QuotaError,
    },
    /// Somebody else has created it.
    #[error("{0} exists, and this request did not create it")]
    Taken(String),
    /// An earlier step's result is missing.
    #[error("the journal has no {0} for this request; it was changed outside Usher")]
    Missing(&'static str),
    /// A mail could not be worded.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A mail could not be recorded.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A link could not be issued.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A secret of the journal cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The journal cannot be written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another import has taken over.
    #[error("stopped: this import was stalled for so long that another one has taken over")]
    TakenOver,
}

impl Failure for StepError {
    fn is_unreachable(&self) -> bool {
        match self {
            Self::Keystone { source, .. } => source.is_unreachable(),
            Self::Quota { source, .. } => source.is_unreachable(),
            Self::Link(error) => error.is_unreachable(),
            _ => false,
        }
    }

    fn into_database(self) -> Result<DatabaseError, Self> {
        match self {
            Self::Database(error) => Ok(error),
            other => Err(other),
        }
    }
}

/// A request under way.
pub struct Journey<'a> {
    tools: &'a Tools<'a>,
    request: &'a JournalRequest,
    work: &'a Work,
    user_id: Option<String>,
    project_id: Option<String>,
}

impl<'a> Journey<'a> {
    /// Starts where the journal says that the request has come to.
    #[must_use]
    pub fn start(
        tools: &'a Tools<'a>,
        request: &'a JournalRequest,
        work: &'a Work,
        user_id: Option<String>,
        project_id: Option<String>,
    ) -> Self {
        Self { tools, request, work, user_id, project_id }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// Where it cannot be finished now.
    pub async fn take(&mut self, action: &Action) -> Result<(), StepError> {
        if self.tools.run.exclusive.is_lost() {
            return Err(StepError::TakenOver);
        }
        match action {
            Action::CreateProject { name, description } => {
                self.project_id = Some(self.create_project(action, name, description).await?);
                Ok(())
            }
            Action::CreateUser { name, email, description } => {
                self.user_id = Some(self.create_user(action, name, email, description).await?);
                Ok(())
            }
            Action::SetQuotas { service, limits } => {
                let project = self.project()?;
                let limits: Vec<_> = limits.iter().map(|l| (l.key.as_str(), l.limit)).collect();
                self.repeatable(action, async {
                    let set = self.tools.run.app.quotas.set(&project, *service, &limits).await;
                    set.map_err(|source| StepError::Quota { step: action.describe(), source })
                })
                .await
            }
            Action::Grant { .. } => {
                let user = self.user()?;
                self.grant(action, &user).await
            }
            Action::GrantMember { user_id, .. } => self.grant(action, user_id).await,
            Action::Announce { to, mails, link } => announce::announce(self, action, to, mails, *link).await,
        }
    }

    async fn grant(&self, action: &Action, user: &str) -> Result<(), StepError> {
        let project = self.project()?;
        self.repeatable(action, async {
            let granted = self.tools.run.app.keystone.grant(user, &project, self.tools.member_role_id).await;
            granted.map_err(|source| StepError::Keystone { step: action.describe(), source })
        })
        .await
    }

    /// A step whose effect is the same however often it is taken.
    async fn repeatable(
        &self,
        action: &Action,
        effect: impl Future<Output = Result<(), StepError>>,
    ) -> Result<(), StepError> {
        if let Begun::Finished(_) = self.begin(action, None).await? {
            return Ok(());
        }
        effect.await?;
        self.finish(action, "").await
    }

    async fn create_project(
        &self,
        action: &Action,
        name: &str,
        description: &str,
    ) -> Result<String, StepError> {
        let keystone = &self.tools.run.app.keystone;
        let begun = self.begin(action, None).await?;
        if let Begun::Finished(id) = begun {
            return Ok(id);
        }
        let marker = Some(self.request.marker.as_str());
        let id = self
            .create(
                action,
                begun != Begun::First,
                || async {
                    let created = keystone.create_project(&CreateProject { name, description, marker }).await;
                    created.map(|project| project.id)
                },
                || async {
                    let found = keystone.find_project(name).await?;
                    Ok(found.map(|project| (project.id, project.marker)))
                },
            )
            .await?;
        self.finish(action, &id).await?;
        Ok(id)
    }

    async fn create_user(
        &self,
        action: &Action,
        name: &str,
        email: &str,
        description: &str,
    ) -> Result<String, StepError> {
        let keystone = &self.tools.run.app.keystone;
        let keys = &self.tools.run.app.keys;
        let mut password = random::password();
        // The password is in the journal before Keystone has it. After a crash in between, the
        // user is found with a password that is known.
        let sealed = keys.seal(&self.password_purpose(), password.expose_secret().as_bytes());
        let begun = self.begin(action, Some(&sealed)).await?;
        match &begun {
            Begun::Finished(id) => return Ok(id.clone()),
            Begun::Again(Some(sealed)) => password = self.open(sealed)?,
            // An operator reset the password meanwhile, so the user exists. Should it be gone again,
            // it is made with a password that nobody knows, which another reset puts right.
            Begun::Again(None) | Begun::First => {}
        }
        let project = self.project()?;
        let user = CreateUser {
            name,
            email,
            description,
            password: &password,
            default_project_id: Some(&project),
            marker: Some(&self.request.marker),
        };
        let id = self
            .create(
                action,
                begun != Begun::First,
                || async { keystone.create_user(&user).await.map(|user| user.id) },
                || async {
                    let found = keystone.find_user(name).await?;
                    Ok(found.map(|user| (user.id, user.marker)))
                },
            )
            .await?;
        self.finish(action, &id).await?;
        Ok(id)
    }

    /// Creates something once. Where an attempt's fate is unknown (a crash, a lost answer), it
    /// looks before it tries again, and takes what carries the request's own marker for its own.
    async fn create<C, L>(
        &self,
        action: &Action,
        look_first: bool,
        create: impl Fn() -> C,
        look: impl Fn() -> L,
    ) -> Result<String, StepError>
    where
        C: Future<Output = Result<String, KeystoneError>>,
        L: Future<Output = Result<Option<(String, Option<String>)>, KeystoneError>>,
    {
        let failed = |source| StepError::Keystone { step: action.describe(), source };
        let mut doubtful = look_first;
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            if doubtful && let Some((id, marker)) = look().await.map_err(failed)? {
                return match marker {
                    Some(marker) if marker == self.request.marker => Ok(id),
                    _ => Err(StepError::Taken(subject(action))),
                };
            }
            match create().await {
                Ok(id) => return Ok(id),
                Err(error) if attempt >= CREATION_ATTEMPTS => return Err(failed(error)),
                // Somebody was quicker: perhaps an earlier attempt of our own.
                Err(KeystoneError::Conflict { .. }) if !doubtful => doubtful = true,
                Err(error) if error.is_passing() && !error.is_unreachable() => doubtful = true,
                Err(error) => return Err(failed(error)),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            attempt += 1;
        }
    }

    /// The user's random password, for setpass; none where an operator has reset it meanwhile.
    async fn password(&self) -> Result<Option<SecretString>, StepError> {
        let sealed = self.tools.run.app.database.step_secret(self.request.id, &self.user_step()).await?;
        sealed.map(|sealed| self.open(&sealed)).transpose()
    }

    fn open(&self, sealed: &[u8]) -> Result<SecretString, StepError> {
        let plain = self.tools.run.app.keys.open(&self.password_purpose(), sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| StepError::Missing("password"))?;
        Ok(SecretString::from(text))
    }

    fn password_purpose(&self) -> String {
        password_purpose(&self.request.marker)
    }

    /// Id of the user.
    ///
    /// # Errors
    /// Where no step has made it yet.
    pub fn user(&self) -> Result<String, StepError> {
        self.id(self.user_id.as_ref(), &self.work.user, &self.user_step()).ok_or(StepError::Missing("user"))
    }

    /// The name of the step that creates the requester.
    fn user_step(&self) -> String {
        Action::create_user_step(self.work.request.username(self.tools.run.app.settings.import.username))
    }

    /// Id of the project.
    ///
    /// # Errors
    /// Where no step has made it yet.
    pub fn project(&self) -> Result<String, StepError> {
        let step = Action::create_project_step(self.work.request.project.name());
        self.id(self.project_id.as_ref(), &self.work.project, &step).ok_or(StepError::Missing("project"))
    }

    /// An id from this run, from the plan, or from the step of an earlier run.
    fn id(&self, known: Option<&String>, target: &Target, step: &str) -> Option<String> {
        match (known, target) {
            (Some(id), _) | (None, Target::Known(id)) => Some(id.clone()),
            (None, Target::Made) => self.request.finished(step).map(str::to_owned),
            (None, Target::MadeBy(_)) => None,
        }
    }

    async fn begin(&self, action: &Action, secret: Option<&[u8]>) -> Result<Begun, StepError> {
        let app = self.tools.run.app;
        fail_point::reached(|| format!("{} to begin", action.kind()));
        let (step, run) = (action.step(), self.tools.run.number);
        let begun = app.database.begin_step(self.request.id, &step, secret, run, app.clock.now()).await?;
        fail_point::reached(|| format!("{} begun", action.kind()));
        Ok(begun)
    }

    async fn finish(&self, action: &Action, result: &str) -> Result<(), StepError> {
        let app = self.tools.run.app;
        fail_point::reached(|| format!("{} done", action.kind()));
        app.database.finish_step(self.request.id, &action.step(), result, app.clock.now()).await?;
        fail_point::reached(|| format!("{} finished", action.kind()));
        Ok(())
    }
}

/// What the journal seals a password for: one that is copied to another request does not open.
pub(crate) fn password_purpose(marker: &str) -> String {
    format!("journal/password/{marker}")
}

fn subject(action: &Action) -> String {
    match action {
        Action::CreateProject { name, .. } => format!("the project {name}"),
        Action::CreateUser { name, .. } => format!("the user {name}"),
        other => other.describe(),
    }
}

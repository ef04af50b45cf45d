//! One quota request on its way through its steps.
//!
//! The decision is recorded before anything has an effect, and each step is in the journal before it does. A request
//! that was stopped half-way is finished by the next run; where a service refuses its part for good, what the others
//! have set is taken back. So none is left half applied, and none counts as done that is not.

use super::announce;
use super::plan::{Action, Change, Work};
use crate::batch::ExclusiveError;
use crate::batch::apply::{Failure, Run};
use crate::database::{Begun, DatabaseError, JournalRequest, forget_quota_decision_in};
use crate::fail_point;
use crate::outbox::OutboxError;
use crate::plugin::{MailTemplates, PluginError};
use crate::quota_decisions::goes_back_to;
use crate::quotas::QuotaError;
use crate::registration::QuotaService;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A service did not take its limits.
    #[error("{step}: {source}")]
    Quota {
        /// What was to be done.
        step: String,
        /// Why not.
        source: QuotaError,
    },
    /// A service refused its limits, and those of the others are as before.
    #[error("{step}: {source}. Nothing of the request is in force: what was set before has been taken back")]
    TakenBack {
        /// What was to be done.
        step: String,
        /// Why not.
        source: QuotaError,
    },
    /// What an earlier run had set is as before.
    #[error(
        "an earlier run set a part of the request before a service refused the rest; it has been taken back, and the \
         next run decides anew"
    )]
    TakenBackLate,
    /// An earlier decision about the request is being carried out.
    #[error("another decision about this request has been begun; the next run goes on with it")]
    Begun,
    /// The decision is missing.
    #[error("the database has no decision for this request; it was changed outside Usher")]
    Missing,
    /// A mail could not be worded.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A mail could not be recorded.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The journal cannot be written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another run has taken over, or this one is asked to end.
    #[error(transparent)]
    Stopped(#[from] ExclusiveError),
}

impl Failure for StepError {
    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Quota { source, .. } if source.is_unreachable())
    }

    fn into_database(self) -> Result<DatabaseError, Self> {
        match self {
            Self::Database(error) => Ok(error),
            other => Err(other),
        }
    }
}

/// A request under way.
pub(super) struct Journey<'a> {
    pub run: Run<'a>,
    pub mail_templates: &'a MailTemplates,
    pub request: &'a JournalRequest,
    pub work: &'a Work,
}

impl Journey<'_> {
    /// Takes every step.
    ///
    /// # Errors
    /// Where the request cannot be finished now.
    pub(super) async fn go(&self) -> Result<(), StepError> {
        // A decision that an earlier run began to carry out stands.
        let grants = self.work.actions.iter().any(|action| matches!(action, Action::Announce { .. }));
        if grants && self.request.steps.is_empty() {
            announce::record_grant(self).await?;
        }
        for action in &self.work.actions {
            self.run.exclusive.check()?;
            match action {
                Action::TakeBack { changes } => {
                    self.take_back(changes).await?;
                    return Err(StepError::TakenBackLate);
                }
                Action::SetQuotas { service, changes } => self.set(action, *service, changes).await?,
                Action::Announce { to, cc, changes } => announce::granted(self, to, cc, changes).await?,
                Action::Refuse { to, reason } => announce::refused(self, to, reason).await?,
            }
        }
        Ok(())
    }

    async fn set(&self, action: &Action, service: QuotaService, changes: &[Change]) -> Result<(), StepError> {
        let step = Action::set_step(service);
        if let Begun::Finished(_) = self.begin(&step).await? {
            return Ok(());
        }
        let limits: Vec<_> = changes.iter().map(|change| (change.key.as_str(), change.new)).collect();
        match self.run.app.quotas.set(&self.work.project_id, service, &limits).await {
            Ok(()) => self.finish(&step).await,
            Err(source) if source.is_passing() => Err(StepError::Quota { step: action.describe(), source }),
            Err(source) => {
                self.take_back(self.work.changes()).await?;
                Err(StepError::TakenBack { step: action.describe(), source })
            }
        }
    }

    /// Puts limits back that this request has set, or may have set, and forgets its decision, so that the next run
    /// decides anew.
    async fn take_back(&self, changes: &[Change]) -> Result<(), StepError> {
        let app = self.run.app;
        self.begin(Action::TAKE_BACK).await?;
        let begun = app.database.steps(self.request.id).await?;
        let history = app.database.quota_decisions_of_project(&self.work.project_id).await?;
        let recorded = app.database.quota_decision_of_request(self.request.id).await?;
        let before = |change: &Change| match &recorded {
            Some(recorded) => goes_back_to(&change.to_record(), recorded, &history),
            None => change.old,
        };
        for service in QuotaService::ALL {
            let mine: Vec<&Change> = changes.iter().filter(|change| change.service == service).collect();
            // What was never begun was never set.
            let is_begun = begun.contains_key(&Action::set_step(service));
            if mine.is_empty() || !is_begun {
                continue;
            }
            let failed =
                |source| StepError::Quota { step: format!("take back {} quotas", service.name()), source };
            let now = app.quotas.limits(&self.work.project_id, service).await.map_err(failed)?;
            let is_ours = |change: &&&Change| {
                now.iter().any(|limit| limit.key == change.key && limit.limit == change.new)
            };
            let back: Vec<_> =
                mine.iter().filter(is_ours).map(|change| (change.key.as_str(), before(change))).collect();
            // Somebody may have used what was there for a moment.
            let set = app.quotas.set_even_below_use(&self.work.project_id, service, &back).await;
            set.map_err(failed)?;
        }
        fail_point::reached(|| "quotas taken back".to_owned());
        let mut transaction = app.database.begin().await?;
        forget_quota_decision_in(&mut transaction, self.request.id).await?;
        transaction.commit().await.map_err(DatabaseError::from)?;
        fail_point::reached(|| "quota decision forgotten".to_owned());
        Ok(())
    }

    pub(super) async fn begin(&self, step: &str) -> Result<Begun, StepError> {
        let Run { app, number, .. } = self.run;
        fail_point::reached(|| format!("{step} to begin"));
        let begun = app.database.begin_step(self.request.id, step, None, number, app.clock.now()).await?;
        fail_point::reached(|| format!("{step} begun"));
        Ok(begun)
    }

    async fn finish(&self, step: &str) -> Result<(), StepError> {
        let app = self.run.app;
        fail_point::reached(|| format!("{step} done"));
        app.database.finish_step(self.request.id, step, "", app.clock.now()).await?;
        fail_point::reached(|| format!("{step} finished"));
        Ok(())
    }
}

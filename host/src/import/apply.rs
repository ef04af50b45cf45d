//! Applying the plan of an import: what a request begins with, and its way through its steps.

use std::collections::BTreeMap;

use super::journey::{Journey, StepError};
use super::plan::{Plan, Target, Work};
use crate::batch::apply::{self, Ending, Endings, Progress, Run};
use crate::database::{DatabaseError, JournalRequest};
use crate::plugin::MailTemplates;
use crate::registration::{RowNumber, SheetKind};

/// What applying needs besides the plan.
pub struct Tools<'a> {
    /// The run, with the services.
    pub run: Run<'a>,
    /// The wording of the mails.
    pub mail_templates: &'a MailTemplates,
    /// Keystone's id of the member role.
    pub member_role_id: &'a str,
}

/// Ids of what finished rows made, for the rows that wait for them.
#[derive(Clone, Debug)]
struct Made {
    user: Option<String>,
    project: Option<String>,
}

/// Applies the plan.
///
/// # Errors
/// Where the journal cannot be written: nothing can be done safely then.
pub async fn apply(
    tools: &Tools<'_>,
    plan: &Plan,
    progress: impl Fn(Progress<'_>),
) -> Result<Endings, DatabaseError> {
    let work_on = async |request: &JournalRequest, work: &Work, targets: Made| {
        let mut journey = Journey::start(tools, request, work, targets.user, targets.project);
        for action in &work.actions {
            journey.take(action).await?;
        }
        // A step of an earlier run may have made them.
        Ok::<_, StepError>(Made { user: journey.user().ok(), project: journey.project().ok() })
    };
    apply::apply(tools.run, SheetKind::Access, plan, targets, work_on, progress).await
}

/// The ids that a request starts with; or why it cannot start.
fn targets(work: &Work, made: &BTreeMap<RowNumber, Made>, endings: &Endings) -> Result<Made, String> {
    let resolve = |target: &Target, pick: fn(&Made) -> Option<&String>| match target {
        Target::Known(id) => Ok(Some(id.clone())),
        Target::Made => Ok(None),
        Target::MadeBy(row) => match (made.get(row).and_then(pick), endings.get(row)) {
            (Some(id), _) => Ok(Some(id.clone())),
            (None, Some(Ending::Failed { reason, .. })) => {
                Err(format!("row {row}, which this request needs, was not finished: {reason}"))
            }
            (None, _) => Err(format!("row {row}, which this request needs, was not processed")),
        },
    };
    Ok(Made {
        user: resolve(&work.user, |made| made.user.as_ref())?,
        project: resolve(&work.project, |made| made.project.as_ref())?,
    })
}

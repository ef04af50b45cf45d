//! What is recorded of a quota request: the decision before it has any effect, and at its end the mails.

use super::journey::{Journey, StepError};
use super::plan::Change;
use super::wish::hex;
use crate::batch::last_day_in_words;
use crate::database::{
    Begun, DatabaseError, QuotaApproval, QuotaChange, QuotaDecision, QuotaOutcome, finish_request_in,
    finish_step_in, keep_quota_changes_in, mark_quota_applied_in, record_quota_decision_in,
};
use crate::fail_point;
use crate::mail_content::{self, MailContent, QuotaDeniedMail, QuotaMail};
use crate::outbox::Compose;

const STEP: &str = "announce";

/// Records what the policy granted.
///
/// # Errors
/// Where it cannot be recorded.
pub(super) async fn record_grant(journey: &Journey<'_>) -> Result<(), StepError> {
    let changes = journey.work.changes().iter().map(Change::to_record);
    let decision = decision(journey, QuotaOutcome::Granted, "", changes.collect());
    let mut transaction = journey.run.app.database.begin().await?;
    record_quota_decision_in(&mut transaction, &decision).await?.ok_or(StepError::Begun)?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    fail_point::reached(|| "quota decision recorded".to_owned());
    Ok(())
}

/// Ends a request whose limits are all in force: records that, and the mail.
///
/// # Errors
/// Where the mail cannot be worded, or it cannot be recorded.
pub(super) async fn granted(
    journey: &Journey<'_>,
    to: &str,
    cc: &[String],
    changes: &[Change],
) -> Result<(), StepError> {
    if let Begun::Finished(_) = journey.begin(STEP).await? {
        return Ok(());
    }
    let (app, work) = (journey.run.app, journey.work);
    let kept: Vec<_> = changes.iter().map(|change| (change.service, change.key.as_str())).collect();
    let changes = changes.iter().map(|change| mail_content::QuotaChange {
        key: change.key.clone(),
        old: change.old,
        new: change.new,
        reason: change.reason.clone(),
    });
    let content = MailContent::QuotaUpdate(QuotaMail {
        full_name: work.request.full_name(),
        project: work.project.clone(),
        changes: changes.collect(),
        until: work.request.until.map(last_day_in_words),
    });
    let mut message = journey.mail_templates.render(&content).await?;
    message.cc.extend_from_slice(cc);
    let compose = Compose { to: vec![to.to_owned()], message, link: None };

    let decision = app.database.quota_decision_of_request(journey.request.id).await?;
    let decision = decision.ok_or(StepError::Missing)?;
    let now = app.clock.now();
    let mut transaction = app.database.begin().await?;
    let origin = format!("request:{}:{}", journey.request.id, content.kind());
    app.outbox.enqueue(&mut transaction, &origin, content.kind(), &compose).await?;
    keep_quota_changes_in(&mut transaction, decision.id, &kept).await?;
    mark_quota_applied_in(&mut transaction, decision.id, now).await?;
    if !finish_step_in(&mut transaction, journey.request.id, STEP, "", now).await? {
        return Ok(());
    }
    finish_request_in(&mut transaction, journey.request.id, now).await?;
    fail_point::reached(|| "announce recorded".to_owned());
    transaction.commit().await.map_err(DatabaseError::from)?;
    fail_point::reached(|| "announce finished".to_owned());
    Ok(())
}

/// Records that a request is refused, and the mail that says so. The request stays open: its row may be edited.
///
/// # Errors
/// Where the mail cannot be worded, or it cannot be recorded.
pub(super) async fn refused(journey: &Journey<'_>, to: &str, reason: &str) -> Result<(), StepError> {
    let (app, work) = (journey.run.app, journey.work);
    let content = MailContent::QuotaDenied(QuotaDeniedMail {
        full_name: work.request.full_name(),
        project: work.project.clone(),
        reason: reason.to_owned(),
    });
    let message = journey.mail_templates.render(&content).await?;
    let compose = Compose { to: vec![to.to_owned()], message, link: None };
    let decision = decision(journey, QuotaOutcome::Denied, reason, Vec::new());
    let mut transaction = app.database.begin().await?;
    record_quota_decision_in(&mut transaction, &decision).await?.ok_or(StepError::Begun)?;
    // Once for what is asked for: a row that asks for something else may be refused anew.
    let origin = format!("request:{}:{}:{}", journey.request.id, content.kind(), work.wish);
    app.outbox.enqueue(&mut transaction, &origin, content.kind(), &compose).await?;
    fail_point::reached(|| "refusal recorded".to_owned());
    transaction.commit().await.map_err(DatabaseError::from)?;
    app.database.note_request_error(journey.request.id, reason, app.clock.now()).await?;
    fail_point::reached(|| "refusal finished".to_owned());
    Ok(())
}

fn decision(
    journey: &Journey<'_>,
    outcome: QuotaOutcome,
    reason: &str,
    changes: Vec<QuotaChange>,
) -> QuotaDecision {
    let work = journey.work;
    QuotaDecision {
        request: Some(journey.request.id),
        project_id: work.project_id.clone(),
        project: work.project.clone(),
        requester_email: work.request.email.trim().to_owned(),
        requester_name: work.request.full_name(),
        decided: journey.run.app.clock.now(),
        outcome,
        wish: work.wish.clone(),
        approved_by: if work.without_approval { QuotaApproval::Policy } else { QuotaApproval::People },
        reason: reason.to_owned(),
        notices: work.notices.clone(),
        policy: Some(hex(&work.policy)),
        ends: work.ends,
        changes,
    }
}

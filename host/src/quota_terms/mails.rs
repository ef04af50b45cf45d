//! What is recorded of the end of a temporary change: the mails, together with what they tell.

use jiff::{SignedDuration, Timestamp};

use super::ends::LimitAtEnd;
use crate::app::App;
use crate::batch::{BatchError, last_day_in_words};
use crate::database::{
    ChangeFate, DatabaseError, EndedLimit, RecordedQuotaDecision, mark_quota_warned_in,
    record_quota_fates_and_end_in,
};
use crate::fail_point;
use crate::mail_content::{
    KeptLimit, MailContent, QuotaChange, QuotaEndedMail, QuotaEndingMail, QuotaReturn,
};
use crate::outbox::Compose;
use crate::plugin::MailTemplates;

/// Records that a change is about to end, and the mail that says what of it will go back, if anything will.
pub(super) async fn ending(
    app: &App,
    mail_templates: &MailTemplates,
    recorded: &RecordedQuotaDecision,
    limits: &[LimitAtEnd],
    ends: Timestamp,
) -> Result<(), BatchError> {
    let decision = &recorded.decision;
    let returns = limits.iter().map(|limit| QuotaReturn {
        key: limit.key.clone(),
        in_force: limit.in_force,
        goes_back_to: limit.before,
    });
    let content = MailContent::QuotaEnding(QuotaEndingMail {
        full_name: decision.requester_name.clone(),
        project: decision.project.clone(),
        ends: last_day(app, ends),
        returns: returns.collect(),
    });
    let message = mail_templates.render(&content).await?;
    let compose = Compose { to: vec![decision.requester_email.clone()], message, link: None };
    let mut transaction = app.database.begin().await?;
    let origin = format!("quota:{}:{}", recorded.id, content.kind());
    if !limits.is_empty() {
        app.outbox.enqueue(&mut transaction, &origin, content.kind(), &compose).await?;
    }
    mark_quota_warned_in(&mut transaction, recorded.id, app.clock.now()).await?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    fail_point::reached(|| "end of quota announced".to_owned());
    Ok(())
}

/// Records that a change has ended and the mail that says so.
pub(super) async fn ended(
    app: &App,
    mail_templates: &MailTemplates,
    recorded: &RecordedQuotaDecision,
    limits: &[LimitAtEnd],
) -> Result<(), BatchError> {
    let decision = &recorded.decision;
    let of_fate = |fate| limits.iter().filter(move |limit| limit.fate == fate);
    let restored = of_fate(ChangeFate::Restored).map(|limit| QuotaChange {
        key: limit.key.clone(),
        // An earlier attempt may have put it back already.
        old: if limit.in_force == limit.before { limit.temporary } else { limit.in_force },
        new: limit.before,
        reason: String::new(),
    });
    let kept = of_fate(ChangeFate::Kept).map(|limit| KeptLimit {
        key: limit.key.clone(),
        in_force: limit.in_force,
        before: limit.before,
        reason: "it was changed meanwhile".to_owned(),
    });
    let content = MailContent::QuotaEnded(QuotaEndedMail {
        full_name: decision.requester_name.clone(),
        project: decision.project.clone(),
        restored: restored.collect(),
        kept: kept.collect(),
    });
    let message = mail_templates.render(&content).await?;
    let compose = Compose { to: vec![decision.requester_email.clone()], message, link: None };
    let ended: Vec<EndedLimit<'_>> = limits
        .iter()
        .map(|limit| EndedLimit {
            service: limit.service,
            key: &limit.key,
            fate: limit.fate,
            before: limit.before,
        })
        .collect();
    let mut transaction = app.database.begin().await?;
    let origin = format!("quota:{}:{}", recorded.id, content.kind());
    // Of a project that is gone there is nothing to tell.
    if !limits.is_empty() {
        app.outbox.enqueue(&mut transaction, &origin, content.kind(), &compose).await?;
    }
    if record_quota_fates_and_end_in(&mut transaction, recorded.id, &ended, app.clock.now()).await? {
        transaction.commit().await.map_err(DatabaseError::from)?;
    }
    fail_point::reached(|| "end of quota recorded".to_owned());
    Ok(())
}

/// The last day of a change in the site's time zone: it ends when that day does.
fn last_day(app: &App, ends: Timestamp) -> String {
    let within = ends.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(ends);
    last_day_in_words(within.to_zoned(app.settings.site.time_zone.clone()).date())
}

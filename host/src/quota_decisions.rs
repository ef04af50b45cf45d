//! What the flows about quotas share: the right to change limits, the wording of their mails, and what earlier
//! decisions mean for a limit.

use std::cmp::Reverse;

use crate::app::App;
use crate::batch::BatchError;
use crate::database::{ChangeFate, QuotaChange, QuotaOutcome, RecordedQuotaDecision};
use crate::mail_content;
use crate::outbox;
use crate::plugin::MailTemplates;
use crate::registration::QuotaService;

/// The right to change limits, by which runs over the quota sheet are also called. Whoever changes limits takes those
/// that it reads for what nobody else is about to change.
pub const KIND: &str = "quota run";

/// Words every mail about quotas with sample values, so that a template that is missing or wrong is found before
/// there are limits of which nobody can be told.
pub(crate) async fn check_wording(app: &App) -> Result<MailTemplates, BatchError> {
    let mail_templates = app.mail_templates().await?;
    for content in mail_content::samples_of_quotas() {
        let message = mail_templates.render(&content).await?;
        outbox::check_wording(&app.settings.mail.sender, message)
            .map_err(|source| BatchError::Wording { kind: content.kind(), source })?;
    }
    Ok(mail_templates)
}

/// A limit as people read it.
#[must_use]
pub fn in_words(limit: i64) -> String {
    if limit < 0 { "unlimited".to_owned() } else { limit.to_string() }
}

/// What a limit goes back to when a decision is undone. It may have been found as another temporary change had left
/// it, which has ended meanwhile and could not put it back because of this one: then it goes back to what that one
/// had found. `history` are the decisions about the project.
#[must_use]
pub fn goes_back_to(
    change: &QuotaChange,
    decision: &RecordedQuotaDecision,
    history: &[RecordedQuotaDecision],
) -> i64 {
    let mut before = change.old;
    // One that is not in force yet comes after all that are.
    let is_earlier = |other: &&RecordedQuotaDecision| match (other.applied, decision.applied) {
        (Some(other), Some(this)) => other < this,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let mut earlier: Vec<_> = history.iter().filter(is_earlier).collect();
    earlier.sort_by_key(|other| Reverse(other.applied));
    for other in earlier {
        let Some(same) = of_limit(other, change.service, &change.key) else { continue };
        // Else somebody set it by other means in between, or it is in force, or it has put its limit back.
        if same.new != before || same.fate != Some(ChangeFate::Kept) {
            break;
        }
        before = same.old;
    }
    before
}

/// Whether a later decision that is in force is about the same limit: then it is not for the earlier one any more to
/// say what the limit is, also where both say the same.
#[must_use]
pub fn is_decided_anew(
    change: &QuotaChange,
    decision: &RecordedQuotaDecision,
    history: &[RecordedQuotaDecision],
) -> bool {
    let is_later = |other: &&RecordedQuotaDecision| {
        other.applied.is_some() && other.applied > decision.applied && other.ended.is_none()
    };
    history.iter().filter(is_later).any(|other| of_limit(other, change.service, &change.key).is_some())
}

/// Whether a limit is what a temporary change has made it that has not ended, and nothing later has confirmed it: it
/// will go back by itself.
#[must_use]
pub fn is_temporary(service: QuotaService, key: &str, history: &[RecordedQuotaDecision]) -> bool {
    history
        .iter()
        .filter(|decision| {
            decision.decision.ends.is_some() && decision.applied.is_some() && decision.ended.is_none()
        })
        .any(|decision| {
            of_limit(decision, service, key).is_some_and(|change| !is_decided_anew(change, decision, history))
        })
}

fn of_limit<'a>(
    decision: &'a RecordedQuotaDecision,
    service: QuotaService,
    key: &str,
) -> Option<&'a QuotaChange> {
    let changes = &decision.decision.changes;
    let is_granted = decision.decision.outcome == QuotaOutcome::Granted;
    changes.iter().find(|change| is_granted && change.service == service && change.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlimited_is_a_word() {
        assert_eq!((in_words(-1).as_str(), in_words(0).as_str()), ("unlimited", "0"));
    }
}

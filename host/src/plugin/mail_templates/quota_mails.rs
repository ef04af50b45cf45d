//! The mails about quotas, as the components know them.

use crate::mail_content::{
    KeptLimit, QuotaChange, QuotaDeniedMail, QuotaEndedMail, QuotaEndingMail, QuotaMail, QuotaReturn,
};
use crate::plugin::bindings::interfaces::types as wit;

pub(super) fn update(mail: &QuotaMail) -> wit::QuotaMail {
    wit::QuotaMail {
        full_name: mail.full_name.clone(),
        project: mail.project.clone(),
        changes: mail.changes.iter().map(change).collect(),
        until: mail.until.clone(),
    }
}

pub(super) fn denied(mail: &QuotaDeniedMail) -> wit::QuotaDeniedMail {
    wit::QuotaDeniedMail {
        full_name: mail.full_name.clone(),
        project: mail.project.clone(),
        reason: mail.reason.clone(),
    }
}

pub(super) fn ending(mail: &QuotaEndingMail) -> wit::QuotaEndingMail {
    wit::QuotaEndingMail {
        full_name: mail.full_name.clone(),
        project: mail.project.clone(),
        ends: mail.ends.clone(),
        returns: mail
            .returns
            .iter()
            .map(|QuotaReturn { key, in_force, goes_back_to }| wit::QuotaReturn {
                key: key.clone(),
                in_force: *in_force,
                goes_back_to: *goes_back_to,
            })
            .collect(),
    }
}

pub(super) fn ended(mail: &QuotaEndedMail) -> wit::QuotaEndedMail {
    wit::QuotaEndedMail {
        full_name: mail.full_name.clone(),
        project: mail.project.clone(),
        restored: mail.restored.iter().map(change).collect(),
        kept: mail
            .kept
            .iter()
            .map(|KeptLimit { key, in_force, before, reason }| wit::KeptLimit {
                key: key.clone(),
                in_force: *in_force,
                before: *before,
                reason: reason.clone(),
            })
            .collect(),
    }
}

fn change(change: &QuotaChange) -> wit::QuotaChange {
    wit::QuotaChange {
        key: change.key.clone(),
        old: change.old,
        new: change.new,
        reason: change.reason.clone(),
    }
}

//! Erasing the records that name people, when what they were about is over for as long as the site keeps them.
//!
//! Nothing goes that the next run needs to do everything exactly once. What is not finished is kept, however old.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::batch::BatchError;
use crate::database::Outlived;
use crate::outbox::{MailActionError, OutboxError};

/// What was erased, or would be.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// Finished requests that lost their names and steps.
    pub requests: u64,
    /// Tickets that lost the names of their requests.
    pub tickets: u64,
    /// Reminders.
    pub reminders: u64,
    /// Addresses of the mailing list's queue.
    pub subscriptions: u64,
    /// Quota decisions that lost their requesters.
    pub quota_requesters: u64,
    /// Refused mails, with their files.
    pub refused_mails: u64,
    /// Mails that lost what servers said about them.
    pub mail_remarks: u64,
    /// Reports of runs.
    pub reports: u64,
    /// What the operator should know besides.
    pub notices: Vec<String>,
}

impl Report {
    /// One sentence about the whole.
    #[must_use]
    pub fn summary(&self) -> String {
        let erased: u64 = self.lines().iter().map(|(_, count)| count).sum();
        format!("{erased} records erased")
    }

    /// What was erased, each with its number.
    #[must_use]
    pub fn lines(&self) -> [(&'static str, u64); 8] {
        [
            ("names and steps of finished requests", self.requests),
            ("names of requests with a ticket", self.tickets),
            ("reminders", self.reminders),
            ("addresses for the mailing list", self.subscriptions),
            ("requesters of quotas", self.quota_requesters),
            ("refused mails, with their files", self.refused_mails),
            ("what servers said about mails", self.mail_remarks),
            ("reports of runs", self.reports),
        ]
    }
}

/// Erases what has outlived `[retention]`. With `dry_run`, it is only counted.
///
/// # Errors
/// Where the database fails.
pub async fn run(app: &App, dry_run: bool) -> Result<Report, BatchError> {
    let retention = &app.settings.retention;
    let before = |kept: std::time::Duration| {
        let kept = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
        app.clock.now().saturating_sub(kept).unwrap_or(Timestamp::MIN)
    };
    let (requests, mails, reports) =
        (before(retention.requests), before(retention.mails), before(retention.reports));
    let erase = async |what, before| match dry_run {
        true => app.database.count_outlived(what, before).await,
        false => app.database.erase_outlived(what, before).await,
    };
    let mut report = Report {
        requests: erase(Outlived::Requests, requests).await?,
        tickets: erase(Outlived::Tickets, requests).await?,
        reminders: erase(Outlived::Reminders, requests).await?,
        subscriptions: erase(Outlived::Subscriptions, requests).await?,
        quota_requesters: erase(Outlived::QuotaRequesters, requests).await?,
        reports: erase(Outlived::Reports, reports).await?,
        ..Report::default()
    };
    for number in app.outbox.refused_before(mails).await? {
        if !dry_run && let Err(error) = app.outbox.discard(number).await {
            match error {
                MailActionError::Outbox(OutboxError::Database(error)) => return Err(error.into()),
                // Somebody has it tried again at this moment.
                other => report.notices.push(other.to_string()),
            }
            continue;
        }
        report.refused_mails += 1;
    }
    report.mail_remarks = erase(Outlived::MailRemarks, mails).await?;
    if !dry_run {
        app.database.overwrite_log().await?;
    }
    Ok(report)
}

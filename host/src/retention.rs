//! Erasing the records that name people, when what they were about is over for as long as the site keeps them.
//!
//! Nothing goes that the next run needs to do everything exactly once. What is not finished is kept, however old.

mod pins;

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
    /// PINs in the sheet.
    pub pins: u64,
    /// What could not be done. The next run tries it again.
    pub failed: Vec<String>,
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
    pub fn lines(&self) -> [(&'static str, u64); 9] {
        [
            ("names and steps of finished requests", self.requests),
            ("names of requests with a ticket", self.tickets),
            ("reminders", self.reminders),
            ("addresses for the mailing list", self.subscriptions),
            ("requesters of quotas", self.quota_requesters),
            ("refused mails, with their files", self.refused_mails),
            ("what servers said about mails", self.mail_remarks),
            ("reports of runs", self.reports),
            ("PINs in the sheet", self.pins),
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
    if let Some(kept) = retention.pins {
        match pins::erase(app, before(kept), dry_run).await {
            Ok(erased) => report.pins = erased,
            Err(BatchError::Database(error)) => return Err(error.into()),
            Err(error) => report.failed.push(format!("the PINs in the sheet: {error}")),
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::database::finish_request_in;
    use crate::notices::tests::Site;
    use crate::registration::SheetKind;

    const HEADER: &str = "Approved,Notified,Reminded,Timestamp,E-mail,First name,Last name,Account?,Organization,Role,Phone,\
                          Sponsor,PIN,Comment,Project?,New project,Description,Users,Existing project,Contact,Contact \
                          e-mail";

    /// A row of the done worksheet.
    fn row(second: u32, pin: &str) -> String {
        format!(
            "Approved,14 Mar 2018 16:00:00,,3/14/2018 15:48:{second:02},a@example.org,New,User,No,,,,,{pin},\"a, b\",,,,,Genomics,,"
        )
    }

    /// Has the journal know a request as finished and moved.
    async fn finish(site: &Site, second: u32) {
        let (database, now) = (&site.app.database, site.app.clock.now());
        let run = database.begin_run("import", now).await.unwrap();
        let key = format!("2018-03-14T15:48:{second:02} a@example.org");
        let batch = [(key.as_str(), key.clone())];
        let request = database.take_up_requests(SheetKind::Access, &batch, run, now).await.unwrap().remove(0);
        let mut transaction = database.begin().await.unwrap();
        finish_request_in(&mut transaction, request.id, now).await.unwrap();
        transaction.commit().await.unwrap();
        database.mark_moved(&[request.id], now).await.unwrap();
    }

    #[tokio::test]
    async fn a_pin_goes_from_the_sheet_some_time_after_its_row_has_moved_and_no_other_cell_with_it() {
        let site = Site::new("[retention]\npins = \"7d\"\nrequests = \"5d\"\n").await;
        let file = site.folder().join("access/Current Users.csv");
        let sheet = |first: &str, second: &str| {
            format!("{HEADER}\n{}\n{}\n{}\n", row(1, first), row(2, "4822"), row(3, second))
        };
        fs::write(&file, sheet("4821", "4823")).unwrap();
        finish(&site, 1).await;
        site.pass(6 * 24);
        // The name of the first request is erased before its PIN is; the second is unknown to the journal.
        finish(&site, 3).await;
        let report = run(&site.app, false).await.unwrap();
        assert_eq!((report.requests, report.pins), (1, 0));
        site.pass(2 * 24);
        assert_eq!(run(&site.app, true).await.unwrap().pins, 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), sheet("4821", "4823"));
        let report = run(&site.app, false).await.unwrap();
        assert_eq!((report.pins, report.failed.len()), (1, 0), "{report:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), sheet("", "4823"));
        site.pass(6 * 24);
        assert_eq!(run(&site.app, false).await.unwrap().pins, 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), sheet("", ""));
        assert_eq!(run(&site.app, false).await.unwrap().pins, 0);

        fs::remove_dir_all(site.folder().join("access")).unwrap();
        let report = run(&site.app, false).await.unwrap();
        assert!(report.failed[0].starts_with("the PINs in the sheet: there is no folder"), "{report:?}");
    }

    #[tokio::test]
    async fn without_the_setting_the_sheet_is_not_looked_at() {
        let site = Site::new("").await;
        fs::remove_dir_all(site.folder().join("access")).unwrap();
        assert_eq!(run(&site.app, false).await.unwrap(), Report::default());
    }
}

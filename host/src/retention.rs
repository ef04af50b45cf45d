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
use crate::remind::ESCALATED;

const REFUSED_MAILS: &str = "refused mails, with their files";
const PINS: &str = "PINs in the sheet";

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
    /// Whether some of that fails again until somebody acts.
    pub unusable: bool,
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
            (Outlived::Requests.words(), self.requests),
            (Outlived::Tickets.words(), self.tickets),
            (Outlived::Reminders.words(), self.reminders),
            (Outlived::Subscriptions.words(), self.subscriptions),
            (Outlived::QuotaRequesters.words(), self.quota_requesters),
            (REFUSED_MAILS, self.refused_mails),
            (Outlived::MailRemarks.words(), self.mail_remarks),
            (Outlived::Reports.words(), self.reports),
            (PINS, self.pins),
        ]
    }

    /// One thing that cannot be erased does not keep the others from it.
    fn count(&mut self, what: &str, erased: Result<u64, BatchError>) -> u64 {
        erased.unwrap_or_else(|error| {
            self.unusable |= !error.is_passing();
            self.failed.push(format!("{what}: {error}"));
            0
        })
    }
}

/// Erases what has outlived `[retention]`. With `dry_run`, it is only counted.
pub async fn run(app: &App, dry_run: bool) -> Report {
    let retention = &app.settings.retention;
    let before = |kept: std::time::Duration| {
        let kept = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
        app.clock.now().saturating_sub(kept).unwrap_or(Timestamp::MIN)
    };
    let (requests, mails, reports) =
        (before(retention.requests), before(retention.mails), before(retention.reports));
    let reports_before = reports;
    let mut report = Report::default();
    let mut erase = async |what: Outlived, before| {
        let erased = match dry_run {
            true => app.database.count_outlived(what, before).await,
            false => app.database.erase_outlived(what, before).await,
        };
        report.count(what.words(), erased.map_err(BatchError::from))
    };
    let finished = erase(Outlived::Requests, requests).await;
    let tickets = erase(Outlived::Tickets, requests).await;
    let reminders = erase(Outlived::Reminders, requests).await;
    let subscriptions = erase(Outlived::Subscriptions, requests).await;
    let quota_requesters = erase(Outlived::QuotaRequesters, requests).await;
    let reports = erase(Outlived::Reports, reports).await;
    let mail_remarks = erase(Outlived::MailRemarks, mails).await;
    let mut notices = Vec::new();
    let refused = discard_refused(app, mails, dry_run, &mut notices).await;
    report.refused_mails = report.count(REFUSED_MAILS, refused);
    if let Some(kept) = retention.pins {
        let erased = pins::erase(app, before(kept), dry_run).await;
        report.pins = report.count(PINS, erased);
    }
    if !dry_run {
        let forgotten = app.database.forget_occasions(reports_before).await;
        report.count("what jobs did on their occasions", forgotten.map(|()| 0).map_err(BatchError::from));
        let overwritten = app.database.overwrite_log().await;
        report.count("the traces in the database's log", overwritten.map(|()| 0).map_err(BatchError::from));
    }
    Report {
        requests: finished,
        tickets,
        reminders,
        subscriptions,
        quota_requesters,
        mail_remarks,
        reports,
        notices,
        ..report
    }
}

/// Drops mails that were refused long ago. One about a request that is not over stays, because it is still owed: once an
/// operator has mended the cause, it can be tried again.
async fn discard_refused(
    app: &App,
    before: Timestamp,
    dry_run: bool,
    notices: &mut Vec<String>,
) -> Result<u64, BatchError> {
    let owed = app.database.mails_about_open_requests().await?;
    let mut count = 0;
    for (number, origin) in app.outbox.refused_before(before).await? {
        if owed.contains(origin.strip_suffix(ESCALATED).unwrap_or(&origin)) {
            continue;
        }
        if !dry_run && let Err(error) = app.outbox.discard(number).await {
            match error {
                MailActionError::Outbox(OutboxError::Database(error)) => return Err(error.into()),
                // Somebody has it tried again at this moment.
                other => notices.push(other.to_string()),
            }
            continue;
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::database::finish_request_in;
    use crate::notices::tests::Site;
    use crate::registration::SheetKind;
    use crate::schedule::jobs::retention::told;

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
        let report = run(&site.app, false).await;
        assert_eq!((report.requests, report.pins), (1, 0));
        site.pass(2 * 24);
        assert_eq!(run(&site.app, true).await.pins, 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), sheet("4821", "4823"));
        let report = run(&site.app, false).await;
        assert_eq!((report.pins, report.failed.len()), (1, 0), "{report:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), sheet("", "4823"));
        site.pass(6 * 24);
        assert_eq!(run(&site.app, false).await.pins, 1);
        assert_eq!(fs::read_to_string(&file).unwrap(), sheet("", ""));
        assert_eq!(run(&site.app, false).await.pins, 0);

        fs::remove_dir_all(site.folder().join("access")).unwrap();
        let report = run(&site.app, false).await;
        assert!(report.failed[0].starts_with("PINs in the sheet: there is no folder"), "{report:?}");
    }

    /// A backup may read for some time.
    #[tokio::test]
    async fn while_somebody_reads_the_database_what_was_erased_is_not_called_gone() {
        let site = Site::new("").await;
        let mut reader =
            SqliteConnection::connect(site.app.settings.database.file.to_str().unwrap()).await.unwrap();
        for statement in ["BEGIN", "SELECT COUNT(*) FROM run"] {
            sqlx::query(statement).fetch_optional(&mut reader).await.unwrap();
        }
        finish(&site, 1).await;
        site.pass(366 * 24);
        let report = run(&site.app, false).await;
        assert_eq!(report.requests, 1);
        assert!(
            report.failed.iter().any(|failed| failed.contains("what was erased is still in it")),
            "{report:?}"
        );
        let failure = told(&report).unwrap_err();
        assert!(failure.is_passing(), "the job is tried again soon: {failure:?}");
        drop(reader);
        assert_eq!(run(&site.app, false).await, Report::default());
    }

    #[tokio::test]
    async fn without_the_setting_the_sheet_is_not_looked_at() {
        let site = Site::new("").await;
        fs::remove_dir_all(site.folder().join("access")).unwrap();
        assert_eq!(run(&site.app, false).await, Report::default());
    }
}

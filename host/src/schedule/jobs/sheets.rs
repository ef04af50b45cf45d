//! `import` and `quotas`: processing the approved rows of the sheets.

use crate::app::App;
use crate::batch::BatchError;
use crate::batch::report::Report as BatchReport;
use crate::schedule::{Call, Failure, Report};
use crate::{import, quota_apply};

pub(super) async fn import(app: App, _: Call) -> Result<Report, Failure> {
    told_of_import(&import::run(&app, &import::Selection::All, |_| {}).await)
}

pub(super) async fn quotas(app: App, _: Call) -> Result<Report, Failure> {
    told_of_quotas(&quota_apply::run(&app, &quota_apply::Selection::All, |_| {}).await)
}

/// What is recorded of a run over the access sheet.
///
/// # Errors
/// Where it could not be made, or a service was out of reach or cannot be used.
pub fn told_of_import(ended: &Result<BatchReport, BatchError>) -> Result<Report, Failure> {
    told(ended, "import show")
}

/// The same for the quota sheet.
///
/// # Errors
/// As above.
pub fn told_of_quotas(ended: &Result<BatchReport, BatchError>) -> Result<Report, Failure> {
    told(ended, "quota history --run")
}

/// A row that somebody has to correct is for the approvers, who read of it in the sheet and in the run's report. The
/// job has failed where a service was out of reach, or cannot be used as the settings say.
fn told(ended: &Result<BatchReport, BatchError>, show: &str) -> Result<Report, Failure> {
    let report = match ended {
        Ok(report) => report,
        Err(error) => return Err(error.into()),
    };
    let summary = report.summary();
    let more = format!("usher {show} {} tells more", report.run);
    if report.unreachable {
        let why = report.mail_server.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let reason = format!("a service could not be reached{why} ({summary}); {more}");
        return Err(Failure::new(reason, true));
    }
    if report.mail_server_unusable || report.mailing_list_unusable {
        let which = if report.mail_server_unusable { "mail server" } else { "mailing list" };
        let reason = format!("the {which} cannot be used as the settings say ({summary}); {more}");
        return Err(Failure::new(reason, false));
    }
    Ok(Report { partly: !report.is_complete(), summary, details: vec![more] })
}

//! `notify` and `remind`: the mails about requests in the sheets.

use crate::app::App;
use crate::batch::BatchError;
use crate::notices::report::Report as NoticesReport;
use crate::schedule::{Call, Failure, Report};
use crate::{notify, remind};

pub(super) async fn notify(app: App, call: Call) -> Result<Report, Failure> {
    told(&notify::run(&app, call.dry_run).await)
}

pub(super) async fn remind(app: App, call: Call) -> Result<Report, Failure> {
    told(&remind::run(&app, call.dry_run).await)
}

/// What is recorded of mails about requests. The requesters' names are left out: those who want them find them in the
/// sheet.
///
/// # Errors
/// Where it could not be done, or a service was out of reach.
pub fn told(ended: &Result<NoticesReport, BatchError>) -> Result<Report, Failure> {
    let report = match ended {
        Ok(report) => report,
        Err(error) => return Err(Failure { passing: error.is_passing(), reason: error.to_string() }),
    };
    let summary = report.summary();
    if report.unreachable {
        let reason = format!("a service could not be reached ({summary})");
        return Err(Failure { reason, passing: true });
    }
    let details = report.failed.iter().chain(&report.notices).cloned().collect();
    Ok(Report { partly: !report.is_complete(), summary, details })
}

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

/// What is recorded of mails about requests. The requesters' names are left out, and what people typed: those who want
/// them find them in the sheet. A row that somebody has to correct is no failure of the job.
///
/// # Errors
/// Where it could not be done, a sheet or a service was out of reach or cannot be used, or mail or marks are left for
/// another try: those are not to wait for the next occasion, which may be days away.
pub fn told(ended: &Result<NoticesReport, BatchError>) -> Result<Report, Failure> {
    let report = match ended {
        Ok(report) => report,
        Err(error) => return Err(error.into()),
    };
    let summary = report.summary();
    if report.unusable {
        return Err(Failure::new(format!("{} ({summary})", report.failed.join("; ")), false));
    }
    if report.unreachable {
        let why: Vec<&str> = report.failed.iter().chain(&report.mail_server).map(String::as_str).collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
        let reason = format!("a service could not be reached{why} ({summary})");
        return Err(Failure::new(reason, true));
    }
    if report.has_to_go_on() {
        let reason = format!("mail waits to be sent, or marks to be written ({summary})");
        return Err(Failure::new(reason, true));
    }
    let details = report.failed.iter().chain(&report.kept_notices).cloned().collect();
    Ok(Report { partly: !report.is_complete(), summary, details })
}

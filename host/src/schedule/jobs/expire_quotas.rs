//! `expire-quotas`: temporary quotas whose day is over.

use crate::app::App;
use crate::batch::BatchError;
use crate::quota_terms;
use crate::schedule::{Call, Failure, Report};

pub(super) async fn run(app: App, call: Call) -> Result<Report, Failure> {
    told(&quota_terms::run(&app, call.dry_run).await)
}

/// What is recorded of what was done about temporary quotas.
///
/// # Errors
/// Where it could not be done, a service or the mail server was out of reach or cannot be used, or a limit could not be
/// put back: there is no sheet in which anybody else would read of that.
pub fn told(ended: &Result<quota_terms::Report, BatchError>) -> Result<Report, Failure> {
    let report = match ended {
        Ok(report) => report,
        Err(error) => return Err(error.into()),
    };
    let counts = [report.ended.len(), report.warned.len(), report.failed.len()];
    let summary = format!("{} ended, {} announced, {} failed", counts[0], counts[1], counts[2]);
    if report.unreachable {
        let reason = format!("a service could not be reached ({summary})");
        return Err(Failure::new(reason, true));
    }
    let mut failed: Vec<String> =
        report.failed.iter().map(|failed| format!("{}: {}", failed.project, failed.reason)).collect();
    if report.mail_server_unusable {
        let why = report.mail_server.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        failed.push(format!("the mail server cannot be used as the settings say{why}"));
    }
    if !failed.is_empty() {
        return Err(Failure::new(format!("{} ({summary})", failed.join("; ")), false));
    }
    Ok(Report { partly: !report.is_complete(), summary, details: report.notices.clone() })
}

//! `retention`: records that name people, erased when what they are about is over.

use crate::app::App;
use crate::batch::BatchError;
use crate::retention;
use crate::schedule::{Call, Failure, Report};

pub(super) async fn run(app: App, call: Call) -> Result<Report, Failure> {
    told(&retention::run(&app, call.dry_run).await)
}

/// What is recorded of it.
///
/// # Errors
/// Where it could not be done.
pub fn told(ended: &Result<retention::Report, BatchError>) -> Result<Report, Failure> {
    let report = match ended {
        Ok(report) => report,
        Err(error) => return Err(Failure { passing: error.is_passing(), reason: error.to_string() }),
    };
    let details = report.failed.iter().chain(&report.notices).cloned().collect();
    Ok(Report { partly: !report.failed.is_empty(), summary: report.summary(), details })
}

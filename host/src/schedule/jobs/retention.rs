//! `retention`: records that name people, erased when what they are about is over.

use crate::app::App;
use crate::retention;
use crate::schedule::{Call, Failure, Report};

pub(super) async fn run(app: App, call: Call) -> Result<Report, Failure> {
    told(&retention::run(&app, call.dry_run).await)
}

/// What is recorded of it.
///
/// # Errors
/// Where something could not be erased: nobody else would notice that it is kept for longer than it may be.
pub fn told(report: &retention::Report) -> Result<Report, Failure> {
    let summary = report.summary();
    if !report.failed.is_empty() {
        let reason = format!("not erased: {} ({summary})", report.failed.join("; "));
        return Err(Failure::new(reason, !report.unusable));
    }
    Ok(Report { partly: false, summary, details: report.notices.clone() })
}

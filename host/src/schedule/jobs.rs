//! The jobs that there are.

pub mod expire_quotas;
pub mod expire_tokens;
pub mod notices;
mod plugin;
pub mod retention;
pub mod sheets;

use super::{Call, Failure, Job, Report, Work};
use crate::app::App;

/// The jobs of a site, those too that do not run by themselves there. Processing a sheet changes a cloud: a site has to
/// say that it wants that. A machine
/// that only serves setpass has none of the jobs about sheets, and a site that does not say whom to remind no `remind`.
#[must_use]
pub fn jobs(app: &App) -> Vec<Job<'_>> {
    let times = &app.settings.schedule;
    let mut jobs = Vec::new();
    if app.settings.sheet.is_some() {
        jobs.push(Job::new("import", &times.import, None, work(app, sheets::import)));
        jobs.push(Job::new("quotas", &times.quotas, None, work(app, sheets::quotas)));
        jobs.push(Job::new("notify", &times.notify, Some("*/10 * * * *"), work(app, notices::notify)));
        if app.settings.reminder.is_some() {
            jobs.push(Job::new("remind", &times.remind, Some("0 9 * * 1-5"), work(app, notices::remind)));
        }
        let times = &times.expire_quotas;
        jobs.push(Job::new("expire-quotas", times, Some("10 0 * * *"), work(app, expire_quotas::run)));
    }
    // Setpass promises that secrets of a link that has ended are gone within a minute.
    jobs.push(Job::new(
        "expire-tokens",
        &times.expire_tokens,
        Some("* * * * *"),
        work(app, expire_tokens::run),
    ));
    jobs.push(Job::new("retention", &times.retention, Some("20 0 * * *"), work(app, retention::run)));
    for (name, job) in &app.settings.plugins.jobs {
        jobs.push(Job::new(
            name,
            &job.schedule,
            None,
            work(app, |app, call| plugin::run(app, call, name, &job.plugin)),
        ));
    }
    jobs
}

/// Work with the services, which are asked to stop when the job is. Where another process is at it, the job is tried again.
fn work<'a, F: Future<Output = Result<Report, Failure>> + 'a>(
    app: &'a App,
    run: impl Fn(App, Call) -> F + 'a,
) -> Work<'a> {
    Box::new(move |call| {
        let leases = app.leases.without_waiting();
        let app = App { stop: call.stop.clone(), leases, ..app.clone() };
        Box::pin(run(app, call))
    })
}

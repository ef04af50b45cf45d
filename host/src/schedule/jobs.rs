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
/// say that it wants that. Reminders are only there where the settings say whom to remind.
#[must_use]
pub fn jobs(app: &App) -> Vec<Job<'_>> {
    let times = &app.settings.schedule;
    let mut jobs = vec![
        Job::new("import", &times.import, None, work(app, sheets::import)),
        Job::new("quotas", &times.quotas, None, work(app, sheets::quotas)),
        Job::new("notify", &times.notify, Some("*/10 * * * *"), work(app, notices::notify)),
        Job::new("expire-tokens", &times.expire_tokens, Some("@hourly"), work(app, expire_tokens::run)),
        Job::new("expire-quotas", &times.expire_quotas, Some("10 0 * * *"), work(app, expire_quotas::run)),
        Job::new("retention", &times.retention, Some("20 0 * * *"), work(app, retention::run)),
    ];
    if app.settings.reminder.is_some() {
        jobs.push(Job::new("remind", &times.remind, Some("0 9 * * 1-5"), work(app, notices::remind)));
    }
    for (name, job) in &app.settings.plugins.jobs {
        jobs.push(Job::new(
            name,
            &job.schedule,
            None,
            work(app, |app, call| plugin::run(app, call, &job.plugin)),
        ));
    }
    jobs
}

/// Work with the services, which are asked to stop when the job is.
fn work<'a, F: Future<Output = Result<Report, Failure>> + 'a>(
    app: &'a App,
    run: impl Fn(App, Call) -> F + 'a,
) -> Work<'a> {
    Box::new(move |call| {
        let app = App { stop: call.stop.clone(), ..app.clone() };
        Box::pin(run(app, call))
    })
}

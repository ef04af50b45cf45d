//! The jobs that there are.

pub mod expire_quotas;
pub mod expire_tokens;
mod plugin;
pub mod sheets;

use super::{Call, Failure, Job, Report, Work};
use crate::app::App;

/// The jobs of a site, those too that do not run by themselves there. Processing a sheet changes a cloud: a site has to
/// say that it wants that.
#[must_use]
pub fn jobs(app: &App) -> Vec<Job<'_>> {
    let times = &app.settings.schedule;
    let mut jobs = vec![
        Job::new("import", &times.import, None, work(app, sheets::import)),
        Job::new("quotas", &times.quotas, None, work(app, sheets::quotas)),
        Job::new("expire-tokens", &times.expire_tokens, Some("@hourly"), work(app, expire_tokens::run)),
        Job::new("expire-quotas", &times.expire_quotas, Some("10 0 * * *"), work(app, expire_quotas::run)),
    ];
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

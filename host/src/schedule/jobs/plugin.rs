//! Jobs of the site's own, which are components.

use crate::app::App;
use crate::plugin::{JobReport, Occasion};
use crate::schedule::{Call, Failure, Report};
use crate::settings::plugins::Plugin;

/// The component is loaded for each occasion, so that the file as it is then counts.
pub(super) async fn run(app: App, call: Call, name: &str, plugin: &Plugin) -> Result<Report, Failure> {
    let job = app.plugins.job(name, plugin).await;
    let job = job.map_err(|error| Failure::new(error.to_string(), error.is_passing()))?;
    let ran = job.run(&Occasion { time: call.time, dry_run: call.dry_run, stop: call.stop }).await;
    let JobReport { summary, details } =
        ran.map_err(|error| Failure::new(error.to_string(), error.is_passing()))?;
    Ok(Report { summary, details, partly: false })
}

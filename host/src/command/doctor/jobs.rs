//! The jobs of the site's own. One that works with sheets and mail alone is tried: it makes a dry run, in which it can change
//! nothing, whatever it does.

use std::time::Duration;

use super::findings::Findings;
use crate::clock::Clock;
use crate::command::Exit;
use crate::command::table::printable;
use crate::plugin::{Capabilities, JobError, JobReport, Occasion, PluginHost};
use crate::settings::Settings;
use crate::settings::plugins::{Grant, Plugin};
use crate::sheet::Sheets;
use crate::stop::Stop;

/// How long a dry run may take here. Jobs have more time otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn check_jobs(settings: &Settings, clock: &Clock, findings: &mut Findings) {
    let sheets = Sheets::new(settings.sheet.as_ref());
    let sheets = Capabilities { sheets: sheets.iter().cloned().collect(), ..Capabilities::default() };
    // That there can be none is told with the other components.
    let Ok(host) = PluginHost::new(&settings.plugins, sheets) else { return };
    for (name, job) in &settings.plugins.jobs {
        let (what, file) = (format!("jobs.{name}"), job.plugin.component.display());
        let tried = match is_tried(&job.plugin) {
            true => dry_run(&host, name, &job.plugin, settings, clock).await.map(Some),
            false => host.job(name, &job.plugin).await.map(|_| None).map_err(JobError::from),
        };
        match tried {
            Ok(None) => findings.good(
                "plugins",
                format!("{what} {file}: is a job; not tried, as it is granted more than `sheet` and `mail`"),
            ),
            Ok(Some(said)) => {
                findings.good("plugins", format!("{what} {file}: a dry run says: {}", printable(&said)));
            }
            Err(error @ JobError::Passing { .. }) => {
                findings.warn("plugins", format!("{what}: {}", printable(&error.to_string())));
            }
            Err(error) => {
                findings.bad("plugins", format!("{what}: {}", printable(&error.to_string())), Exit::Usage);
            }
        }
    }
}

/// What a job might ask of Keystone or setpass cannot be had here, so such a one would only say that.
fn is_tried(plugin: &Plugin) -> bool {
    plugin.grants.iter().all(|grant| matches!(grant, Grant::Sheet | Grant::Mail))
}

async fn dry_run(
    host: &PluginHost,
    name: &str,
    plugin: &Plugin,
    settings: &Settings,
    clock: &Clock,
) -> Result<String, JobError> {
    let mut plugin = plugin.clone();
    let mut limits = plugin.limits.unwrap_or(settings.plugins.limits);
    limits.deadline = limits.deadline.min(PATIENCE);
    plugin.limits = Some(limits);
    let time = clock.now().to_zoned(settings.site.time_zone.clone());
    let job = host.job(name, &plugin).await?;
    let occasion = Occasion { time, dry_run: true, stop: Stop::default() };
    let JobReport { summary, details } = job.run(&occasion).await?;
    Ok(std::iter::once(summary).chain(details).collect::<Vec<_>>().join("; "))
}

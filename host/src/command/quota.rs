//! `usher quota`: the quotas of projects in an operator's hands.

pub(super) mod apply;
mod arguments;
mod audit;
mod limits;
mod set;
mod show;

use std::process::ExitCode;

use super::Exit;
use super::batch::look_back;
use super::json::{print_json, schema};
use crate::app::{Access, App};
use crate::batch::history::{PastRun, RecordedRun};
use crate::batch::report::Report;
use crate::project_quotas::audit::Audit;
use crate::project_quotas::show::ProjectQuotas;
use crate::quota_apply::plan::Plan;
use crate::quota_decisions::KIND;
use crate::quota_terms;
use crate::settings::{Settings, SettingsError};

pub use arguments::{ApplyArgs, QuotaCommand, QuotaOutput, SetArgs};

/// Runs the command. `load` reads the settings and `build` makes the services, which not every one of the commands
/// needs.
///
/// # Errors
/// Where the services cannot be built, or what was asked for cannot be done at all.
pub async fn run(
    load: impl FnOnce() -> Result<Settings, SettingsError>,
    build: impl AsyncFnOnce(Access) -> anyhow::Result<App>,
    command: &QuotaCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        QuotaCommand::Apply(args) => {
            let access = if args.dry_run { Access::Read } else { Access::Write };
            apply::run(&build(access).await?, args).await
        }
        QuotaCommand::History { run: Some(run), json, .. } => {
            Ok(look_back::show(&load()?, KIND, *run, *json, "usher quota history").await?.into())
        }
        QuotaCommand::History { run: None, last, json } => {
            Ok(look_back::list(&load()?, KIND, *last, *json).await?.into())
        }
        QuotaCommand::Show { project, json } => show::run(&build(Access::Read).await?, project, *json).await,
        QuotaCommand::Set(args) => {
            let access = if args.dry_run { Access::Read } else { Access::Write };
            set::run(&build(access).await?, args).await
        }
        QuotaCommand::Audit { json } => audit::run(&build(Access::Read).await?, *json).await,
        QuotaCommand::Schema { output } => {
            match output {
                QuotaOutput::Plan => print_json(&schema::<Plan>())?,
                QuotaOutput::Report => print_json(&schema::<Report>())?,
                QuotaOutput::History => print_json(&schema::<Vec<PastRun>>())?,
                QuotaOutput::Run => print_json(&schema::<RecordedRun>())?,
                QuotaOutput::Show => print_json(&schema::<ProjectQuotas>())?,
                QuotaOutput::Expiry => print_json(&schema::<quota_terms::Report>())?,
                QuotaOutput::Audit => print_json(&schema::<Audit>())?,
            }
            Ok(Exit::Done.into())
        }
    }
}

//! `usher quota`: the quotas of projects in an operator's hands.

mod arguments;
mod audit;
mod limits;
mod set;
mod show;

use std::process::ExitCode;

use super::Exit;
use super::json::{print_json, schema};
use crate::app::{Access, App};
use crate::project_quotas::audit::Audit;
use crate::project_quotas::show::ProjectQuotas;

pub use arguments::{QuotaCommand, QuotaOutput, SetArgs};

/// Runs the command. `build` makes the services, which not every one of the commands needs.
///
/// # Errors
/// Where the services cannot be built, or what was asked for cannot be done at all.
pub async fn run(
    build: impl AsyncFnOnce(Access) -> anyhow::Result<App>,
    command: &QuotaCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        QuotaCommand::Show { project, json } => show::run(&build(Access::Read).await?, project, *json).await,
        QuotaCommand::Set(args) => {
            let access = if args.dry_run { Access::Read } else { Access::Write };
            set::run(&build(access).await?, args).await
        }
        QuotaCommand::Audit { json } => audit::run(&build(Access::Read).await?, *json).await,
        QuotaCommand::Schema { output } => {
            match output {
                QuotaOutput::Show => print_json(&schema::<ProjectQuotas>())?,
                QuotaOutput::Audit => print_json(&schema::<Audit>())?,
            }
            Ok(Exit::Done.into())
        }
    }
}

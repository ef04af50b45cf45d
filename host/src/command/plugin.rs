//! `usher plugin`: list, check and try components. Nothing but the cache of compiled components is
//! written, and no service is reached.

mod check;
mod list;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::plugin::{Capabilities, PluginError, PluginHost};
use crate::registration::SheetKind;
use crate::settings::Settings;
use crate::settings::plugins::Limits;

/// `usher plugin`
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// What to do with components.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show the configured components: file, digest, worlds, imports and grants
    List {
        /// Print JSON in place of text
        #[arg(long)]
        json: bool,
    },
    /// Show which worlds a component fits, what it imports, and what it would need granted
    Check {
        /// The component
        file: PathBuf,
        /// Print JSON in place of text
        #[arg(long)]
        json: bool,
    },
    /// Show what a row parser makes of an exported sheet; nothing else is touched
    Run(RunArgs),
}

/// `usher plugin run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The component
    pub file: PathBuf,
    /// A worksheet, exported as CSV
    #[arg(long, value_name = "CSV")]
    pub rows: PathBuf,
    /// Which sheet the rows are from
    #[arg(long, value_enum, default_value_t = Kind::Access)]
    pub kind: Kind,
    /// Print JSON in place of a table; PINs are left out
    #[arg(long)]
    pub json: bool,
    /// TOML file with settings for the component, in place of [plugins.row_parser.settings]
    #[arg(long, value_name = "TOML")]
    pub settings_from: Option<PathBuf>,
}

/// Which sheet.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// Accounts and projects
    Access,
    /// Quotas
    Quota,
}

impl From<Kind> for SheetKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Access => Self::Access,
            Kind::Quota => Self::Quota,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Where the settings are needed and missing, or a component cannot be used.
pub async fn run(args: &PluginArgs, settings: Option<&Settings>) -> anyhow::Result<ExitCode> {
    match &args.command {
        PluginCommand::List { json } => list::run(settings, *json).await,
        PluginCommand::Check { file, json } => check::run(file, settings, *json).await,
        PluginCommand::Run(args) => run::run(args, settings).await,
    }
}

/// A host for trying components: with the site's cache and limits where there are settings, else
/// with the usual limits and a cache in the user's own cache folder.
fn host(settings: Option<&Settings>) -> Result<PluginHost, PluginError> {
    let with_cache = match settings {
        Some(settings) => PluginHost::new(&settings.plugins, Capabilities::default()),
        None => PluginHost::isolated(own_cache().as_deref(), Limits::default()),
    };
    // Whoever tries a component need not be the user that the site's cache belongs to.
    with_cache.or_else(|error| match error {
        PluginError::Cache { .. } => {
            tracing::debug!(%error, "going on without a cache");
            let limits = settings.map_or_else(Limits::default, |settings| settings.plugins.limits);
            PluginHost::isolated(None, limits)
        }
        other => Err(other),
    })
}

/// `usher` in the user's cache folder (XDG Base Directory Specification).
fn own_cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("usher").join("plugins"))
}

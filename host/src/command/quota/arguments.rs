//! The command line of `usher quota`.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::project_quotas::WantedLimit;

/// `usher quota`
#[derive(Debug, Subcommand)]
pub enum QuotaCommand {
    /// Process the approved rows of the quota sheet
    Apply(ApplyArgs),
    /// List the last runs over the quota sheet, or show one: its report, and each step with its times
    History {
        /// Number of the run to show
        #[arg(long, value_name = "NUMBER")]
        run: Option<i64>,
        /// How many to list
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        last: u32,
        /// Print JSON in place of tables
        #[arg(long)]
        json: bool,
    },
    /// Show what a project may use and what it uses, temporary changes, and what was decided
    Show {
        /// Name or id of the project
        project: String,
        /// Print JSON in place of tables
        #[arg(long)]
        json: bool,
    },
    /// Set limits of a project, and record that they are meant
    Set(SetArgs),
    /// Find limits that nobody has decided: not the default, not the quota policy's, not the last recorded change
    #[command(after_help = AUDIT_STATUS)]
    Audit {
        /// Print JSON in place of a table
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of what --json prints
    Schema {
        /// Which output
        output: QuotaOutput,
    },
}

const AUDIT_STATUS: &str = "\
Exit status: 0 every limit was decided, 1 some were not, 2 wrong usage or settings, 3 none was found, but something could not be looked at.";

/// What `usher quota` prints as JSON.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum QuotaOutput {
    /// usher quota apply --dry-run --json
    Plan,
    /// usher quota apply --json
    Report,
    /// usher quota history --json
    History,
    /// usher quota history --run --json
    Run,
    /// usher quota show --json
    Show,
    /// usher quota audit --json
    Audit,
    /// usher run expire-quotas --json
    Expiry,
}

/// `usher quota set`
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name or id of the project
    pub project: String,
    /// OpenStack's key and the limit: instances=20, ram=51200 (MB), ram_gb=50, port=unlimited
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub limits: Vec<WantedLimit>,
    /// Why, for the records
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Set limits also below what is in use
    #[arg(long)]
    pub force: bool,
    /// Show what would be set, and change nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
}

/// `usher quota apply`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("rows").required(true).args(["all", "project"])))]
pub struct ApplyArgs {
    /// Process every row that is ready, and every one that the policy grants without approval
    #[arg(long)]
    pub all: bool,
    /// Process the rows about one project only
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Show what would be done, and change nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON in place of tables
    #[arg(long)]
    pub json: bool,
}

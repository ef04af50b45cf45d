//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::command::plugin::PluginArgs;
use crate::command::quota::QuotaCommand;
use crate::keys::KeyId;

/// Registers the users of an OpenStack cloud from an approved sign-up sheet.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// Settings file [default: ./settings.toml, else /etc/usher/settings.toml]
    #[arg(long, global = true, value_name = "FILE", env = "USHER_SETTINGS")]
    pub settings: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const OWN_JOBS: &str = "\
A job of the site's own is run by its name in [plugins.jobs]:
  usher run NAME [--dry-run] [--json] [--settings FILE]";

const EXIT_STATUS: &str = "\
Exit status: 0 all done, 1 some rows failed, 2 wrong usage or settings, or somebody has to make what they name (a worksheet),
3 a service could not be reached.
Set RUST_LOG (for example RUST_LOG=usher=debug) for a more detailed log on standard error.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Process the approved rows of the access sheet, or look at earlier imports
    Import(ImportArgs),
    /// Apply the quota sheet; look at the quotas of projects, set them, and find those that nobody has decided
    #[command(subcommand)]
    Quota(QuotaCommand),
    /// Do now what otherwise happens by itself
    #[command(subcommand, after_help = OWN_JOBS)]
    Run(RunCommand),
    /// Show what happens by itself: each job with its last run, the result, and the next run
    Schedule(ScheduleArgs),
    /// Look at the outbox, and have mail sent again or dropped
    #[command(subcommand)]
    Mail(MailCommand),
    /// Serve setpass, the page where users choose passwords, send waiting mail, and run jobs at their times
    Serve,
    /// Check settings, plugins, database, Keystone, mail server and sheet
    Doctor,
    /// Help users with their passwords
    #[command(subcommand)]
    Password(PasswordCommand),
    /// Look after the keys that protect stored secrets
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List, check and try components
    Plugin(PluginArgs),
}

/// `usher import`
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("selection").required(true).args(["all", "user"])),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct ImportArgs {
    /// What to do in place of an import.
    #[command(subcommand)]
    pub command: Option<ImportCommand>,
    /// Process every row that is ready
    #[arg(long)]
    pub all: bool,
    /// Process the rows of one user only
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Show what would be done, and change nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON in place of tables
    #[arg(long)]
    pub json: bool,
}

/// `usher import` followed by a word
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// List the last imports
    History {
        /// How many
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        last: u32,
        /// Print JSON in place of a table
        #[arg(long)]
        json: bool,
    },
    /// Show what one import did: its report, and each step with its times
    Show {
        /// Number of the run
        run: i64,
        /// Print JSON in place of tables
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of what --json prints
    Schema {
        /// Which output
        output: JsonOutput,
    },
}

/// What `usher import` prints as JSON.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum JsonOutput {
    /// usher import --dry-run --json
    Plan,
    /// usher import --json
    Report,
    /// usher import history --json
    History,
    /// usher import show --json
    Run,
}

/// `usher run`
#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// Process every row of the access sheet that is ready, as `usher import --all` does
    Import(RunArgs),
    /// Process every row of the quota sheet that is ready, as `usher quota apply --all` does
    Quotas(RunArgs),
    /// Send the mail that is due
    Outbox(RunArgs),
    /// Destroy the secrets of setpass links that have ended, and forget links and reset cases of long ago
    ExpireTokens(RunArgs),
    /// Undo temporary quotas whose day is over, and tell requesters of those that end soon
    ExpireQuotas(RunArgs),
    /// Mail the helpdesk a ticket for each approved request that it does not know of, and mark the rows
    Notify(RunArgs),
    /// Remind approvers of requests that nobody has decided on, and mark the rows
    Remind(RunArgs),
    /// Erase records that name people, as [retention] says
    Retention(RunArgs),
    /// A job of the site's own, by its name in [plugins.jobs]
    #[command(external_subcommand)]
    Plugin(Vec<String>),
}

/// Run a job of the site's own now
///
/// The words after `usher run` where they begin with no name that is known here.
#[derive(Debug, Parser)]
#[command(bin_name = "usher run JOB", no_binary_name = false, after_help = EXIT_STATUS)]
pub struct OwnJobArgs {
    /// Settings file [default: ./settings.toml, else /etc/usher/settings.toml]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
}

impl Cli {
    /// The command line of this process. Wrong words end the program.
    #[must_use]
    pub fn read() -> Self {
        Self::parse().with_settings_of_own_job()
    }

    /// `--settings` may stand after the name of any command, also of one that is only known from the settings.
    fn with_settings_of_own_job(mut self) -> Self {
        if let Command::Run(RunCommand::Plugin(words)) = &self.command
            && let Some(file) = OwnJobArgs::parse_from(words).settings
        {
            self.settings = Some(file);
        }
        self
    }
}

/// How `usher run` does a job.
#[derive(Clone, Copy, Debug, Args)]
pub struct RunArgs {
    /// Show what would be done, and change nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON in place of a table
    #[arg(long)]
    pub json: bool,
}

/// `usher schedule`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ScheduleArgs {
    /// What to do in place of listing the jobs.
    #[command(subcommand)]
    pub command: Option<ScheduleCommand>,
    /// Print JSON in place of a table
    #[arg(long)]
    pub json: bool,
}

/// `usher schedule` followed by a word
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Show what a job did on its last occasions
    Show {
        /// Name of the job
        job: String,
        /// How many occasions
        #[arg(long, value_name = "NUMBER", default_value_t = 10)]
        last: u32,
        /// Print JSON in place of a table
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of what --json prints
    Schema {
        /// Which output
        output: ScheduleOutput,
    },
}

/// What `usher schedule` prints as JSON.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ScheduleOutput {
    /// usher schedule --json
    List,
    /// usher schedule show --json
    Show,
}

/// `usher mail`
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// List the mails that wait or were refused
    List {
        /// Also those that were sent or dropped
        #[arg(long)]
        all: bool,
        /// Print JSON in place of a table
        #[arg(long)]
        json: bool,
    },
    /// Show one mail
    Show {
        /// Number of the mail
        number: i64,
        /// Print the mail itself; the links in it are secret
        #[arg(long)]
        content: bool,
    },
    /// Try to send mails now, also refused ones, as if they had never been tried
    #[command(group(ArgGroup::new("mails").required(true).args(["numbers", "all"])))]
    Retry {
        /// Numbers of the mails
        #[arg(value_name = "NUMBER")]
        numbers: Vec<i64>,
        /// All that wait or were refused
        #[arg(long)]
        all: bool,
    },
    /// Wipe mails that wait or were refused, so that they are never sent
    Drop {
        /// Numbers of the mails
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<i64>,
    },
}

/// `usher password`
#[derive(Debug, Subcommand)]
pub enum PasswordCommand {
    /// Give a user a random password and mail a link to choose a new one
    Reset {
        /// User name
        user: String,
        /// Use the PIN of this reset case in place of asking for one
        #[arg(long, value_name = "NUMBER")]
        case: Option<String>,
    },
    /// List the reset cases that wait for a decision
    Cases {
        /// Print JSON in place of a table
        #[arg(long)]
        json: bool,
    },
    /// Mail the user of a reset case a link, for which the PIN of the case is needed
    ///
    /// The link goes to the address that Keystone has. The present password works until the link has been used.
    Approve {
        /// Number of the case
        case: i64,
        /// Do not ask whether that is the right user
        #[arg(long, short)]
        yes: bool,
    },
    /// Close a reset case and erase its PIN; nobody is told
    Deny {
        /// Number of the case
        case: i64,
        /// Why, for the records
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show what happened with a user's links and password: when links were issued, PINs tried, passwords set
    History {
        /// User name, or Keystone's id of a user who is gone
        user: String,
        /// How many events
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        last: u32,
        /// Print JSON in place of a table
        #[arg(long)]
        json: bool,
    },
}

/// `usher keys`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make the key file that the settings name, with one key
    New,
    /// Add a new key, use it from now on, and move all stored secrets to it; others may go on working meanwhile
    ///
    /// May be killed and run again at any time: it goes on where it was. Older keys stay in the file and open
    /// what they protected.
    Rotate,
    /// List the keys, when they were made, and how much each still protects
    List,
    /// Take a key out of the key file that protects nothing any more
    Retire {
        /// Id of the key
        id: KeyId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(args: &[&str]) -> String {
        Cli::try_parse_from(args).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_import_of_nobody_in_particular_is_told_both_ways() {
        let refused = refusal(&["usher", "import"]);
        assert!(refused.contains("<--all|--user <NAME>>"), "{refused}");
        assert!(refusal(&["usher", "import", "--all", "--user", "a"]).contains("cannot be used with"));
        assert_eq!(refusal(&["usher", "import", "--all"]), "");
        assert_eq!(refusal(&["usher", "import", "--user", "a", "--dry-run"]), "");
        assert_eq!(refusal(&["usher", "import", "show", "3"]), "");
        assert!(refusal(&["usher", "import", "--all", "history"]).contains("cannot be used with"));
        assert!(refusal(&["usher", "quota", "set", "P", "cores"]).contains("expected KEY=VALUE"));
        assert!(refusal(&["usher", "quota", "set", "P"]).contains("<KEY=VALUE>"));
        assert_eq!(refusal(&["usher", "quota", "set", "P", "cores=4", "port=-1", "ram_gb=0.5"]), "");
        assert!(refusal(&["usher", "mail", "retry"]).contains("<NUMBER|--all>"));
    }
    #[test]
    fn settings_are_named_anywhere_on_the_command_line() {
        let read = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap().with_settings_of_own_job();
            cli.settings.map(|file| file.display().to_string())
        };
        for line in [
            "usher --settings site.toml run weekly-digest --dry-run",
            "usher run --settings site.toml weekly-digest --dry-run",
            "usher run weekly-digest --settings site.toml --dry-run",
            "usher run weekly-digest --dry-run --json --settings=site.toml",
            "usher --settings other.toml run weekly-digest --settings site.toml",
            "usher run notify --dry-run --settings site.toml",
            "usher schedule show notify --settings site.toml",
        ] {
            assert_eq!(read(line).as_deref(), Some("site.toml"), "{line}");
        }
        assert!(
            refusal(&["usher", "run", "--help"])
                .contains("usher run NAME [--dry-run] [--json] [--settings FILE]")
        );
    }
}

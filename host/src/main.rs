//! The program: reads the command line, starts the log, and runs one command.

use std::io::{IsTerminal as _, Stderr};
use std::process::ExitCode;

use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};
use usher::app::{Access, App};
use usher::cli::{Cli, Command, ImportArgs, PasswordCommand};
use usher::clock::Clock;
use usher::command::{self, Exit};
use usher::log::Log;
use usher::settings::Settings;

fn main() -> ExitCode {
    let cli = Cli::read();
    let log = start_log();
    if let Err(error) = usher::core_dumps::forbid() {
        tracing::warn!(%error, "the system may write core dumps of this program, with secrets in them");
    }
    match log.around(dispatch(cli)).map_err(anyhow::Error::from).flatten() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("usher: {}", command::in_words(&error));
            command::status_of(&error).into()
        }
    }
}

/// Diagnostics go to standard error; standard output is for what the command was asked for.
fn start_log() -> Log<Stderr> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,usher=info"));
    // Libraries write whole requests, tokens included, to their detailed logs.
    let no_secrets = filter_fn(|event| event.target().starts_with("usher") || *event.level() <= Level::INFO);
    let log = Log::new(std::io::stderr(), usher::http::ACCESS_LOG);
    let lines =
        fmt::layer().with_writer(log.clone()).with_ansi(std::io::stderr().is_terminal()).with_target(false);
    tracing_subscriber::registry().with(filter).with(no_secrets).with(lines).init();
    log
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let load = || Settings::load(cli.settings.as_deref());
    let clock = Clock::system();
    match cli.command {
        Command::Import(ImportArgs { command: Some(other), .. }) => {
            command::import::look_back(load, &other).await
        }
        Command::Import(args) => {
            let access = if args.dry_run { Access::Read } else { Access::Write };
            let app = App::build(load()?, clock, access).await?;
            command::import::run(&app, &args).await
        }
        Command::Quota(command) => {
            let build = async |access| Ok(App::build(load()?, clock, access).await?);
            command::quota::run(load, build, &command).await
        }
        Command::Run(command) => {
            let build = async |access| Ok(App::build(load()?, clock, access).await?);
            command::run::run(build, &command).await
        }
        Command::Schedule(args) => {
            let build = async |access| Ok(App::build(load()?, clock, access).await?);
            command::schedule::run(build, &args).await
        }
        Command::Mail(command) => {
            let app = App::build(load()?, clock, Access::Write).await?;
            command::mail::run(&app, &command).await
        }
        Command::Serve => {
            let app = App::build(load()?, clock, Access::Write).await?;
            command::serve::run(&app).await
        }
        Command::Password(PasswordCommand::Reset { user, case }) => {
            let app = App::build(load()?, clock, Access::Write).await?;
            command::password::run(&app, &user, case.as_deref()).await
        }
        Command::Password(PasswordCommand::Cases { json }) => {
            let app = App::build(load()?, clock, Access::Write).await?;
            command::password::list(&app, json).await
        }
        Command::Password(PasswordCommand::Approve { case, yes }) => {
            let app = App::build(load()?, clock, Access::Write).await?;
            command::password::approve(&app, case, yes).await
        }
        Command::Password(PasswordCommand::Deny { case, reason }) => {
            let app = App::build(load()?, clock, Access::Write).await?;
            command::password::deny(&app, case, reason.as_deref()).await
        }
        Command::Password(PasswordCommand::History { user, last, json }) => {
            let app = App::build(load()?, clock, Access::Read).await?;
            command::password::history::run(&app, &user, last, json).await
        }
        Command::Keys(command) => command::keys::run(&load()?, &clock, &command).await,
        Command::Doctor => Ok(command::doctor::run(load(), clock).await),
        Command::Plugin(args) => {
            // The settings are needed only where a file is not named on the command line.
            let settings = match load() {
                Ok(settings) => Some(settings),
                Err(usher::settings::SettingsError::Missing) if cli.settings.is_none() => None,
                Err(error) => return Err(error.into()),
            };
            command::plugin::run(&args, settings.as_ref()).await
        }
    }
    .inspect(|code| tracing::debug!(failed = *code != ExitCode::from(Exit::Done), "finished"))
}

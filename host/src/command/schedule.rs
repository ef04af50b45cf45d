//! `usher schedule`: what happens by itself, and what it did.

use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Exit;
use super::json::{print_json, schema};
use super::serve::DELIVERY_INTERVAL;
use super::table::{moment, printable, table};
use crate::app::{Access, App};
use crate::cli::{ScheduleArgs, ScheduleCommand, ScheduleOutput};
use crate::command::say::say;
use crate::process::Process;
use crate::schedule::jobs;
use crate::schedule::overview::{self, PastOccasion, ScheduledJob, WaitingMail};
use crate::schedule::presence::{Server, servers};

/// Runs the command. `build` makes the services, which not every one of the commands needs.
///
/// # Errors
/// Where the services cannot be built or the records cannot be read.
pub async fn run(
    build: impl AsyncFnOnce(Access) -> anyhow::Result<App>,
    args: &ScheduleArgs,
) -> anyhow::Result<ExitCode> {
    let exit = match &args.command {
        Some(ScheduleCommand::Schema { output }) => {
            print_json(&match output {
                ScheduleOutput::List => schema::<Vec<ScheduledJob>>(),
                ScheduleOutput::Show => schema::<Vec<PastOccasion>>(),
            })?;
            Exit::Done
        }
        Some(ScheduleCommand::Show { job, last, json }) => {
            show(&build(Access::Read).await?, job, *last, *json).await?
        }
        None => {
            let app = build(Access::Read).await?;
            let all = overview::all(&app, &jobs::jobs(&app), DELIVERY_INTERVAL).await?;
            if args.json {
                print_json(&all)?;
            } else {
                let zone = &app.settings.site.time_zone;
                print_jobs(&all, zone);
                let servers = servers(&app.database, &app.clock, Process::is_gone).await?;
                in_words(&servers, zone).iter().for_each(|line| say!("{line}"));
            }
            Exit::Done
        }
    };
    Ok(exit.into())
}

async fn show(app: &App, job: &str, last: u32, json: bool) -> anyhow::Result<Exit> {
    let occasions = overview::of_job(app, job, last).await?;
    if occasions.is_empty() && !jobs::jobs(app).iter().any(|known| known.name == job) {
        match job {
            "outbox" => eprintln!(
                "mail is sent all the time and has no occasions; `usher mail list` shows what waits"
            ),
            _ => eprintln!("there is no job {job}; `usher schedule` lists them"),
        }
        return Ok(Exit::Failed);
    }
    if json {
        print_json(&occasions)?;
    } else {
        print_occasions(&occasions, &app.settings.site.time_zone);
    }
    Ok(Exit::Done)
}

fn print_jobs(all: &[ScheduledJob], zone: &TimeZone) {
    let mut shown = table(["Job", "When", "Last run", "Result", "Next run"]);
    for job in all {
        let time = |at: Option<Timestamp>| at.map(|at| moment(at, zone));
        let (begun, result) = match (&job.last, &job.mail) {
            (Some(last), _) => (time(last.started).unwrap_or_default(), result(last)),
            (None, Some(mail)) => (time(mail.last_sent).unwrap_or_default(), waiting(mail, zone)),
            (None, None) => ("never".to_owned(), String::new()),
        };
        shown.add_row([
            job.job.clone(),
            match (&job.cron, job.every_seconds) {
                (Some(cron), _) => cron.clone(),
                (None, Some(seconds)) => format!("every {seconds} s"),
                (None, None) => "only by hand".to_owned(),
            },
            begun,
            result,
            job.next.as_ref().map_or_else(String::new, |next| moment(next.timestamp(), zone)),
        ]);
    }
    say!("{shown}");
    say!("outbox has no occasions: it shows when mail was sent last, and how much waits.");
}

/// Which servers are there. It is not said what each does: the settings of one may leave all jobs to timers.
fn in_words(servers: &[Server], zone: &TimeZone) -> Vec<String> {
    let none_runs = servers.iter().all(|server| server.silent_since.is_some());
    let none = none_runs.then(|| "No `usher serve` is running.".to_owned());
    let each = servers.iter().map(|Server { process, since, silent_since }| match silent_since {
        None => format!("`usher serve` is running: {}, since {}.", printable(process), moment(*since, zone)),
        Some(last) => format!(
            "{} has shown no life since {} (by its clock): it died, or cannot reach the database.",
            printable(process),
            moment(*last, zone)
        ),
    });
    none.into_iter().chain(each).collect()
}

/// How much mail waits, and why.
fn waiting(mail: &WaitingMail, zone: &TimeZone) -> String {
    let Some(since) = mail.since else { return "nothing waits".to_owned() };
    let since = moment(since, zone);
    let error = mail.error.as_deref().map_or_else(String::new, |error| format!(": {}", printable(error)));
    match mail.waiting {
        1 => format!("1 mail waits since {since}{error}"),
        several => format!("{several} mails wait, the first since {since}{error}"),
    }
}

fn print_occasions(occasions: &[PastOccasion], zone: &TimeZone) {
    if occasions.is_empty() {
        say!("It has had no occasion yet.");
        return;
    }
    for occasion in occasions {
        let how = match (occasion.by_hand, occasion.ahead) {
            (true, _) => "by hand, ",
            (false, true) => "while the clock ran ahead, ",
            (false, false) => "",
        };
        let and_missed = match occasion.stands_for {
            1 => String::new(),
            several => format!(", for {several} occasions"),
        };
        say!("{}  {how}{}{and_missed}", moment(occasion.due, zone), result(occasion));
        occasion.details.iter().for_each(|line| say!("    {}", printable(line)));
        if let Some(next) = occasion.next_attempt {
            let tried = occasion.attempts;
            say!("    attempt {} is due at {}", tried.saturating_add(1), moment(next, zone));
        }
    }
}

/// The state, and what the job said.
fn result(occasion: &PastOccasion) -> String {
    match &occasion.summary {
        Some(summary) => format!("{}: {}", occasion.state, printable(summary)),
        None => occasion.state.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_which_servers_run_and_not_that_nothing_happens_without_one() {
        let at = Timestamp::UNIX_EPOCH;
        let server =
            |process: &str, silent_since| Server { process: process.to_owned(), since: at, silent_since };
        let lines = |servers: &[Server]| in_words(servers, &TimeZone::UTC);
        assert_eq!(lines(&[]), ["No `usher serve` is running."]);
        let (lives, silent) = (server("one", None), server("other", Some(at)));
        let running = format!("`usher serve` is running: one, since {}.", moment(at, &TimeZone::UTC));
        assert_eq!(lines(std::slice::from_ref(&lives)), [running.as_str()]);
        let both = lines(&[lives, silent.clone()]);
        assert!(
            both.len() == 2 && both[0] == running && both[1].starts_with("other has shown no life"),
            "{both:?}"
        );
        let dead = lines(&[silent]);
        assert!(dead.len() == 2 && dead[0] == "No `usher serve` is running.", "{dead:?}");
    }
}

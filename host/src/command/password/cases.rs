//! `usher password cases | approve | deny`: what the helpdesk does about those who ask for a link.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;

use super::deliver;
use crate::app::App;
use crate::command::Exit;
use crate::command::json::print_json;
use crate::command::say::say;
use crate::command::table::{moment, printable, table};
use crate::database::CaseOutcome;
use crate::password_reset::{Account, CaseError, Decided, PasswordResets, ResetError, mail_of};

/// A case, as it is listed.
#[derive(Serialize)]
struct ListedCase {
    case: i64,
    /// When it was opened (RFC 3339, UTC).
    opened: Timestamp,
    /// When it ends by itself.
    ends: Timestamp,
    /// The address that was typed.
    email: String,
    /// Whether a link can be mailed.
    has_account: bool,
    /// The user; null where no link can be mailed.
    user: Option<String>,
    /// Why no link can be mailed; null where one can.
    reason: Option<String>,
}

/// Lists the cases that wait.
///
/// # Errors
/// Where the records cannot be read. Where Keystone cannot be asked, that is said of each account.
pub async fn list(app: &App, json: bool) -> anyhow::Result<ExitCode> {
    here(app)?;
    let resets = PasswordResets::new(app).await?;
    let (mut cases, mut exit) = (Vec::new(), Exit::Done);
    for case in app.setpass.open_cases().await? {
        let (user, reason) = match resets.account_of(&case).await {
            Ok(Account::Found { user, .. }) => (Some(user.name), None),
            Ok(Account::Skipped { reason, .. }) => (None, Some(reason.to_string())),
            // Which cases wait is known all the same.
            Err(ResetError::Keystone(error)) => {
                exit = Exit::Unreachable;
                (None, Some(format!("not known: {error}")))
            }
            Err(error) => return plain(Err(error)),
        };
        cases.push(ListedCase {
            case: case.number,
            opened: case.created,
            ends: app.setpass.end_of_case(case.created),
            email: case.email,
            has_account: user.is_some(),
            user,
            reason,
        });
    }
    if json {
        print_json(&cases)?;
    } else if cases.is_empty() {
        say!("no reset case waits for a decision");
    } else {
        let mut shown = table(["case", "opened", "ends", "address", "account"]);
        let zone = &app.settings.site.time_zone;
        for case in &cases {
            let account = case.user.as_deref().or(case.reason.as_deref()).unwrap_or_default();
            let (opened, ends) = (moment(case.opened, zone), moment(case.ends, zone));
            shown.add_row([case.case.to_string(), opened, ends, printable(&case.email), printable(account)]);
        }
        say!("{shown}");
    }
    Ok(exit.into())
}

/// Mails the user of a case a link. Asks first, unless that was answered on the command line.
///
/// # Errors
/// Where nobody can be asked, or a service fails.
pub async fn approve(app: &App, number: i64, yes: bool) -> anyhow::Result<ExitCode> {
    here(app)?;
    let resets = PasswordResets::new(app).await?;
    let Some(case) = told(resets.case(number).await)? else { return Ok(Exit::Failed.into()) };
    let case = match case {
        Ok(case) => case,
        Err(CaseOutcome::Ended) => {
            eprintln!("{}", CaseError::Closed { number, how: "ended, as nobody decided it in time" });
            return Ok(Exit::Failed.into());
        }
        Err(_) => {
            let Some(_) = told(resets.decided_before(number, CaseOutcome::Approved).await)? else {
                return Ok(Exit::Failed.into());
            };
            say!("reset case {number} was approved before; `usher mail list --all` tells of its mail");
            return Ok(Exit::Done.into());
        }
    };
    let Some((user, email)) = told(resets.recipient(&case).await)? else { return Ok(Exit::Failed.into()) };
    if !yes {
        if !std::io::stdin().is_terminal() {
            eprintln!("reset case {number} is not approved: add --yes where nobody can be asked");
            return Ok(Exit::Usage.into());
        }
        let (name, address) = (printable(&user.name), printable(&email));
        eprint!("Mail {address} a link to choose a new password of user {name}? [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            say!("nothing was done; reset case {number} waits on");
            return Ok(Exit::Failed.into());
        }
    }
    let Some(decided) = told(resets.approve(&case, &user, &email).await)? else {
        return Ok(Exit::Failed.into());
    };
    if decided == Decided::Before {
        say!("reset case {number} was approved by somebody else at this moment");
        return Ok(Exit::Done.into());
    }
    deliver(app, &mail_of(number), &user.name, &email).await
}

/// Closes a case without a link.
///
/// # Errors
/// Where the records cannot be written.
pub async fn deny(app: &App, number: i64, reason: Option<&str>) -> anyhow::Result<ExitCode> {
    here(app)?;
    let resets = PasswordResets::new(app).await?;
    match told(resets.deny(number, reason).await)? {
        Some(Decided::Now) => say!("reset case {number} is denied, and its PIN erased"),
        Some(Decided::Before) => say!("reset case {number} was denied before"),
        None => return Ok(Exit::Failed.into()),
    }
    Ok(Exit::Done.into())
}

/// Refuses what is about cases where another machine has them.
pub(super) fn here(app: &App) -> anyhow::Result<()> {
    if let Some(remote) = &app.settings.setpass.remote {
        bail!("reset cases are kept by the setpass at {remote}; run the command on its machine");
    }
    Ok(())
}

/// Says why a case cannot be decided so; failures of services end the command.
fn told<T>(outcome: Result<T, CaseError>) -> anyhow::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(CaseError::Reset(error)) => plain(Err(error)),
        Err(error) => {
            eprintln!("{error}");
            Ok(None)
        }
    }
}

/// With the service's own error, by which the exit status is chosen.
fn plain<T>(outcome: Result<T, ResetError>) -> anyhow::Result<T> {
    outcome.map_err(|error| match error {
        ResetError::Keystone(error) => error.into(),
        ResetError::Database(error) => error.into(),
        error => error.into(),
    })
}

//! `usher password history`: the audit trail of one user's links and password.

use std::process::ExitCode;

use serde::Serialize;

use super::super::Exit;
use super::super::table::{moment, printable, table};
use crate::app::App;
use crate::command::say::say;
use crate::database::RecordedSetpassEvent;

/// An event, as JSON.
#[derive(Serialize)]
struct ShownEvent<'a> {
    at: jiff::Timestamp,
    event: &'a str,
    /// Names the link; none where none is concerned.
    link: Option<&'a str>,
    /// Where the request came from, as `setpass.audit_client` wants it; none where that is not known.
    client: Option<&'a str>,
    detail: Option<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// Where Keystone cannot be asked, or the records cannot be read.
pub async fn run(app: &App, name: &str, last: u32, json: bool) -> anyhow::Result<ExitCode> {
    let user = app.keystone.find_user(name).await?;
    let user_id = user.as_ref().map_or(name, |user| user.id.as_str());
    let events = app.database.setpass_events(user_id, last).await?;
    if events.is_empty() && user.is_none() {
        eprintln!(
            "there is no user {name} in domain {} of Keystone, and nothing is recorded of one with that id",
            app.settings.keystone.domain
        );
        return Ok(Exit::Failed.into());
    }
    if json {
        let shown: Vec<_> = events.iter().map(shown).collect();
        say!("{}", serde_json::to_string_pretty(&shown)?);
    } else if events.is_empty() {
        say!("nothing is recorded of {name}");
    } else {
        let mut rows = table(["when", "what", "link", "from", ""]);
        for event in &events {
            let zone = &app.settings.site.time_zone;
            rows.add_row([
                moment(event.at, zone),
                in_words(&event.event).to_owned(),
                event.link.clone(),
                printable(&event.client),
                event.detail.clone(),
            ]);
        }
        say!("{rows}");
    }
    Ok(Exit::Done.into())
}

fn shown(event: &RecordedSetpassEvent) -> ShownEvent<'_> {
    ShownEvent {
        at: event.at,
        event: &event.event,
        link: some(&event.link),
        client: some(&event.client),
        detail: some(&event.detail),
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// What happened, for people.
fn in_words(event: &str) -> &str {
    match event {
        "issued" => "link issued",
        "tried" => "PIN tried",
        "not-set" => "PIN right, password not set",
        "previous-replaced" => "password replaced by a random one, another to be chosen",
        "password-set" => "password set",
        "locked" => "link locked",
        "expired" => "link ended",
        "withdrawn" => "link withdrawn",
        "reset-requested" => "reset requested",
        "reset-skipped" => "reset asked for, no link mailed",
        "reset-case-opened" => "reset case opened",
        "reset-approved" => "reset approved",
        "reset-denied" => "reset denied",
        "reset-case-ended" => "reset case ended",
        "notice-mailed" => "mail about the change made",
        "notice-given-up" => "no mail about the change",
        other => other,
    }
}

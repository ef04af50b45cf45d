//! What an occasion comes to: whom its mail names, in which words, and what is remembered of that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use usher_plugin::dates;
use usher_plugin::types::{JobReport, LocalTime, Message, Occasion, Row};

use crate::memory::{Memory, fingerprint};
use crate::options::Options;

const NOTIFIED: usize = 1;
const TIMESTAMP: usize = 3;
const EMAIL: usize = 4;
const FIRST_NAME: usize = 5;
const LAST_NAME: usize = 6;
const HAS_ACCOUNT: usize = 7;
const ORGANISATION: usize = 8;
const NEW_PROJECT: usize = 15;
const EXISTING_PROJECT: usize = 18;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// What an occasion comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Digests {
    /// The lines to remember before any mail is sent.
    pub remember: Vec<Vec<String>>,
    /// The mails: one about whoever is new, and one for each that an earlier run could not send.
    pub mails: Vec<Mail>,
    /// What the job reports.
    pub report: JobReport,
}

/// A mail.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Names it among those of the job.
    pub identifier: String,
    /// What it says.
    pub message: Message,
}

/// Somebody who was admitted.
struct Admitted<'a> {
    row: &'a Row,
    project: &'a str,
}

/// Works out the digests from the rows of the worksheet, header included, and the lines of the memory.
#[must_use]
pub fn digests(options: &Options, occasion: &Occasion, rows: &[Row], memory: &[Row]) -> Digests {
    let memory = Memory::read(memory);
    let below = rows.iter().skip(1).filter(|row| row.cells.iter().any(|cell| !cell.trim().is_empty()));
    let mut seen = BTreeSet::new();
    let admitted: Vec<(String, &Row)> = below
        .map(|row| (name(options, row), row))
        // A copy of a row is the same request.
        .filter(|(name, _)| seen.insert(name.clone()))
        .collect();

    let (mut remember, mut new) = (Vec::new(), Vec::new());
    for (name, row) in admitted.iter().filter(|(name, _)| memory.digest_of(name).is_none()) {
        if memory.is_new() && !is_recent(options, occasion, row) {
            remember.push(Memory::before(name));
        } else {
            new.push((name.as_str(), *row));
        }
    }
    let before = remember.len();
    if memory.is_new() {
        remember.push(Memory::begins());
    }
    let LocalTime { year, month, day, .. } = occasion.time;
    let names = new.iter().map(|(name, _)| *name);
    let identifier = format!("{year:04}-{month:02}-{day:02}-{:016x}", fingerprint(names));
    remember.extend(new.iter().map(|(name, _)| Memory::named(&identifier, name)));

    let mut groups: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for (name, row) in &admitted {
        if let Some(digest) = memory.digest_of(name).filter(|digest| memory.is_owed(digest)) {
            groups.entry(digest).or_default().push(row);
        }
    }
    if !new.is_empty() {
        groups.insert(&identifier, new.iter().map(|(_, row)| *row).collect());
    }
    let count: usize = groups.values().map(Vec::len).sum();
    let mails: Vec<Mail> = groups
        .iter()
        .map(|(identifier, rows)| Mail {
            identifier: (*identifier).to_owned(),
            message: message(options, rows),
        })
        .collect();
    let mut details = vec![format!("{} of {} rows are new", new.len(), admitted.len())];
    if before > 0 {
        details.push(format!(
            "this is the first digest: {before} rows of before the last {} days, or without a readable time of \
             notification in their second column, are taken for known",
            options.days
        ));
    }
    if mails.len() > 1 {
        details.push("some could not be sent on an earlier occasion".to_owned());
    }
    let admins = options.to.len();
    let summary = match (count, occasion.dry_run) {
        (0, _) => "nobody was admitted since the last digest; no mail".to_owned(),
        (_, false) => format!("a digest of {} to {admins} admins", people(count)),
        (_, true) => format!("would mail a digest of {} to {admins} admins", people(count)),
    };
    Digests { remember, mails, report: JobReport { summary, details } }
}

/// Names a request for ever: the time at which its form was sent, and the address.
fn name(options: &Options, row: &Row) -> String {
    let email = cell(row, EMAIL).to_lowercase();
    match dates::time(cell(row, TIMESTAMP), options.date_order) {
        Some(LocalTime { year, month, day, hour, minute, second }) => {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02} {email}")
        }
        // Cells are read without blanks around them.
        None => format!("{} {email}", cell(row, TIMESTAMP)).trim().to_owned(),
    }
}

/// Whether the helpdesk was notified in the days before an occasion.
fn is_recent(options: &Options, occasion: &Occasion, row: &Row) -> bool {
    let from = seconds(&occasion.time) - options.days * SECONDS_PER_DAY;
    dates::time(cell(row, NOTIFIED), options.date_order).is_some_and(|time| seconds(&time) > from)
}

fn people(count: usize) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

fn message(options: &Options, rows: &[&Row]) -> Message {
    let people = people(rows.len());
    let mut by_project: BTreeMap<String, Vec<Admitted<'_>>> = BTreeMap::new();
    for row in rows {
        let new = cell(row, NEW_PROJECT);
        let project = if new.is_empty() { cell(row, EXISTING_PROJECT) } else { new };
        by_project.entry(project.to_lowercase()).or_default().push(Admitted { row, project });
    }
    Message {
        sender: options.sender.clone(),
        cc: Vec::new(),
        subject: format!("{people} admitted"),
        text: text(&people, by_project.values()),
        html: None,
    }
}

fn text<'a>(people: &str, projects: impl Iterator<Item = &'a Vec<Admitted<'a>>>) -> String {
    let were = if people == "1 person" { "was" } else { "were" };
    let mut text = format!("Since the digest before this one, {people} {were} admitted.\n");
    for admitted in projects {
        let project = admitted.first().map_or("", |one| one.project);
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{}\n", line(if project.is_empty() { "(no project)" } else { project }));
        for Admitted { row, .. } in admitted {
            let name = line(&format!("{} {}", cell(row, FIRST_NAME), cell(row, LAST_NAME)));
            let mut told = vec![line(cell(row, EMAIL))];
            told.extend(Some(line(cell(row, ORGANISATION))).filter(|text| !text.is_empty()));
            if cell(row, HAS_ACCOUNT).eq_ignore_ascii_case("no") {
                told.push("new account".to_owned());
            }
            if !cell(row, NEW_PROJECT).is_empty() {
                told.push("new project".to_owned());
            }
            let _ = writeln!(text, "    {name} ({})", told.join(", "));
        }
    }
    text
}

fn cell(row: &Row, column: usize) -> &str {
    row.cells.get(column).map_or("", |cell| cell.trim())
}

/// A text on one line: nobody's name may look like another line of the digest.
fn line(text: &str) -> String {
    let is_break = |c: char| c.is_whitespace() || c.is_control();
    text.split(is_break).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Seconds on the site's clock, by which its times are compared. The hour that clocks skip or show twice does not
/// matter for days.
fn seconds(time: &LocalTime) -> i64 {
    let (year, month, day) = (i64::from(time.year), i64::from(time.month), i64::from(time.day));
    // Years begin in March here, so that the day that leap years add is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day;
    ((days * 24 + i64::from(time.hour)) * 60 + i64::from(time.minute)) * 60 + i64::from(time.second)
}

#[cfg(test)]
mod tests;

//! The digest of an occasion: whom it names, and its words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use usher_plugin::dates;
use usher_plugin::types::{JobReport, LocalTime, Message, Occasion, Row};

use crate::options::Options;

const NOTIFIED: usize = 1;
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
pub struct Digest {
    /// Names the mail among those of the job.
    pub identifier: String,
    /// The mail; none where nobody was admitted.
    pub message: Option<Message>,
    /// What the job reports.
    pub report: JobReport,
}

/// Somebody who was admitted.
struct Admitted<'a> {
    row: &'a Row,
    project: &'a str,
}

/// Works out the digest from the rows of the worksheet, header included.
#[must_use]
pub fn digest(options: &Options, occasion: &Occasion, rows: &[Row]) -> Digest {
    let end = seconds(&occasion.time);
    let start = end - options.days * SECONDS_PER_DAY;
    let mut unreadable = 0;
    let mut by_project: BTreeMap<String, Vec<Admitted<'_>>> = BTreeMap::new();
    let mut count = 0;
    let below = rows.iter().skip(1).filter(|row| row.cells.iter().any(|cell| !cell.trim().is_empty()));
    for row in below {
        let Some(notified) = dates::time(cell(row, NOTIFIED), options.date_order) else {
            unreadable += 1;
            continue;
        };
        let notified = seconds(&notified);
        if start < notified && notified <= end {
            let new = cell(row, NEW_PROJECT);
            let project = if new.is_empty() { cell(row, EXISTING_PROJECT) } else { new };
            by_project.entry(project.to_lowercase()).or_default().push(Admitted { row, project });
            count += 1;
        }
    }
    let LocalTime { year, month, day, .. } = occasion.time;
    let identifier = format!("{year:04}-{month:02}-{day:02}");
    let people = if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    let mut details =
        vec![format!("{} projects, of {} rows", by_project.len(), rows.len().saturating_sub(1))];
    if unreadable > 0 {
        details.push(format!(
            "{unreadable} rows have no readable time of notification in their second column, and are left out"
        ));
    }
    let message = (count > 0).then(|| Message {
        sender: options.sender.clone(),
        cc: Vec::new(),
        subject: format!("{people} admitted in the last {} days", options.days),
        text: text(options, &identifier, &people, by_project.values()),
        html: None,
    });
    let summary = match (&message, occasion.dry_run) {
        (None, _) => format!("nobody was admitted in the last {} days; no mail", options.days),
        (Some(_), false) => format!("a digest of {people} to {} admins", options.to.len()),
        (Some(_), true) => format!("would mail a digest of {people} to {} admins", options.to.len()),
    };
    Digest { identifier, message, report: JobReport { summary, details } }
}

fn text<'a>(
    options: &Options,
    day: &str,
    people: &str,
    projects: impl Iterator<Item = &'a Vec<Admitted<'a>>>,
) -> String {
    let mut text = format!("In the {} days to {day}, {people} were admitted.\n", options.days);
    if people == "1 person" {
        text = text.replace("1 person were", "1 person was");
    }
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
mod tests {
    use usher_plugin::dates::DateOrder;

    use super::*;

    fn options() -> Options {
        Options {
            to: vec!["admins@example.org".to_owned()],
            days: 7,
            worksheet: "Current Users".to_owned(),
            date_order: DateOrder::MonthFirst,
            sender: None,
        }
    }

    fn occasion(day: u8) -> Occasion {
        let time = LocalTime { year: 2018, month: 3, day, hour: 8, minute: 0, second: 0 };
        Occasion { time, unix_seconds: 0, dry_run: false }
    }

    fn row(notified: &str, email: &str, account: &str, new_project: &str, existing: &str) -> Row {
        let mut cells = vec![String::new(); 21];
        for (column, text) in [
            (NOTIFIED, notified),
            (EMAIL, email),
            (FIRST_NAME, "New\nUser"),
            (LAST_NAME, "Name"),
            (HAS_ACCOUNT, account),
            (ORGANISATION, "Society"),
            (NEW_PROJECT, new_project),
            (EXISTING_PROJECT, existing),
        ] {
            text.clone_into(&mut cells[column]);
        }
        Row { number: 2, cells }
    }

    fn header() -> Row {
        row("Notified", "E-mail", "", "", "")
    }

    #[test]
    fn who_was_admitted_in_the_days_before_is_named_by_project() {
        let rows = [
            header(),
            row("9 Mar 2018 08:00:00", "too-early@example.org", "No", "", "Genomics"),
            row("9 Mar 2018 08:00:01", "a@example.org", "No", "", "Genomics"),
            row("14 Mar 2018 15:48:48", "b@example.org", "Yes", "Archive", ""),
            row("3/16/2018 08:00:00", "c@example.org", "No", "", "genomics"),
            row("16 Mar 2018 08:00:01", "too-late@example.org", "No", "", "Genomics"),
            row("yesterday", "unreadable@example.org", "No", "", "Genomics"),
            Row { number: 9, cells: vec![String::new()] },
        ];
        let digest = digest(&options(), &occasion(16), &rows);
        let message = digest.message.unwrap();
        assert_eq!(message.subject, "3 people admitted in the last 7 days");
        assert_eq!(
            message.text,
            "In the 7 days to 2018-03-16, 3 people were admitted.\n\nArchive\n    New User Name (b@example.org, Society, new \
             project)\n\nGenomics\n    New User Name (a@example.org, Society, new account)\n    New User Name \
             (c@example.org, Society, new account)\n"
        );
        assert_eq!(digest.identifier, "2018-03-16");
        assert_eq!(digest.report.summary, "a digest of 3 people to 1 admins");
        let report = format!("{:?}", digest.report);
        assert!(report.contains("1 rows have no readable time") && !report.contains('@'), "{report}");
    }

    #[test]
    fn two_weeks_that_follow_on_each_other_name_everybody_once() {
        let rows: Vec<Row> = std::iter::once(header())
            .chain(
                (1..=28).map(|day| row(&format!("{day} Mar 2018 08:00:00"), "a@example.org", "No", "", "P")),
            )
            .collect();
        let named: usize = [7, 14, 21, 28]
            .map(|day| digest(&options(), &occasion(day), &rows).message.unwrap().text.matches('@').count())
            .iter()
            .sum();
        assert_eq!(named, 28);
    }

    #[test]
    fn a_week_without_anybody_sends_nothing() {
        let digest = digest(&options(), &occasion(16), &[header()]);
        assert_eq!(digest.message, None);
        assert!(digest.report.summary.starts_with("nobody was admitted"));
    }

    #[test]
    fn days_are_counted_over_months_and_leap_years() {
        let at = |year, month, day| seconds(&LocalTime { year, month, day, hour: 0, minute: 0, second: 0 });
        assert_eq!(at(2020, 3, 1) - at(2020, 2, 28), 2 * SECONDS_PER_DAY);
        assert_eq!(at(2018, 3, 1) - at(2018, 2, 28), SECONDS_PER_DAY);
        assert_eq!(at(2019, 1, 1) - at(2018, 12, 31), SECONDS_PER_DAY);
        assert_eq!(at(2020, 1, 1) - at(1970, 1, 1), 18262 * SECONDS_PER_DAY);
    }
}

//! Those who fill the sheets, and those who decide.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::month::{DAYS, ZONE};
use super::weather::{Weather, by_mistake, is_wrong};
use crate::notices::tests::requests;
use crate::registration::SheetKind;

/// A row.
pub(super) struct Submission {
    pub kind: SheetKind,
    pub email: String,
    /// When the form was sent, by the clock.
    pub sent: Timestamp,
    /// When somebody decides on it, in the clock's running time, and how.
    decision: Option<(Duration, &'static str)>,
    /// When somebody has decided, by the clock.
    pub decided: Option<Timestamp>,
}

impl Submission {
    /// What the bundled parser calls it.
    pub(super) fn key(&self) -> String {
        let sent = self.sent.in_tz(ZONE).unwrap();
        format!("{} {}", sent.strftime("%Y-%m-%dT%H:%M:%S"), self.email)
    }

    pub(super) fn is_decided(&self) -> bool {
        self.decided.is_some()
    }

    pub(super) fn is_approved(&self) -> bool {
        self.is_decided() && self.decision.is_some_and(|(_, word)| word == "Approved")
    }
}

/// What people do.
#[derive(Default)]
pub(super) struct People {
    folder: PathBuf,
    pub submissions: Vec<Submission>,
    /// When the next one is sent.
    next: Duration,
}

impl People {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// When somebody does something next.
    pub(super) fn next(&self) -> Duration {
        let open = self.submissions.iter().filter(|submission| !submission.is_decided());
        let decided = open.filter_map(|submission| submission.decision).map(|(at, _)| at);
        decided.chain([self.next]).min().unwrap()
    }

    /// Does what is to be done by now.
    pub(super) fn act(&mut self, weather: &Weather, ran: Duration, now: Timestamp) {
        if self.next <= ran {
            let hours = |hours: u64| Duration::from_secs(hours * 3600);
            // Nobody sends a form while clocks are wrong, and what comes too late has no time left.
            if !weather.is_quiet() && !is_wrong(now) {
                self.submit(weather, ran, now);
            }
            self.next = ran + hours(4 + weather.draw(16)) + Duration::from_secs(weather.draw(3600));
        }
        for number in 0..self.submissions.len() {
            let submission = &mut self.submissions[number];
            if let Some((at, word)) = submission.decision
                && submission.decided.is_none()
                && at <= ran
            {
                submission.decided = Some(if is_wrong(now) { now - by_mistake() } else { now });
                let (kind, email) = (submission.kind, submission.email.clone());
                self.edit(kind, |rows| {
                    let row = rows.iter_mut().find(|row| row[4] == email).unwrap();
                    word.clone_into(&mut row[0]);
                });
            }
        }
        if weather.draw(10) == 0 {
            self.edit(SheetKind::Access, |rows| rows.reverse());
        }
    }

    fn submit(&mut self, weather: &Weather, ran: Duration, now: Timestamp) {
        let number = self.submissions.len();
        let kind = if weather.draw(3) == 0 { SheetKind::Quota } else { SheetKind::Access };
        let later = ran + Duration::from_secs(3600 * (1 + weather.draw(9 * 24)));
        // In turn and not by chance: a month in which hardly anything is approved would show little of tickets.
        let decision = match number % 10 {
            0 | 2 | 4 | 6 | 8 => Some((later, "Approved")),
            1 | 5 => Some((later, "denied")),
            _ => None,
        };
        // What is approved in the last hours has no ticket before the end.
        let decision = decision.filter(|(at, _)| *at < Duration::from_secs((DAYS * 24 - 12) * 3600));
        let sent = Timestamp::from_second(now.as_second()).unwrap();
        let email = format!("user{number:03}@example.org");
        let stamp = sent.in_tz(ZONE).unwrap().strftime("%-m/%-d/%Y %H:%M:%S").to_string();
        let cells: Vec<&str> = match kind {
            SheetKind::Access => {
                let start = ["", "", "", &stamp, &email, "New", "User", "No"];
                let rest = ["", "", "", "", "4821", "Please", "", "", "", "", "Genomics", "", ""];
                start.into_iter().chain(rest).collect()
            }
            SheetKind::Quota => {
                let start =
                    ["", "", "", &stamp, &email, "Quota", "Asker", "", "Genomics", "permanent", "", "20"];
                let rest = ["", "", "", "", "", "", "", "", "More data", ""];
                start.into_iter().chain(rest).collect()
            }
        };
        let row: Vec<String> = cells.into_iter().map(str::to_owned).collect();
        self.edit(kind, |rows| rows.push(row));
        self.submissions.push(Submission { kind, email, sent, decision, decided: None });
    }

    /// The cells of a row as they are.
    pub(super) fn row(&self, submission: &Submission) -> Vec<String> {
        let (_, rows) = self.read(submission.kind);
        let mut found = rows.into_iter().filter(|row| row[4] == submission.email);
        let row = found.next().unwrap();
        assert_eq!(found.next(), None, "{} is there twice", submission.email);
        row
    }

    /// The header, and the cells of the rows below it.
    fn read(&self, kind: SheetKind) -> (String, Vec<Vec<String>>) {
        let text = fs::read_to_string(requests(&self.folder, kind.name())).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        (header.to_owned(), rows.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect())
    }

    fn edit(&self, kind: SheetKind, edit: impl FnOnce(&mut Vec<Vec<String>>)) {
        let (header, mut rows) = self.read(kind);
        edit(&mut rows);
        let lines = rows.iter().map(|row| row.join(",") + "\n");
        let text: String = std::iter::once(header + "\n").chain(lines).collect();
        fs::write(requests(&self.folder, kind.name()), text).unwrap();
    }
}

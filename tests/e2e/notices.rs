//! Tickets and reminders with a real mail server, and the sheet in files or at Google: killed at every place between
//! the mail and the mark, and with people who sort the sheet in the worst moment.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use usher_tests::google_sheets::GoogleSheets;
use usher_tests::sheet::{AccessRow, REQUESTS};
use usher_tests::site::{self, Run, Site};
use usher_tests::{process, workspace};

use crate::at_google::{AtGoogle, CHANGE, LIST, READ};
use crate::scene::{difference, in_parallel};
use crate::stage::{Stage, announce, expect_status, expect_words};

/// What is run, and the column of its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Notify,
    Remind,
}

impl Job {
    fn arguments(self) -> [&'static str; 2] {
        match self {
            Self::Notify => ["run", "notify"],
            Self::Remind => ["run", "remind"],
        }
    }

    fn column(self) -> usize {
        match self {
            Self::Notify => 1,
            Self::Remind => 2,
        }
    }
}

/// Rows of which two are due for a ticket and two for a reminder, each of the jobs with one that has its mark already.
fn rows(domain: &str) -> Vec<AccessRow> {
    let row = |number: usize, decision: &str, notified: &str, reminded: &str| {
        let mut row = AccessRow::joining(&format!("user{number}@{domain}"), "Genomics");
        row.set(0, decision).set(1, notified).set(2, reminded).set(3, &format!("3/14/2018 15:48:0{number}"));
        row
    };
    vec![
        row(0, "Approved", "", ""),
        row(1, "", "", ""),
        row(2, "Approved", "14 Mar 2018 16:00:00", "14 Mar 2018 16:00:00"),
        row(3, "", "", "1 Apr 2018 10:00:00"),
        row(4, "Approved", "", ""),
        row(5, "denied", "", ""),
    ]
}

/// Sends what a site mails to addresses of its own.
fn address(site: &Site, domain: &str) {
    site.change_settings("helpdesk@example.org", &format!("helpdesk@{domain}")).unwrap();
    let reminder = format!("[reminder]\nto = [\"approvers@{domain}\"]\n\n[setpass]\n");
    site.change_settings("[setpass]\n", &reminder).unwrap();
}

/// A site on which a job is disturbed.
struct Scene {
    site: Site,
    domain: String,
    google: Option<(Arc<GoogleSheets>, String)>,
}

impl Scene {
    fn new(stage: &Stage, google: Option<&Arc<GoogleSheets>>, domain: &str) -> Self {
        let google = google.map(|google| {
            let spreadsheet = google.create_access(&rows(domain), true).unwrap();
            (Arc::clone(google), spreadsheet)
        });
        let site = stage.site(&rows(domain));
        match &google {
            Some((google, spreadsheet)) => site.use_google(google, spreadsheet).unwrap(),
            // The quota sheet is the same for all, and holds nothing that concerns these jobs.
            None => site.change_settings("quota = \"quota\"\n", "").unwrap(),
        }
        address(&site, domain);
        Self { site, domain: domain.to_owned(), google }
    }

    fn run(&self, job: Job) -> Run {
        self.site.usher(&job.arguments()).unwrap()
    }

    /// The answer is what was wrong.
    fn kill_at(&self, job: Job, place: &str) -> Option<String> {
        use std::os::unix::process::ExitStatusExt as _;
        let mut command = self.site.command(&job.arguments());
        command.env("USHER_KILL_AT", place).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().unwrap();
        (status.signal() != Some(9)).then(|| format!("was not reached: {status}"))
    }

    fn requests(&self) -> Vec<Vec<String>> {
        match &self.google {
            Some((google, spreadsheet)) => google.rows(spreadsheet, REQUESTS).unwrap().unwrap(),
            None => self.site.requests().unwrap(),
        }
    }

    /// Everything that the runs have brought about, with `now` in the place of marks of this year.
    fn end(&self, stage: &Stage) -> BTreeSet<String> {
        let mut end = BTreeSet::new();
        for (number, mut row) in self.requests().into_iter().enumerate() {
            for mark in row.iter_mut().take(3).skip(1).filter(|mark| is_new(mark)) {
                "now".clone_into(mark);
            }
            end.insert(format!("row {} {row:?}", number + 1));
        }
        let mut seen = BTreeSet::new();
        for mail in stage.mail.received().unwrap() {
            if mail.to.iter().any(|to| to.ends_with(&self.domain)) && seen.insert(mail.message_id.clone()) {
                end.insert(format!("mail {:?} {} {:?} {:?}", mail.to, mail.subject, mail.text, mail.html));
            }
        }
        end.extend(self.query("SELECT sheet, key, kind, round, marked IS NULL FROM notice"));
        end.extend(self.query("SELECT kind, state, payload FROM outbox"));
        end.extend(self.query("SELECT COUNT(*) FROM lease"));
        let spreadsheet = self.google.as_ref().map_or("", |(_, spreadsheet)| spreadsheet);
        let own = |line: String| line.replace(&self.domain, "DOMAIN");
        let own = |line: String| {
            if spreadsheet.is_empty() { own(line) } else { own(line).replace(spreadsheet, "ID") }
        };
        end.into_iter().map(own).collect()
    }

    /// How many mails came a second time, with the same Message-ID, and with another one.
    fn doubled(&self, stage: &Stage) -> (usize, usize) {
        let own = stage.mail.received().unwrap().into_iter();
        let own: Vec<_> = own.filter(|mail| mail.to.iter().any(|to| to.ends_with(&self.domain))).collect();
        let identifiers: BTreeSet<_> = own.iter().map(|mail| mail.message_id.clone()).collect();
        let contents: BTreeSet<_> = own.iter().map(|mail| (&mail.subject, &mail.text)).collect();
        (own.len() - identifiers.len(), identifiers.len() - contents.len())
    }

    fn query(&self, query: &str) -> Vec<String> {
        let script =
            "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(row)";
        let mut command = Command::new(workspace::python_packages().join("bin/python"));
        command.args(["-c", script]).arg(self.site.folder().join("state/usher.sqlite")).arg(query);
        let output = process::output(&mut command).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rows = String::from_utf8(output.stdout).unwrap();
        rows.lines().map(|row| format!("{query}: {row}")).collect()
    }
}

/// Whether it is a mark as Usher writes it, and not one of 2018.
fn is_new(mark: &str) -> bool {
    let digits: String = mark.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    digits.len() == 20
        && digits.starts_with("00 ")
        && digits.ends_with(" 0000 00:00:00")
        && !mark.contains(" 2018 ")
}

#[test]
fn a_kill_between_mail_and_mark_mails_nothing_twice_and_loses_no_mark() {
    let folder = tempfile::Builder::new().prefix("usher-google-").tempdir().unwrap();
    let google = Arc::new(GoogleSheets::start(folder.path()).unwrap());
    let stage = Stage::new();
    let mut cases = Vec::new();
    let mut ends = Vec::new();
    for (number, (job, at_google)) in
        [(Job::Notify, false), (Job::Remind, false), (Job::Notify, true), (Job::Remind, true)]
            .into_iter()
            .enumerate()
    {
        let at = at_google.then_some(&google);
        let scene = Scene::new(&stage, at, &format!("undisturbed{number}.notices.example.org"));
        let log = scene.site.folder().join("places");
        let mut command = scene.site.command(&job.arguments());
        let run = site::run(command.env("USHER_PLACES", &log), None).unwrap();
        expect_status(&run, 0);
        let marked = scene
            .requests()
            .iter()
            .skip(1)
            .filter(|row| row.get(job.column()).is_some_and(|mark| is_new(mark)))
            .count();
        assert_eq!(marked, 2, "{job:?}: {}", run.said());
        ends.push(scene.end(&stage));
        let mut seen = BTreeSet::new();
        let log = fs::read_to_string(log).unwrap();
        let places = log.lines().filter(|place| seen.insert((*place).to_owned()));
        // At Google only what has to do with the sheet is different.
        let places =
            places.filter(|place| !at_google || place.starts_with("notices ") || place.starts_with("marks "));
        cases.extend(places.map(|place| (number, job, at_google, place.to_owned())));
    }
    assert!(cases.len() >= 29, "only {cases:?}");
    let faults = in_parallel(&cases, |cases| {
        let stage = Stage::new();
        let mut faults = Vec::new();
        for (case, (number, job, at_google, place)) in cases {
            let mut note =
                |fault: String| faults.push(format!("{job:?}, {place}, at Google {at_google}: {fault}"));
            let at = at_google.then_some(&google);
            let scene = Scene::new(&stage, at, &format!("case{case}.notices.example.org"));
            scene.kill_at(*job, place).into_iter().for_each(&mut note);
            let run = scene.run(*job);
            if run.status != Some(0) {
                note(run.said());
                continue;
            }
            let end = scene.end(&stage);
            difference(&ends[*number], &end).into_iter().for_each(&mut note);
            // A mail that the server took before that could be recorded comes twice, as one mail by its Message-ID.
            let allowed = usize::from(place.starts_with("mail ") && place.contains(" taken"));
            if scene.doubled(&stage) != (allowed, 0) {
                note(format!("{:?} mails came twice", scene.doubled(&stage)));
            }
            let again = scene.run(*job);
            if again.status != Some(0) || scene.end(&stage) != end {
                note(format!("a third run changes something: {}", again.said()));
            }
        }
        faults
    });
    google.expect_order().unwrap();
    announce(&format!("tickets and reminders killed at {} places", cases.len()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A site at Google with rows of all sorts.
fn at_google(domain: &str) -> AtGoogle {
    let at = AtGoogle::new(&rows(domain), true);
    address(&at.site, domain);
    at
}

fn marks(at: &AtGoogle, column: usize) -> Vec<(String, String)> {
    let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
    let mut marks: Vec<_> = at.requests()[1..]
        .iter()
        .map(|row| (cell(row, 4), cell(row, column)))
        .filter(|(_, mark)| !mark.is_empty())
        .map(|(email, mark)| {
            let user = email.split('@').next().unwrap_or_default().to_owned();
            (user, if is_new(&mark) { "now".to_owned() } else { mark })
        })
        .collect();
    marks.sort();
    marks
}

fn expected(marks: &[(&str, &str)]) -> Vec<(String, String)> {
    marks.iter().map(|(user, mark)| ((*user).to_owned(), (*mark).to_owned())).collect()
}

const NOTIFIED: [(&str, &str); 3] = [("user0", "now"), ("user2", "14 Mar 2018 16:00:00"), ("user4", "now")];

#[test]
fn at_google_all_marks_are_one_change_and_go_to_their_rows_whoever_sorts_meanwhile() {
    let at = at_google("plain.marks.example.org");
    let run = at.site.usher(&["run", "notify"]).unwrap();
    expect_status(&run, 0);
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE], "{}", run.said());
    assert_eq!(marks(&at, 1), expected(&NOTIFIED));
    at.google.calm().unwrap();
    expect_status(&at.site.usher(&["run", "notify"]).unwrap(), 0);
    assert_eq!(at.google.calls().unwrap(), [READ], "nothing is left to be done");
    assert_eq!(at.stage.mail.received().unwrap().len(), 2);
    at.google.expect_order().unwrap();

    // The sheet is edited before it is read for the marks, and between that look and the change itself.
    let sort = json!({ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true });
    let insert = json!({ "kind": "insert-row", "sheet": REQUESTS, "row": 2, "values": ["", "", "", "", "late@example.org"] });
    let late = json!({ "kind": "append-row", "sheet": REQUESTS, "values": ["", "", "", "1/1/2019 10:00:00", "late@example.org"] });
    for (number, (method, nth, edit)) in
        [(READ, 2, &sort), (CHANGE, 1, &sort), (CHANGE, 1, &insert), (CHANGE, 1, &late)]
            .into_iter()
            .enumerate()
    {
        let at = at_google(&format!("race{number}.marks.example.org"));
        let fault = json!([{ "method": method, "nth": nth, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": [edit] }]);
        at.google.faults(&fault).unwrap();
        let run = at.site.usher(&["run", "notify"]).unwrap();
        expect_status(&run, 0);
        assert_eq!(marks(&at, 1), expected(&NOTIFIED), "{number}: {}", run.said());
        assert_eq!(at.stage.mail.received().unwrap().len(), 2);
        at.google.expect_order().unwrap();
    }
}

#[test]
fn at_google_marks_whose_answer_is_lost_are_found_out_and_never_mailed_about_again() {
    let sort = json!([{ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true }]);
    let edit = |spreadsheet: &str| json!({ "method": CHANGE, "kind": "edit", "spreadsheet": spreadsheet, "edits": sort });
    let lost = json!({ "method": CHANGE, "kind": "cut-after" });
    let unmade = json!({ "method": CHANGE, "kind": "cut-before" });
    for (number, (is_sorted, cut)) in
        [(false, &lost), (true, &lost), (false, &unmade)].into_iter().enumerate()
    {
        let at = at_google(&format!("lost{number}.marks.example.org"));
        let mut faults = vec![cut.clone()];
        if is_sorted {
            faults.insert(0, edit(&at.spreadsheet));
        }
        at.google.faults(&Value::Array(faults)).unwrap();
        let run = at.site.usher(&["run", "notify"]).unwrap();
        assert_ne!(run.status, Some(0), "{}", run.said());
        expect_words(&run, &["not known whether Google has changed the spreadsheet"]);
        at.google.calm().unwrap();
        expect_status(&at.site.usher(&["run", "notify"]).unwrap(), 0);
        assert_eq!(marks(&at, 1), expected(&NOTIFIED), "{number}");
        assert_eq!(at.stage.mail.received().unwrap().len(), 2);
    }

    // Where it cannot be put right, the rows are named.
    let at = at_google("astray.marks.example.org");
    at.google
        .faults(
            &json!([edit(&at.spreadsheet), { "method": CHANGE, "nth": 2, "kind": "status", "status": 400 }]),
        )
        .unwrap();
    let run = at.site.usher(&["run", "notify"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["column B", "version history"]);
}

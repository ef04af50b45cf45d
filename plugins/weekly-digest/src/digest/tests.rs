//! Who is named when, and in which words.

use usher_plugin::dates::DateOrder;

use super::*;

fn options() -> Options {
    Options {
        to: vec!["admins@example.org".to_owned()],
        days: 7,
        worksheet: "Current Users".to_owned(),
        memory: "Weekly Digest".to_owned(),
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
        (TIMESTAMP, "3/1/2018 12:00:00"),
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

/// A worksheet of admitted people, and what was remembered.
struct Site {
    rows: Vec<Row>,
    memory: Vec<Row>,
}

impl Site {
    fn new() -> Self {
        let memory = Row { number: 1, cells: vec!["Digest".to_owned(), "Request".to_owned()] };
        Self { rows: vec![header()], memory: vec![memory] }
    }

    fn admit(&mut self, notified: &str, email: &str) {
        self.rows.push(row(notified, email, "No", "", "Genomics"));
    }

    fn remember(&mut self, lines: Vec<Vec<String>>) {
        self.memory.extend(lines.into_iter().map(|cells| Row { number: 0, cells }));
    }

    /// Runs the job to its end, and answers whom each mail names.
    fn run(&mut self, day: u8) -> Vec<Vec<String>> {
        let digests = self.begin(day);
        for mail in &digests.mails {
            self.remember(vec![Memory::mailed(&mail.identifier)]);
        }
        digests.mails.iter().map(|mail| named(&mail.message)).collect()
    }

    /// Runs the job up to where it would mail.
    fn begin(&mut self, day: u8) -> Digests {
        let digests = digests(&options(), &occasion(day), &self.rows, &self.memory);
        self.remember(digests.remember.clone());
        digests
    }
}

fn named(message: &Message) -> Vec<String> {
    let words = message.text.split([' ', '(', ',']);
    words.filter(|word| word.contains('@')).map(|word| word.split('@').next().unwrap().to_owned()).collect()
}

#[test]
fn who_was_admitted_is_named_by_project() {
    let rows = [
        header(),
        row("9 Mar 2018 08:00:00", "too-early@example.org", "No", "", "Genomics"),
        row("9 Mar 2018 08:00:01", "a@example.org", "No", "", "Genomics"),
        row("14 Mar 2018 15:48:48", "b@example.org", "Yes", "Archive", ""),
        row("3/16/2018 08:00:00", "c@example.org", "No", "", "genomics"),
        row("yesterday", "unreadable@example.org", "No", "", "Genomics"),
        Row { number: 9, cells: vec![String::new()] },
    ];
    let digests = digests(&options(), &occasion(16), &rows, &[]);
    let [Mail { identifier, message }] = &digests.mails[..] else { panic!("{digests:?}") };
    assert_eq!(message.subject, "3 people admitted");
    assert_eq!(
        message.text,
        "Since the digest before this one, 3 people were admitted.\n\nArchive\n    New User Name (b@example.org, \
         Society, new project)\n\nGenomics\n    New User Name (a@example.org, Society, new account)\n    New User \
         Name (c@example.org, Society, new account)\n"
    );
    assert!(identifier.starts_with("2018-03-16-"), "{identifier}");
    assert_eq!(digests.report.summary, "a digest of 3 people to 1 admins");
    let report = format!("{:?}", digests.report);
    assert!(report.contains("2 rows of before the last 7 days") && !report.contains('@'), "{report}");
    assert_eq!(digests.remember.len(), 6, "two of before, the beginning, three that are named");
}

#[test]
fn whoever_is_notified_before_a_digest_and_moved_after_it_is_in_the_next_one() {
    let mut site = Site::new();
    site.admit("5 Mar 2018 07:00:00", "early@example.org");
    assert_eq!(site.run(5), [["early"]]);
    // Notified at 7:50, and in the worksheet only at 8:15.
    site.admit("5 Mar 2018 07:50:00", "moved@example.org");
    assert_eq!(site.run(12), [["moved"]]);
    // A run by hand on the morning of a digest names some, and the digest the others.
    site.admit("17 Mar 2018 10:00:00", "by-hand@example.org");
    assert_eq!(site.run(19), [["by-hand"]]);
    site.admit("19 Mar 2018 07:30:00", "digest@example.org");
    assert_eq!(site.run(19), [["digest"]]);
    assert!(site.run(26).is_empty());
}

#[test]
fn weeks_in_which_nobody_looked_are_made_up_for() {
    let mut site = Site::new();
    site.run(1);
    for day in 2..=28 {
        site.admit(&format!("{day} Mar 2018 08:00:00"), &format!("user{day}@example.org"));
    }
    site.admit("soon", "unreadable@example.org");
    site.rows.last_mut().unwrap().cells[TIMESTAMP].clear();
    assert_eq!(site.run(29)[0].len(), 28);
    site.rows.reverse();
    let header = site.rows.pop().unwrap();
    site.rows.insert(0, header);
    assert!(site.run(30).is_empty(), "however the sheet is sorted");
}

#[test]
fn what_could_not_be_mailed_is_mailed_by_the_next_run_as_it_was_to_be() {
    let mut site = Site::new();
    site.run(1);
    site.admit("", "first@example.org");
    let begun = site.begin(5);
    // It ended there. Meanwhile somebody else was admitted.
    site.admit("", "second@example.org");
    let again = digests(&options(), &occasion(12), &site.rows, &site.memory);
    assert_eq!(again.mails[0], begun.mails[0], "under the same name: it is not sent twice");
    assert_eq!(again.mails[1..].iter().map(|mail| named(&mail.message)).collect::<Vec<_>>(), [["second"]]);
    assert_eq!(again.report.summary, "a digest of 2 people to 1 admins");
    assert_eq!(site.run(12).len(), 2);
    assert!(site.run(19).is_empty());
}

#[test]
fn a_week_without_anybody_sends_nothing() {
    let digests = digests(&options(), &occasion(16), &[header()], &[]);
    assert_eq!(digests.mails, []);
    assert!(digests.report.summary.starts_with("nobody was admitted"));
}

#[test]
fn days_are_counted_over_months_and_leap_years() {
    let at = |year, month, day| seconds(&LocalTime { year, month, day, hour: 0, minute: 0, second: 0 });
    assert_eq!(at(2020, 3, 1) - at(2020, 2, 28), 2 * SECONDS_PER_DAY);
    assert_eq!(at(2018, 3, 1) - at(2018, 2, 28), SECONDS_PER_DAY);
    assert_eq!(at(2019, 1, 1) - at(2018, 12, 31), SECONDS_PER_DAY);
    assert_eq!(at(2020, 1, 1) - at(1970, 1, 1), 18262 * SECONDS_PER_DAY);
}

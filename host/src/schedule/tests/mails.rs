//! A month of tickets and reminders: two hosts on one database run the real jobs over sheets that people fill and edit,
//! while hosts die and are restarted, clocks are set, the mail server refuses or falls silent, and sheets are away.
//!
//! What is checked in the end is what the mail server has seen and what stands in the sheets.

mod machine;
mod month;
mod people;
mod weather;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use self::month::{Month, ZONE};
use self::people::Submission;
use self::weather::is_wrong;
use super::fixture::announce;
use crate::database::{Notice, NoticeKind, NoticeMail, OccasionState};

const SETTINGS: &str = r#"
[reminder]
to = ["approvers@example.org"]
first_after = "2d"
repeat_every = "3d"
escalate_to = ["head@example.org"]
escalate_after = 2
[schedule]
notify = { cron = "5 */3 * * *" }
remind = { cron = "0 9 * * *" }
"#;

/// What the mail server has seen of one mail.
struct Seen {
    to: String,
    subject: String,
    text: String,
    /// When it took it, and took it again.
    at: Vec<Timestamp>,
}

#[test]
fn in_a_month_each_mail_comes_once_and_each_mark_is_in_its_row() {
    // With one thread for what blocks, what a dead host has left there is over when something later is.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let mut month = Month::new(SETTINGS).await;
        while month.step().await {}
        check(&month).await;
    });
}

async fn check(month: &Month) {
    let seen = seen(month);
    let copies: usize = seen.values().map(|mail| mail.at.len() - 1).sum();
    let (mut tickets, mut rounds, mut escalations, mut of_wrong_clock) = (0, 0, 0, 0);
    for submission in &month.people.submissions {
        let name = &submission.email;
        let row = month.people.row(submission);
        let is_about = |mail: &&Seen, to: &str| mail.to == to && mail.text.contains(&format!("<{name}>"));
        let of = |to: &str| seen.values().filter(|mail| is_about(mail, to)).collect::<Vec<_>>();

        let ticket: Vec<&Seen> = seen.values().filter(|mail| mail.subject.ends_with(name.as_str())).collect();
        assert_eq!(ticket.len(), usize::from(submission.is_approved()), "tickets about {name}");
        let marks = |mail: &Seen| mail.at.iter().map(|at| mark(*at)).collect::<Vec<_>>();
        match ticket.first() {
            Some(ticket) => assert!(marks(ticket).contains(&row[1]), "{name}: {} of {row:?}", row[1]),
            None => assert_eq!(row[1], "", "{name}"),
        }
        tickets += ticket.len();

        let reminders = of("approvers@example.org");
        let notices = notices(month, submission, NoticeKind::Reminder).await;
        assert_eq!(reminders.len(), notices.len(), "{name}: {notices:?}");
        assert!((1..).zip(&notices).all(|(round, notice)| notice.round == round), "{name}: {notices:?}");
        assert!(notices.iter().all(|notice| notice.marked.is_some()), "{name}: {notices:?}");
        assert_eq!(of("head@example.org").len(), notices.len().saturating_sub(2), "{name}: {notices:?}");
        rounds += reminders.len();
        escalations += notices.len().saturating_sub(2);
        of_wrong_clock += notices.iter().filter(|notice| is_wrong(notice.recorded)).count();
        check_intervals(month, submission, &notices);
        check_mark(submission, &row[2], &notices, &reminders.iter().flat_map(|mail| marks(mail)).collect());
    }
    let all = month.people.submissions.iter().map(|submission| submission.email.clone());
    assert!(
        seen.values()
            .all(|mail| all.clone().any(|name| format!("{}{}", mail.subject, mail.text).contains(&name)))
    );
    let occasions = occasions(month).await;
    let weather = &month.weather;
    announce(&format!(
        "{} days, 2 hosts, {} looks: {} requests, {tickets} tickets and {rounds} reminders in {} mails, each once, \
         {escalations} of them told to others too, {of_wrong_clock} of a wrong clock; {copies} came again with the same \
         Message-ID because their answers got lost. {occasions}; {} deaths, {} restarts, {} faults of the mail server, {} \
         of sheets, the clock set {} times",
        month::DAYS,
        month.looks,
        month.people.submissions.len(),
        seen.len(),
        weather.deaths.get(),
        weather.restarts.get(),
        weather.mail_faults(),
        weather.sheet_faults.get(),
        weather::SET.len(),
    ));
    assert!(weather.deaths.get() > 15 && weather.restarts.get() > 10, "too little has happened");
    assert!(weather.mail_faults() > 20 && weather.sheet_faults.get() > 20, "too little has happened");
    assert!(tickets > 15 && rounds > 50 && escalations > 10, "too little has happened");
}

/// The mails by their Message-IDs.
fn seen(month: &Month) -> BTreeMap<String, Seen> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let peer = month.site.peer.seen();
    let times = month.weather.taken();
    assert_eq!(peer.mails.len(), times.len());
    for (mail, at) in peer.mails.iter().zip(times) {
        let header = |name: &str| {
            let line = mail.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {mail}")).trim().to_owned()
        };
        let new =
            || Seen { to: header("To:"), subject: header("Subject:"), text: mail.clone(), at: Vec::new() };
        seen.entry(header("Message-ID:")).or_insert_with(new).at.push(at);
    }
    seen
}

async fn notices(month: &Month, submission: &Submission, kind: NoticeKind) -> Vec<Notice> {
    let (app, key) = (&month.site.app, submission.key());
    let about = app.database.notices_about(submission.kind, kind, &[&key], app.clock.now()).await.unwrap();
    about.into_values().next().unwrap_or_default()
}

/// Each reminder comes when it is due, and not long after that.
fn check_intervals(month: &Month, submission: &Submission, notices: &[Notice]) {
    let day = |days: i64| SignedDuration::from_hours(24 * days);
    // The job runs once a day. It may miss its sheet on one day, and meet other trouble for some hours on the next.
    let late = SignedDuration::from_hours(2 * 24 + 14);
    let mut due = submission.sent + day(2);
    let mut due_by = due;
    for notice in notices {
        let name = &submission.email;
        let at = notice.recorded;
        if is_wrong(at) {
            // Where it was sent when the clock was right again, its row may tell that, and it counts.
            let sent = accepted(notice);
            due_by = if is_wrong(sent) { due_by } else { due_by.max(sent + day(3)) };
            continue;
        }
        // A clock that is set forward makes nights shorter, one that is set back makes them longer.
        assert!(at >= due, "{name} at {at}, due {due}: {notices:?}");
        assert!(at.duration_since(due_by) <= late, "{name} at {at}, due by {due_by}: {notices:?}");
        due = at + day(3);
        due_by = due;
    }
    let end = submission.decided.unwrap_or(Timestamp::MAX).min(month.site.app.clock.now());
    assert!(due_by + late >= end, "{}: none since {due_by}, until {end}: {notices:?}", submission.email);
}

/// A row that waits has the mark of its last reminder, and one that was decided on had one of them or none in time.
fn check_mark(submission: &Submission, cell: &str, notices: &[Notice], all: &BTreeSet<String>) {
    let name = &submission.email;
    if submission.is_decided() {
        assert!(cell.is_empty() || all.contains(cell), "{name}: {cell}, {notices:?}");
        return;
    }
    let last = notices.iter().map(accepted).max_by_key(|at| (!is_wrong(*at), *at));
    assert_eq!(cell, last.map(mark).unwrap_or_default(), "{name}: {notices:?}");
    assert!(cell.is_empty() || all.contains(cell), "{name}: the mark is not the time of one of its mails");
}

fn accepted(notice: &Notice) -> Timestamp {
    match notice.mail {
        NoticeMail::Accepted(at) => at,
        _ => panic!("{notice:?}"),
    }
}

async fn occasions(month: &Month) -> String {
    let mut told = Vec::new();
    for job in ["notify", "remind"] {
        let recorded = month.site.app.database.occasions(job, u32::MAX).await.unwrap();
        let in_time: Vec<_> = recorded.iter().filter(|one| !one.ahead).map(|one| one.due).collect();
        let dues: BTreeSet<_> = in_time.iter().collect();
        assert_eq!(dues.len(), in_time.len(), "{job}: no occasion twice");
        let count = |state| recorded.iter().filter(|one| one.state == state).count();
        let attempts: u32 = recorded.iter().map(|one| one.attempts).sum();
        let (done, partly) = (count(OccasionState::Done), count(OccasionState::Partly));
        assert!(done * 2 > recorded.len(), "{job}: {done} of {}", recorded.len());
        told.push(format!(
            "{} occasions of {job}: {done} done, {partly} partly, {} failed, {} skipped, {attempts} attempts",
            recorded.len(),
            count(OccasionState::Failed),
            count(OccasionState::Skipped),
        ));
    }
    told.join("; ")
}

fn mark(at: Timestamp) -> String {
    at.in_tz(ZONE).unwrap().strftime("%d %b %Y %H:%M:%S").to_string()
}

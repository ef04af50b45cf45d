//! Reminders, over days and weeks.

use super::*;
use crate::database::NoticeKind;
use crate::registration::SheetKind;
use crate::{notify, remind, retention};

const REMINDER: &str = r#"
[reminder]
to = ["approvers@example.org"]
first_after = "2d"
repeat_every = "3d"
escalate_to = ["head@example.org"]
escalate_after = 2
access_url = "https://sheets.example.org/access"
"#;

fn access<'a>(decision: &'a str, reminded: &'a str, stamp: &'a str, email: &'a str) -> Vec<&'a str> {
    vec![decision, "", reminded, stamp, email, "New", "User", "No", "", "", "", "", "4821", "Please decide"]
}

#[tokio::test]
async fn approvers_are_reminded_once_a_request_has_waited_and_again_later_and_others_after_that() {
    let site = Site::new(REMINDER).await;
    // The clock stands at 12:00 on the 16th: the first is two days old, the second half an hour younger than that.
    let first = access("", "", "3/14/2018 12:00:00", "a@example.org");
    let second = access("", "", "3/14/2018 12:30:00", "b@example.org");
    let decided = access("denied", "", "3/1/2018 12:00:00", "c@example.org");
    let reminded = access("", "14 Mar 2018 12:00:00", "3/1/2018 12:00:00", "d@example.org");
    site.write("access", &[&first, &second, &decided, &reminded]);

    let dry = remind::run(&site.app, true).await.unwrap();
    assert_eq!(states(&dry), [("access", 2, NoticeState::Due)]);
    assert!(site.mails().is_empty() && site.column("access", 2)[0].is_empty());

    let report = remind::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)]);
    assert_eq!(site.column("access", 2), ["16 Mar 2018 12:00:00", "", "", "14 Mar 2018 12:00:00"]);
    assert_eq!(site.mails(), ["approvers@example.org: 1 access request waiting for a decision"]);
    {
        let seen = site.peer.seen();
        assert!(seen.mails[0].contains("https://sheets.example.org/access"), "{}", seen.mails[0]);
        assert!(seen.mails[0].contains("Please decide") && seen.mails[0].contains("Row 2: New User"));
    }
    assert!(remind::run(&site.app, false).await.unwrap().requests.is_empty(), "once is enough");

    // A day later the others are due: one for the first time, one three days after the old tool's mark.
    site.pass(24);
    let report = remind::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 3, NoticeState::Marked), ("access", 5, NoticeState::Marked)]);
    let marks = ["16 Mar 2018 12:00:00", "17 Mar 2018 12:00:00", "", "17 Mar 2018 12:00:00"];
    assert_eq!(site.column("access", 2), marks);
    assert_eq!(site.mails().len(), 2);

    // Three days after the first reminder its second; six days after it the third, which others get too.
    site.pass(48);
    assert_eq!(states(&remind::run(&site.app, false).await.unwrap()), [("access", 2, NoticeState::Marked)]);
    assert_eq!(site.mails().len(), 3);
    site.pass(72);
    let report = remind::run(&site.app, false).await.unwrap();
    assert_eq!(report.requests.len(), 3, "{report:?}");
    let told = [
        "approvers@example.org: 3 access requests waiting for a decision",
        "head@example.org: 1 access request still waiting for a decision",
    ];
    assert_eq!(site.mails()[3..], told);
}

#[tokio::test]
async fn what_is_decided_or_touched_while_the_digest_is_sent_keeps_what_people_wrote() {
    let site = Site::new(REMINDER).await;
    let row = |decision, reminded, email| access(decision, reminded, "3/1/2018 12:00:00", email);
    let emails = ["a@example.org", "b@example.org", "c@example.org"];
    let before = emails.map(|email| row("", "", email));
    site.write("access", &before.each_ref().map(Vec::as_slice));
    site.meanwhile(move |folder| {
        let after = [
            row("", "", "new@example.org"),
            row("", "ask Ann", "c@example.org"),
            row("Approved", "", "b@example.org"),
            row("", "", "a@example.org"),
        ];
        write(folder, "access", &after.each_ref().map(Vec::as_slice));
    });
    let report = remind::run(&site.app, false).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(site.column("access", 2), ["", "ask Ann", "", "16 Mar 2018 12:00:00"]);
    // The text that is no mark counts for nothing, the records for something.
    let report = remind::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)]);
    assert_eq!(site.mails().len(), 2);
}

#[tokio::test]
async fn a_request_of_which_nobody_can_tell_since_when_it_waits_is_named_and_stops_no_other() {
    let site = Site::new(REMINDER).await;
    site.write(
        "access",
        &[
            &access("", "", "soon", "a@example.org"),
            &access("", "", "3/1/2018 12:00:00", "b@example.org"),
            &access("", "", "12/3/2018 12:00:00", "c@example.org"),
            &access("", "", "", "d@example.org"),
        ],
    );
    let report = remind::run(&site.app, false).await.unwrap();
    let marked = NoticeState::Marked;
    assert_eq!(states(&report), [("access", 2, marked), ("access", 3, marked), ("access", 5, marked)]);
    assert!(report.is_complete(), "{report:?}");
    for (notice, start) in report.notices.iter().zip([
        "access sheet, row 2: nobody can tell since when",
        "access sheet, row 4: the request seems to come from the future",
        "access sheet, row 5: nobody can tell since when",
    ]) {
        assert!(notice.starts_with(start), "{notice}");
    }
    assert_eq!(report.notices.len(), 3);
    let seen = site.peer.seen();
    assert!(
        seen.mails[0].contains("since Thursday, 1 March 2018"),
        "the oldest that is known: {}",
        seen.mails[0]
    );
}

/// Four weeks in which the job runs every six hours, over the change to summer time, while the server is away at
/// times: each request is told of as often as it has to be, and no time differs between mark and mail.
#[tokio::test]
async fn over_weeks_each_reminder_comes_once() {
    let turn = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let clock = Arc::clone(&turn);
    let script = move |command: &str| {
        let is_away = clock.load(std::sync::atomic::Ordering::SeqCst) % 7 == 3;
        (command.starts_with("MAIL") && is_away).then_some("451 later")
    };
    let site = Site::with_server(REMINDER, script).await;
    site.write("access", &[&access("", "", "3/16/2018 12:00:00", "a@example.org")]);
    for _ in 0..(4 * 28) {
        site.pass(6);
        turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        remind::run(&site.app, false).await.unwrap();
    }
    let about = site
        .app
        .database
        .notices_about(
            SheetKind::Access,
            NoticeKind::Reminder,
            &["2018-03-16T12:00:00 a@example.org"],
            site.app.clock.now(),
        )
        .await
        .unwrap();
    let rounds = about.into_values().next().unwrap();
    // After two days, and from then on every three: days 2, 5, 8, … 26.
    assert_eq!(rounds.len(), 9);
    assert!(rounds.iter().all(|notice| notice.marked.is_some()), "{rounds:?}");
    let mails = site.mails();
    let to = |whom: &str| mails.iter().filter(|mail| mail.starts_with(whom)).count();
    assert_eq!((to("approvers"), to("head")), (9, 7));
}

#[tokio::test]
async fn each_sheet_has_a_digest_of_its_own() {
    let site = Site::new(REMINDER).await;
    let stamp = "3/14/2018 12:00:00";
    let mut quota =
        vec!["", "", "", stamp, "asker@example.org", "Quota", "Asker", "", "Genomics", "permanent", ""];
    quota.extend(["20", "", "", "", "", "", "", "", "", "More data"]);
    site.write("quota", &[&quota]);
    site.write("access", &[&access("", "", stamp, "a@example.org")]);
    let report = remind::run(&site.app, false).await.unwrap();
    let marked = NoticeState::Marked;
    assert_eq!(states(&report), [("access", 2, marked), ("quota", 2, marked)]);
    let digests = [
        "approvers@example.org: 1 access request waiting for a decision",
        "approvers@example.org: 1 quota request waiting for a decision",
    ];
    assert_eq!(site.mails(), digests);
    assert!(site.peer.seen().mails[1].contains("Row 2: Quota Asker <asker@example.org>"));
    assert_eq!(site.column("quota", 2), ["16 Mar 2018 12:00:00"]);
}

#[tokio::test]
async fn a_mark_that_lies_in_the_future_is_named_and_silences_nobody() {
    let site = Site::new(REMINDER).await;
    let row = |mark, email| access("", mark, "3/1/2018 12:00:00", email);
    site.write(
        "access",
        &[&row("16 Mar 2019 12:00:00", "a@example.org"), &row("17 Mar 2018 11:00:00", "b@example.org")],
    );
    let report = remind::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)], "{report:?}");
    assert_eq!(report.notices.len(), 1, "{report:?}");
    let told =
        "access sheet, row 2: the mark of the last reminder lies in the future (Saturday, 16 March 2019";
    assert!(report.notices[0].starts_with(told), "{report:?}");
    assert_eq!(site.column("access", 2), ["16 Mar 2018 12:00:00", "17 Mar 2018 11:00:00"]);

    // The same where it was the clock that was wrong: what is recorded of that time counts for nothing.
    site.app.clock.jump(SignedDuration::from_hours(24 * 30));
    assert_eq!(remind::run(&site.app, false).await.unwrap().requests.len(), 2);
    site.app.clock.jump(SignedDuration::from_hours(-24 * 30));
    site.pass(72);
    assert_eq!(states(&remind::run(&site.app, false).await.unwrap())[0], ("access", 2, NoticeState::Marked));
    assert_eq!(site.column("access", 2)[0], "19 Mar 2018 12:00:00");
}

#[tokio::test]
async fn a_request_that_waits_is_escalated_however_short_reminders_are_kept() {
    let site = Site::new(&format!("{REMINDER}[retention]\nrequests = \"1d\"\n")).await;
    site.write("access", &[&access("", "", "3/14/2018 12:00:00", "a@example.org")]);
    for _ in 0..3 {
        remind::run(&site.app, false).await.unwrap();
        site.pass(72);
        assert_eq!(retention::run(&site.app, false).await.reminders, 0);
    }
    assert_eq!(site.mails().iter().filter(|mail| mail.starts_with("head@example.org")).count(), 1);
    // Once it is decided, they go, a day after that was seen.
    site.write("access", &[&access("denied", "", "3/14/2018 12:00:00", "a@example.org")]);
    remind::run(&site.app, false).await.unwrap();
    assert_eq!(retention::run(&site.app, false).await.reminders, 0);
    site.pass(25);
    assert_eq!(retention::run(&site.app, false).await.reminders, 3);
}

#[tokio::test]
async fn without_a_section_nobody_is_reminded_and_that_is_told() {
    let site = Site::new("").await;
    let error = remind::run(&site.app, false).await.unwrap_err().to_string();
    assert!(error.contains("[reminder]"), "{error}");
    assert!(notify::run(&site.app, false).await.unwrap().is_complete());
}

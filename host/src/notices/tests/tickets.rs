//! The helpdesk's tickets.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{notify, retention};

/// An access request for a project that exists, with its first four cells.
fn access<'a>(cells: [&'a str; 4], email: &'a str) -> Vec<&'a str> {
    let [approved, notified, reminded, stamp] = cells;
    let mut row = vec![approved, notified, reminded, stamp, email, "New", "User", "No"];
    row.extend(["", "", "", "", "4821", "Please", "", "", "", "", "Genomics"]);
    row
}

fn quota(approved: &'static str) -> Vec<&'static str> {
    let mut row = vec![approved, "", "", "3/15/2018 9:00:00", "asker@example.org", "Quota", "Asker", ""];
    row.extend(["Genomics", "permanent", "", "20", "", "", "", "", "", "", "", "", "More data"]);
    row
}

const SENT: &str = "3/14/2018 15:48:48";
const NOW: &str = "16 Mar 2018 12:00:00";

#[tokio::test]
async fn each_approved_request_has_one_ticket_for_ever_and_then_its_mark() {
    let site = Site::new("").await;
    let first = access(["Approved", "", "", SENT], "a@example.org");
    let ready = access(["Approved", "14 Mar 2018 16:00:00", "", SENT], "b@example.org");
    let waiting = access(["", "", "", SENT], "c@example.org");
    let bad = access(["Approved", "", "", "soon"], "d@example.org");
    let iso = access(["approved", "", "", "2018-03-14 15:48:48"], "e@example.org");
    site.write("access", &[&first, &ready, &waiting, &bad, &iso]);
    site.write("quota", &[&quota("Approved"), &quota("denied")]);

    let dry = notify::run(&site.app, true).await.unwrap();
    assert_eq!(dry.requests.len(), 3);
    assert!(dry.requests.iter().all(|request| request.state == NoticeState::Due) && dry.is_complete());
    assert!(site.mails().is_empty() && site.column("access", 1)[0].is_empty(), "a dry run changes nothing");

    let report = notify::run(&site.app, false).await.unwrap();
    let marked = NoticeState::Marked;
    assert_eq!(states(&report), [("access", 2, marked), ("access", 6, marked), ("quota", 2, marked)]);
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.notices.len(), 1, "{report:?}");
    assert!(report.notices[0].starts_with("access sheet, row 5: column D (timestamp)"), "{report:?}");
    assert_eq!(site.column("access", 1), [NOW, "14 Mar 2018 16:00:00", "", "", NOW]);
    assert_eq!(site.column("quota", 1), [NOW, ""]);
    let tickets = [
        "helpdesk@example.org: Access Request: a@example.org",
        "helpdesk@example.org: Access Request: e@example.org",
        "helpdesk@example.org: Quota Request: asker@example.org",
    ];
    assert_eq!(site.mails(), tickets);

    // Nothing is left to be done; and a mark that somebody takes out comes back without a mail.
    assert!(notify::run(&site.app, false).await.unwrap().requests.is_empty());
    site.pass(1);
    site.write("access", &[&first, &iso]);
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, marked), ("access", 3, marked)]);
    assert_eq!(site.column("access", 1), [NOW, NOW]);
    assert_eq!(site.mails().len(), 3);
}

#[tokio::test]
async fn marks_go_to_their_rows_whatever_people_do_while_the_mail_is_sent() {
    let site = Site::new("").await;
    let row = |approved, notified, email| access([approved, notified, "", SENT], email);
    let rows = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"];
    let before = rows.map(|email| row("Approved", "", email));
    site.write("access", &before.each_ref().map(Vec::as_slice));
    site.meanwhile(move |folder| {
        // Sorted the other way round, with a new row on top; one is denied, one marked by another program, one gone.
        let after = [
            row("Approved", "", "new@example.org"),
            row("Approved", "15 Mar 2018 10:00:00", "c@example.org"),
            row("denied", "", "b@example.org"),
            row("Approved", "", "a@example.org"),
        ];
        write(folder, "access", &after.each_ref().map(Vec::as_slice));
    });
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(site.column("access", 1), ["", "15 Mar 2018 10:00:00", "", NOW]);
    let states: Vec<_> = report.requests.iter().map(|request| request.state).collect();
    let (marked, gone) = (NoticeState::Marked, NoticeState::RowGone);
    assert_eq!(states, [marked, gone, marked, gone]);
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(site.mails().len(), 4);
    // The next run is about the new row alone.
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!((report.requests.len(), site.mails().len()), (1, 5));
    assert_eq!(site.column("access", 1)[0], NOW);
}

#[tokio::test]
async fn a_mark_that_fails_is_written_later_with_the_time_of_its_mail_and_without_another() {
    let site = Site::new("").await;
    site.write("access", &[&access(["Approved", "", "", SENT], "a@example.org")]);
    site.meanwhile(|folder| fs::rename(folder.join("access"), folder.join("away")).unwrap());
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Unmarked)]);
    assert!(report.unusable && !report.unreachable);
    assert!(
        !report.is_complete() && report.failed[0].starts_with("the marks of the access sheet"),
        "{report:?}"
    );
    let folder = site.folder.path();
    fs::rename(folder.join("away"), folder.join("access")).unwrap();
    let dry = notify::run(&site.app, true).await.unwrap();
    assert_eq!(states(&dry), [("access", 2, NoticeState::Unmarked)]);
    site.pass(5);
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)]);
    assert_eq!((site.column("access", 1), site.mails().len()), (vec![NOW.to_owned()], 1));
}

#[tokio::test]
async fn a_ticket_waits_for_the_mail_server_and_its_row_for_the_ticket() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let script = move |command: &str| {
        (command.starts_with("EHLO") && is_down.load(Ordering::SeqCst)).then_some("421 busy")
    };
    let site = Site::with_server("", script).await;
    site.write("access", &[&access(["Approved", "", "", SENT], "a@example.org")]);
    for dry_run in [false, false, true] {
        let report = notify::run(&site.app, dry_run).await.unwrap();
        assert_eq!(states(&report), [("access", 2, NoticeState::Waits)]);
        assert!(!report.is_complete() && site.column("access", 1)[0].is_empty(), "{report:?}");
    }
    down.store(false, Ordering::SeqCst);
    site.pass(2);
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)]);
    assert_eq!((site.mails().len(), site.column("access", 1)[0].as_str()), (1, "16 Mar 2018 14:00:00"));
}

#[tokio::test]
async fn a_refused_ticket_marks_nothing_until_an_operator_has_it_sent() {
    let refuses = Arc::new(AtomicBool::new(true));
    let is_refusing = Arc::clone(&refuses);
    let script = move |command: &str| {
        (command.starts_with("RCPT") && is_refusing.load(Ordering::SeqCst)).then_some("550 no such user")
    };
    let site = Site::with_server("", script).await;
    site.write("access", &[&access(["Approved", "", "", SENT], "a@example.org")]);
    for dry_run in [false, true] {
        let report = notify::run(&site.app, dry_run).await.unwrap();
        assert_eq!(states(&report), [("access", 2, NoticeState::Refused)]);
        assert!(report.notices[0].contains("usher mail retry 1"), "{report:?}");
        assert!(!report.is_complete() && site.column("access", 1)[0].is_empty());
    }
    // It is owed for as long as its row is there.
    site.pass(366 * 24);
    assert_eq!(retention::run(&site.app, false).await.refused_mails, 0);
    refuses.store(false, Ordering::SeqCst);
    site.app.outbox.retry(1).await.unwrap();
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)]);
    assert_eq!((site.column("access", 1), site.mails().len()), (vec!["17 Mar 2019 12:00:00".to_owned()], 1));
}

#[tokio::test]
async fn a_refused_ticket_of_a_row_that_is_gone_is_dropped_in_time() {
    let script = |command: &str| command.starts_with("RCPT").then_some("550 no such user");
    let site = Site::with_server("", script).await;
    site.write("access", &[&access(["Approved", "", "", SENT], "a@example.org")]);
    notify::run(&site.app, false).await.unwrap();
    site.write("access", &[]);
    site.pass(91 * 24);
    notify::run(&site.app, false).await.unwrap();
    assert_eq!(retention::run(&site.app, true).await.refused_mails, 1);
    assert_eq!(retention::run(&site.app, false).await.refused_mails, 1);
    assert!(site.app.outbox.mails(false).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_sheet_that_cannot_be_read_does_not_keep_the_other_waiting() {
    let site = Site::new("").await;
    site.write("quota", &[&quota("Approved")]);
    fs::remove_file(requests(site.folder.path(), "access")).unwrap();
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("quota", 2, NoticeState::Marked)]);
    assert!(
        !report.is_complete() && report.failed[0].starts_with("access sheet: there is no worksheet"),
        "{report:?}"
    );
    fs::remove_file(requests(site.folder.path(), "quota")).unwrap();
    assert!(notify::run(&site.app, false).await.is_err(), "nothing could be looked at");
}

#[tokio::test]
async fn a_finished_requests_ticket_is_known_after_its_name_is_erased() {
    let site = Site::new("").await;
    let row = access(["Approved", "", "", SENT], "a@example.org");
    site.write("access", &[&row]);
    notify::run(&site.app, false).await.unwrap();
    site.pass(366 * 24);
    assert_eq!(retention::run(&site.app, true).await.tickets, 0, "its row is still to be processed");
    site.write("access", &[]);
    notify::run(&site.app, false).await.unwrap();
    site.pass(366 * 24);
    let dry = retention::run(&site.app, true).await;
    assert_eq!((dry.tickets, dry.reminders, dry.refused_mails), (1, 0, 0));
    assert_eq!(retention::run(&site.app, false).await, dry);
    assert_eq!(retention::run(&site.app, false).await.summary(), "0 records erased");
    site.app.database.overwrite_log().await.unwrap();
    let bytes = fs::read(site.folder.path().join("usher.sqlite")).unwrap();
    assert!(
        !bytes.windows(13).any(|window| window == b"a@example.org"),
        "the address is still in the database"
    );
    // The row comes back without its mark.
    site.write("access", &[&row]);
    let report = notify::run(&site.app, false).await.unwrap();
    assert_eq!(states(&report), [("access", 2, NoticeState::Marked)]);
    assert_eq!((site.column("access", 1), site.mails().len()), (vec![NOW.to_owned()], 1));
}

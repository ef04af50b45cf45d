//! The jobs as they are, on their occasions: what they do, and what is recorded and told of it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::database::OccasionState::{Done, Failed, Partly, Waiting};
use crate::database::{OccasionRecord, OccasionState, Swept};
use crate::mailer::peer::GREETING;
use crate::notices::tests::{Site, requests};
use crate::quota_terms;
use crate::schedule::seen::Seen;
use crate::schedule::{Scheduler, jobs};
use crate::setpass::{Pin, Registration};
use crate::stop::Stop;

const ALERTS: &str = "[schedule]\nalert_to = \"ops@example.org\"\n[retention]\npins = \"7d\"\n";

/// An access request, approved a while ago.
fn approved(email: &str) -> Vec<&str> {
    let mut row = vec!["Approved", "", "", "3/14/2018 15:48:48", email, "New", "User", "No"];
    row.extend(["", "", "", "", "4821", "Please", "", "", "", "", "Genomics"]);
    row
}

async fn look(site: &Site, job: &str) {
    let mut jobs = jobs::jobs(&site.app);
    jobs.retain(|one| one.name == job);
    let host = Scheduler::of(&site.app, jobs);
    let (mut seen, stop) = (Seen::default(), Stop::default());
    while host.turn(&host.jobs[0], &mut seen, &stop).await.unwrap().is_zero() {}
}

/// What is recorded of the occasions of a job within a day, which are one.
async fn next_day(site: &Site, job: &str) -> OccasionRecord {
    look(site, job).await;
    site.pass(24);
    look(site, job).await;
    last(site, job).await
}

async fn last(site: &Site, job: &str) -> OccasionRecord {
    site.app.database.occasions(job, 1).await.unwrap().remove(0)
}

/// How many mails to the operator wait.
async fn alerts(site: &Site) -> usize {
    let pending = site.app.outbox.pending().await.unwrap();
    pending.iter().filter(|mail| mail.to == ["ops@example.org"]).count()
}

fn expect(occasion: &OccasionRecord, state: OccasionState, summary: &str) {
    let said = occasion.summary.as_deref().unwrap_or_default();
    assert!(occasion.state == state && said.contains(summary), "not {state:?} with {summary}: {occasion:?}");
}

#[tokio::test]
async fn a_sheet_its_marks_or_pins_that_cannot_be_had_are_told_at_once() {
    let site = Site::new(ALERTS).await;
    fs::remove_file(requests(site.folder(), "access")).unwrap();
    expect(&next_day(&site, "notify").await, Failed, "access sheet: there is no worksheet");
    assert_eq!(alerts(&site).await, 1);

    let site = Site::new(ALERTS).await;
    site.write("access", &[&approved("a@example.org")]);
    site.meanwhile(|folder| fs::rename(folder.join("access"), folder.join("away")).unwrap());
    let occasion = next_day(&site, "notify").await;
    expect(&occasion, Failed, "the marks of the access sheet: there is no folder");
    assert_eq!(alerts(&site).await, 1);
    expect(&next_day(&site, "retention").await, Failed, "PINs in the sheet: there is no folder");
    assert_eq!(alerts(&site).await, 2);
    fs::rename(site.folder().join("away"), site.folder().join("access")).unwrap();
    assert_eq!(next_day(&site, "notify").await.state, Done);
    let mails = site.mails();
    for words in ["notify keeps failing", "retention keeps failing", "notify works again"] {
        assert_eq!(mails.iter().filter(|mail| mail.ends_with(words)).count(), 1, "{words}: {mails:?}");
    }
}

#[tokio::test]
async fn a_mail_server_that_refuses_for_good_is_told_at_once() {
    let script = |command: &str| (command == GREETING).then_some("554 not for you");
    let site = Site::with_server(ALERTS, script).await;
    site.write("access", &[&approved("a@example.org")]);
    expect(&next_day(&site, "notify").await, Failed, "the mail server cannot be used");
    assert_eq!(alerts(&site).await, 1);
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_named() {
    let script = |command: &str| (command == GREETING).then_some("421 not now");
    let site = Site::with_server(ALERTS, script).await;
    site.write("access", &[&approved("a@example.org")]);
    let occasion = next_day(&site, "notify").await;
    expect(&occasion, Waiting, "a service could not be reached: the mail server 127.0.0.1:");
    assert!(!occasion.summary.unwrap().contains('@'));
}

#[tokio::test]
async fn what_the_mail_server_takes_a_little_late_is_marked_a_little_later_and_not_on_the_next_occasion() {
    let refusals = Arc::new(AtomicU32::new(0));
    let refused = Arc::clone(&refusals);
    let script = move |command: &str| {
        let is_first = command.starts_with("RCPT") && refused.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then_some("451 4.7.1 greylisted")
    };
    let reminder =
        "[reminder]\nto = [\"approvers@example.org\"]\n[schedule]\nremind = { cron = \"0 9 * * *\" }\n";
    let site = Site::with_server(reminder, script).await;
    let mut waiting = approved("a@example.org");
    (waiting[0], waiting[3]) = ("", "3/1/2018 12:00:00");
    site.write("access", &[&waiting]);
    expect(&next_day(&site, "remind").await, Waiting, "mail waits to be sent");
    site.app.clock.advance(SignedDuration::from_mins(1));
    look(&site, "remind").await;
    let occasion = last(&site, "remind").await;
    assert_eq!((occasion.state, occasion.attempts), (Done, 2), "{occasion:?}");
    assert_eq!(site.column("access", 2), ["17 Mar 2018 12:01:00"]);
    assert_eq!(site.mails().len(), 1);
}

#[tokio::test]
async fn what_people_typed_is_not_kept_with_an_occasion_and_its_lines_go_with_time() {
    let site = Site::new("").await;
    let mut bad = approved("a@example.org");
    bad[3] = "on Ann's birthday";
    site.write("access", &[&bad]);
    let shown = crate::notify::run(&site.app, true).await.unwrap().notices;
    assert!(shown[0].contains("on Ann's birthday"), "{shown:?}");
    let occasion = next_day(&site, "notify").await;
    assert_eq!(
        occasion.details,
        ["access sheet, row 2, column D: the row cannot be used; a dry run tells why"],
        "{occasion:?}"
    );
    let forget = async |before: Timestamp| site.app.database.forget_occasions(before).await.unwrap();
    forget(occasion.due).await;
    assert_eq!(last(&site, "notify").await, occasion, "it is not old yet");
    site.pass(1);
    forget(site.app.clock.now()).await;
    assert_eq!(last(&site, "notify").await, OccasionRecord { details: Vec::new(), ..occasion });
}

#[tokio::test]
async fn a_row_that_somebody_has_to_correct_is_no_failure_of_the_job() {
    let script = |command: &str| command.starts_with("RCPT").then_some("550 no such user");
    let site = Site::with_server(ALERTS, script).await;
    site.write("access", &[&approved("a@example.org")]);
    expect(&next_day(&site, "notify").await, Partly, "1 mail refused");
    assert_eq!(alerts(&site).await, 0);
}

#[tokio::test]
async fn a_run_that_another_process_makes_is_waited_for_and_told_for_what_it_is() {
    let site = Site::new(ALERTS).await;
    site.write("access", &[&approved("a@example.org")]);
    look(&site, "notify").await;
    site.pass(1);
    let leases = &site.app.leases;
    leases.take("notify", "another process", &Stop::default()).await.unwrap().unwrap();
    look(&site, "notify").await;
    let occasion = last(&site, "notify").await;
    expect(&occasion, Waiting, "another notify is running: another process, since 2018-03-16 13:00:00 EDT");
    assert_eq!(occasion.attempts, 0);
    leases.release("notify", "another process").await.unwrap();
    site.app.clock.advance(SignedDuration::from_mins(1));
    look(&site, "notify").await;
    assert_eq!(last(&site, "notify").await.state, Done);
    assert_eq!((alerts(&site).await, site.mails().len()), (0, 1));
}

#[tokio::test]
async fn the_secrets_of_a_link_that_has_ended_are_destroyed_by_the_job() {
    let site = Site::new("").await;
    let setpass = &site.app.setpass;
    let (password, pin) = (SecretString::from("a random one"), SecretString::from("4821"));
    let registration =
        Registration { user_id: "u-1", password: Some(&password), pin: Some(Pin::Clear(&pin)) };
    let mut transaction = setpass.begin().await.unwrap();
    setpass.register(&mut transaction, registration).await.unwrap();
    transaction.commit().await.unwrap();
    let none = Swept { destroyed: 0, forgotten: 0 };
    assert_eq!(setpass.count_sweepable().await.unwrap(), none, "it has not ended");
    expect(&next_day(&site, "expire-tokens").await, Done, "secrets of 1 links destroyed");
    assert_eq!(setpass.count_sweepable().await.unwrap(), none);
}

#[test]
fn a_limit_that_cannot_be_put_back_is_told_at_once_and_so_is_an_unusable_mail_server() {
    let failed = quota_terms::Failed { project: "Genomics".to_owned(), reason: "forbidden".to_owned() };
    let limits = quota_terms::Report { failed: vec![failed], ..quota_terms::Report::default() };
    let server = quota_terms::Report { mail_server_unusable: true, ..quota_terms::Report::default() };
    for (report, words) in [(limits, "Genomics: forbidden"), (server, "the mail server cannot be used")] {
        let failure = jobs::expire_quotas::told(&Ok(report)).unwrap_err();
        assert!(!failure.is_passing() && failure.reason.contains(words), "{failure:?}");
    }
    let why = Some("the mail server mail.example.org:25 does not offer STARTTLS".to_owned());
    let named = quota_terms::Report {
        mail_server_unusable: true,
        mail_server: why,
        ..quota_terms::Report::default()
    };
    let failure = jobs::expire_quotas::told(&Ok(named)).unwrap_err();
    assert!(failure.reason.contains("mail.example.org:25"), "{failure:?}");
    let away = quota_terms::Report { unreachable: true, ..quota_terms::Report::default() };
    assert!(jobs::expire_quotas::told(&Ok(away)).unwrap_err().is_passing());
}

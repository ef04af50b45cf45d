//! One mail for one origin, whatever fails and whoever dies.

mod claims;
mod refused;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use tempfile::TempDir;

use super::sending::after;
use super::*;
use crate::database::MailTraffic;
use crate::mailer::peer::{self, CONTENT, CUT, Peer};

const SECRET: &str = "https://setpass.example.org/?token=verysecret";

pub(crate) struct Site {
    directory: TempDir,
    clock: Clock,
    database: Database,
    keys: Keys,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("usher.db")).await.unwrap();
        let key_file = directory.path().join("usher.key");
        Keys::create(&key_file, Timestamp::UNIX_EPOCH).unwrap();
        let keys = Keys::load(&key_file).unwrap();
        let clock = Clock::manual("2026-03-14T15:48:48Z".parse().unwrap());
        Self { directory, clock, database, keys }
    }

    pub(crate) fn outbox(&self, settings: settings::mail::Mail) -> Outbox {
        let settings = settings::mail::Mail { undeliverable: self.undeliverable(), ..settings };
        let mailer = Mailer::new(&settings).unwrap();
        Outbox::new(self.database.clone(), self.keys.clone(), self.clock.clone(), mailer, &settings)
    }

    fn undeliverable(&self) -> PathBuf {
        self.directory.path().join("undeliverable")
    }

    fn kept(&self) -> Vec<PathBuf> {
        match std::fs::read_dir(self.undeliverable()) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Has whatever is written to the outbox fail from now on.
    async fn break_records(&self) {
        let breaks = "CREATE TABLE failure (id INTEGER PRIMARY KEY); \
            CREATE TRIGGER broken BEFORE UPDATE ON outbox BEGIN \
            INSERT INTO failure (id) VALUES (NULL); SELECT RAISE(FAIL, 'the disk is full'); END";
        sqlx::raw_sql(breaks).execute(&self.connect().await).await.unwrap();
    }

    async fn mend_records(&self) {
        let mends = "DROP TRIGGER broken; DROP TABLE failure";
        sqlx::raw_sql(mends).execute(&self.connect().await).await.unwrap();
    }

    /// How often something failed since the records were broken.
    async fn failures(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM failure").fetch_one(&self.connect().await).await.unwrap()
    }

    async fn connect(&self) -> sqlx::SqlitePool {
        let file = self.directory.path().join("usher.db");
        sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(file))
            .await
            .unwrap()
    }

    /// Everything that the database has on the disk.
    async fn database_bytes(&self) -> Vec<u8> {
        self.database.close().await;
        std::fs::read(self.directory.path().join("usher.db")).unwrap()
    }
}

fn to(recipient: &str) -> Compose {
    let message = Message {
        sender: None,
        cc: Vec::new(),
        subject: "Your password".to_owned(),
        text: format!("Hello,\n{SECRET}\n"),
        html: None,
    };
    Compose { to: vec![recipient.to_owned()], message, link: None }
}

fn link(ends: Timestamp) -> MailedLink {
    MailedLink { user_id: "u1".to_owned(), ends }
}

pub(crate) async fn record(site: &Site, outbox: &Outbox, origin: &str, recipient: &str) -> Enqueued {
    let mut transaction = site.database.begin().await.unwrap();
    let enqueued = outbox.enqueue(&mut transaction, origin, "password", &to(recipient)).await.unwrap();
    transaction.commit().await.unwrap();
    enqueued
}

fn message_ids(peer: &Peer) -> Vec<String> {
    let id = |mail: &String| {
        mail.lines().find(|line| line.starts_with("Message-ID: ")).map(str::to_owned).unwrap()
    };
    peer.seen().mails.iter().map(id).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_mail_is_sent_once_in_the_order_of_recording_and_then_wiped() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let outbox = site.outbox(peer.settings());
    assert_eq!(record(&site, &outbox, "request:2:welcome", "b@example.org").await, Enqueued::Queued);
    assert_eq!(record(&site, &outbox, "request:1:welcome", "a@example.org").await, Enqueued::Queued);
    assert_eq!(record(&site, &outbox, "request:2:welcome", "b@example.org").await, Enqueued::Already);
    assert_eq!(outbox.pending().await.unwrap()[0].to, ["b@example.org"]);

    let deliveries = outbox.deliver_due().await.unwrap();
    assert!(deliveries.iter().all(|delivery| matches!(delivery.outcome, DeliveryOutcome::Sent { .. })));
    assert_eq!(
        deliveries.iter().map(|delivery| delivery.to[0].as_str()).collect::<Vec<_>>(),
        ["b@example.org", "a@example.org"]
    );
    assert_eq!(record(&site, &outbox, "request:2:welcome", "b@example.org").await, Enqueued::Already);
    assert!(outbox.deliver_due().await.unwrap().is_empty());
    assert!(outbox.pending().await.unwrap().is_empty());
    assert_eq!(peer.counts(), (1, 2));
    assert!(peer.seen().mails[0].contains("Date: Sat, 14 Mar 2026 15:48:48 +0000"));
}

#[tokio::test]
async fn what_is_not_committed_is_not_sent() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let outbox = site.outbox(peer.settings());
    let mut transaction = site.database.begin().await.unwrap();
    outbox.enqueue(&mut transaction, "a", "password", &to("a@example.org")).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(outbox.deliver_due().await.unwrap().is_empty());
    assert!(peer.seen().mails.is_empty());
}

#[tokio::test]
async fn what_is_no_mail_is_refused_before_it_is_recorded() {
    let site = Site::new().await;
    let outbox = site.outbox(peer::settings(25));
    let mut transaction = site.database.begin().await.unwrap();
    let mut headers = to("a@example.org");
    headers.message.subject = "a\nBcc: b@example.org".to_owned();
    for (origin, compose) in [("a", to("nobody")), ("b", headers)] {
        let refused = outbox.enqueue(&mut transaction, origin, "password", &compose).await;
        assert!(matches!(refused, Err(OutboxError::Mailer(_))), "{refused:?}");
    }
    transaction.commit().await.unwrap();
    assert!(outbox.pending().await.unwrap().is_empty());
}

#[tokio::test]
async fn mail_lies_sealed() {
    let site = Site::new().await;
    let outbox = site.outbox(peer::settings(25));
    record(&site, &outbox, "request:1:password", "user@example.org").await;
    let bytes = site.database_bytes().await;
    assert!(contains(&bytes, "request:1:password"), "this looks at the right bytes");
    assert!(!contains(&bytes, "verysecret") && !contains(&bytes, "user@example.org"));
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_later_and_later_with_the_same_message_id() {
    let site = Site::new().await;
    let busy = Arc::new(AtomicBool::new(true));
    let peer = Peer::start({
        let busy = Arc::clone(&busy);
        move |command| (command.starts_with("RCPT") && busy.load(Ordering::SeqCst)).then_some("451 later")
    })
    .await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    for least in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
        let deliveries = outbox.deliver_due().await.unwrap();
        let DeliveryOutcome::Later { at, error } = &deliveries[0].outcome else {
            panic!("{deliveries:?}");
        };
        assert!(!error.concerns_server());
        let wait = at.duration_since(site.clock.now());
        assert!((least..=least * 5 / 4).contains(&wait.as_secs()), "{least}: {wait}");
        assert!(outbox.deliver_due().await.unwrap().is_empty(), "not before its time");
        site.clock.advance(wait);
    }
    assert_eq!(outbox.pending().await.unwrap()[0].attempts, 9);
    busy.store(false, Ordering::SeqCst);
    assert!(matches!(outbox.deliver_due().await.unwrap()[0].outcome, DeliveryOutcome::Sent { .. }));
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_asked_once() {
    let site = Site::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outbox = site.outbox(peer::settings(port));
    for origin in ["a", "b", "c"] {
        record(&site, &outbox, origin, "a@example.org").await;
    }
    let deliveries = outbox.deliver_due().await.unwrap();
    assert_eq!(deliveries.len(), 1);
    let pending = outbox.pending().await.unwrap();
    assert_eq!(pending.iter().map(|mail| mail.attempts).collect::<Vec<_>>(), [1, 0, 0]);
    assert!(pending[0].last_error.as_ref().unwrap().contains("cannot connect"));
    assert!(site.kept().is_empty());
}

#[tokio::test]
async fn how_much_waits_since_when_and_why_can_be_told() {
    let site = Site::new().await;
    let unusable = Arc::new(AtomicBool::new(false));
    let away = Arc::clone(&unusable);
    let peer = Peer::start(move |command| {
        (command.starts_with("MAIL") && away.load(Ordering::SeqCst)).then_some("421 going away")
    })
    .await;
    let outbox = site.outbox(peer.settings());
    let traffic = site.database.mail_traffic().await.unwrap();
    assert_eq!(traffic, MailTraffic { waiting: 0, since: None, error: None, last_sent: None });
    record(&site, &outbox, "a", "a@example.org").await;
    let sent = site.clock.now();
    outbox.deliver_due().await.unwrap();
    site.clock.advance(SignedDuration::from_mins(1));
    unusable.store(true, Ordering::SeqCst);
    let since = site.clock.now();
    for origin in ["b", "c"] {
        record(&site, &outbox, origin, "a@example.org").await;
        site.clock.advance(SignedDuration::from_mins(1));
    }
    outbox.deliver_due().await.unwrap();
    let traffic = site.database.mail_traffic().await.unwrap();
    assert_eq!((traffic.waiting, traffic.since, traffic.last_sent), (2, Some(since), Some(sent)));
    assert!(traffic.error.as_ref().unwrap().contains("421 going away"), "{traffic:?}");
}

#[tokio::test]
async fn a_wrong_setting_costs_no_mail() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let starttls = settings::mail::Mail { security: settings::mail::Security::Starttls, ..peer.settings() };
    let outbox = site.outbox(starttls);
    record(&site, &outbox, "a", "a@example.org").await;
    let deliveries = outbox.deliver_due().await.unwrap();
    assert!(matches!(deliveries[0].outcome, DeliveryOutcome::Later { .. }), "{deliveries:?}");
    let mended = site.outbox(peer.settings());
    site.clock.advance(SignedDuration::from_mins(1));
    assert!(matches!(mended.deliver_due().await.unwrap()[0].outcome, DeliveryOutcome::Sent { .. }));
}

#[tokio::test]
async fn processes_at_the_same_time_send_each_mail_once() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let first = site.outbox(peer.settings());
    for number in 0..20 {
        record(&site, &first, &format!("request:{number}"), "a@example.org").await;
    }
    let second = site.outbox(peer.settings());
    let third = site.outbox(peer.settings());
    let (one, two, three) = tokio::join!(first.deliver_due(), second.deliver_due(), third.deliver_due());
    assert_eq!(one.unwrap().len() + two.unwrap().len() + three.unwrap().len(), 20);
    let ids: std::collections::BTreeSet<_> = message_ids(&peer).into_iter().collect();
    assert_eq!((peer.counts().1, ids.len()), (20, 20));
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_sends_again_under_the_same_message_id() {
    let site = Site::new().await;
    let fragile = Arc::new(AtomicBool::new(true));
    let peer = Peer::start({
        let fragile = Arc::clone(&fragile);
        move |command| (command == CONTENT && fragile.swap(false, Ordering::SeqCst)).then_some(CUT)
    })
    .await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    let recorded = outbox
        .open(site.database.mails_in(&[MailState::Queued]).await.unwrap()[0].payload.as_ref().unwrap())
        .unwrap();
    assert!(matches!(outbox.deliver_due().await.unwrap()[0].outcome, DeliveryOutcome::Later { .. }));
    site.clock.advance(SignedDuration::from_mins(1));
    assert!(matches!(outbox.deliver_due().await.unwrap()[0].outcome, DeliveryOutcome::Sent { .. }));
    assert_eq!(message_ids(&peer), [format!("Message-ID: {}", recorded.message_id)]);
}

#[tokio::test]
async fn without_its_key_a_mail_waits() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    record(&site, &site.outbox(peer.settings()), "a", "a@example.org").await;
    let other_file = site.directory.path().join("other.key");
    Keys::create(&other_file, Timestamp::UNIX_EPOCH).unwrap();
    let with_other_key = Site { keys: Keys::load(&other_file).unwrap(), ..site };
    let deliveries = with_other_key.outbox(peer.settings()).deliver_due().await.unwrap();
    let DeliveryOutcome::Later { error: OutboxError::Keys(_), .. } = &deliveries[0].outcome else {
        panic!("{deliveries:?}");
    };
    assert!(peer.seen().mails.is_empty());
}

#[tokio::test]
async fn mails_with_a_link_that_was_replaced_are_not_sent_any_more() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.contains("<bad@").then_some("550 unknown")).await;
    let outbox = site.outbox(peer.settings());
    let end = after(site.clock.now(), SignedDuration::from_hours(24));
    let other = MailedLink { user_id: "u2".to_owned(), ends: end };
    let mails =
        [("refused", "bad@example.org", Some(link(end))), ("waits", "good@example.org", Some(link(end)))];
    for (origin, recipient, link) in mails.into_iter().chain([
        ("another user's", "good@example.org", Some(other)),
        ("without a link", "good@example.org", None),
    ]) {
        let mut transaction = site.database.begin().await.unwrap();
        let mail = Compose { link, ..to(recipient) };
        outbox.enqueue(&mut transaction, origin, "password", &mail).await.unwrap();
        transaction.commit().await.unwrap();
        if origin == "refused" {
            outbox.deliver_due().await.unwrap();
        }
    }
    let mut transaction = site.database.begin().await.unwrap();
    crate::database::drop_mails_with_link_of(&mut transaction, "u1", site.clock.now()).await.unwrap();
    transaction.commit().await.unwrap();
    let states: Vec<_> = outbox.mails(true).await.unwrap().iter().map(|mail| mail.state).collect();
    assert_eq!(states, ["dropped", "dropped", "queued", "queued"]);
    assert_eq!(outbox.deliver_due().await.unwrap().len(), 2);
}

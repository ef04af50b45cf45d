//! The bundled job: reads the worksheet of finished requests and mails a digest of it, once for a day.

use std::fs;

use jiff::Timestamp;
use usher::clock::Clock;
use usher::database::Database;
use usher::keys::Keys;
use usher::mailer::Mailer;
use usher::outbox::Outbox;
use usher::plugin::{Capabilities, JobError, Occasion, PluginHost};
use usher::settings::plugins::Grant;
use usher::sheet::Sheets;

use crate::fixture::configured;
use crate::job::settings;

#[tokio::test]
async fn the_digest_of_a_day_is_mailed_once_and_its_report_names_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), 9);
    let done = "A,Notified,C,D,E-mail,First,Last,Account?,Organization,J,K,L,M,N,O,New project\n\
                Approved,14 Mar 2018 15:48:48,,,user@example.org,New,User,No,Society,,,,,,,Genomics\n\
                Approved,14 Feb 2018 15:48:48,,,early@example.org,New,User,No,Society,,,,,,,Genomics\n";
    fs::write(folder.path().join("access/Current Users.csv"), done).unwrap();
    let clock = Clock::manual("2018-03-16T12:00:00Z".parse::<Timestamp>().unwrap());
    Keys::create(&settings.database.key_file, clock.now()).unwrap();
    let keys = Keys::load(&settings.database.key_file).unwrap();
    let database = Database::open(&settings.database.file).await.unwrap();
    let mailer = Mailer::new(&settings.mail).unwrap();
    let outbox = Outbox::new(database.clone(), keys, clock, mailer, &settings.mail);
    let capabilities = Capabilities {
        outbox: Some((outbox.clone(), database.clone())),
        sheets: vec![Sheets::new(&settings.sheet).access],
        ..Capabilities::default()
    };
    let host = PluginHost::new(&settings.plugins, capabilities).unwrap();
    let load = async |text: &str| {
        host.job(&configured("weekly-digest", &[Grant::Sheet, Grant::Mail], text)).await.unwrap()
    };
    let occasion =
        |dry_run| Occasion { time: "2018-03-16T08:00:00[America/New_York]".parse().unwrap(), dry_run };
    let job = load("to = [\"admins@example.org\", \"head@example.org\"]").await;
    let dry = job.run(&occasion(true)).await.unwrap();
    assert_eq!(dry.summary, "would mail a digest of 1 person to 2 admins");
    assert!(outbox.pending().await.unwrap().is_empty());
    for _ in 0..2 {
        let report = job.run(&occasion(false)).await.unwrap();
        assert_eq!(report.summary, "a digest of 1 person to 2 admins");
        assert!(!format!("{report:?}").contains('@'), "{report:?}");
        let pending = outbox.pending().await.unwrap();
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0].to, ["admins@example.org", "head@example.org"]);
    }
    let error = load("to = \"admins@example.org\"\nworksheet = \"Users\"")
        .await
        .run(&occasion(false))
        .await
        .unwrap_err();
    assert!(matches!(&error, JobError::Final { reason, .. } if reason.contains("Current Users")), "{error}");
    database.close().await;
}

//! The jobs that come along, one in Rust and one in JavaScript: each reads a worksheet and mails, once for a day.

use std::fs;

use jiff::Timestamp;
use usher::clock::Clock;
use usher::database::Database;
use usher::keys::Keys;
use usher::mailer::Mailer;
use usher::outbox::Outbox;
use usher::plugin::{Capabilities, Job, JobError, Occasion, PluginHost};
use usher::settings::plugins::Grant;
use usher::sheet::Sheets;
use usher::stop::Stop;

use crate::fixture::configured;
use crate::job::settings;

/// A site with one worksheet, and the host that its jobs run in.
struct Site {
    folder: tempfile::TempDir,
    database: Database,
    outbox: Outbox,
    host: PluginHost,
}

impl Site {
    async fn new(worksheet: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 9);
        fs::write(folder.path().join("access").join(format!("{worksheet}.csv")), text).unwrap();
        let clock = Clock::manual("2018-03-16T12:00:00Z".parse::<Timestamp>().unwrap());
        Keys::create(&settings.database.key_file, clock.now()).unwrap();
        let keys = Keys::load(&settings.database.key_file).unwrap();
        let database = Database::open(&settings.database.file).await.unwrap();
        let mailer = Mailer::new(&settings.mail).unwrap();
        let outbox = Outbox::new(database.clone(), keys, clock, mailer, &settings.mail);
        let capabilities = Capabilities {
            outbox: Some((outbox.clone(), database.clone())),
            sheets: Sheets::new(settings.sheet.as_ref()).iter().cloned().collect(),
            ..Capabilities::default()
        };
        let host = PluginHost::new(&settings.plugins, capabilities).unwrap();
        Self { folder, database, outbox, host }
    }

    async fn job(&self, name: &str, settings: &str) -> Job {
        self.host.job(name, &configured(name, &[Grant::Sheet, Grant::Mail], settings)).await.unwrap()
    }

    /// What the job says of a dry run, and of two runs, of which the first one mails.
    async fn play(&self, job: &Job) -> (String, Vec<String>) {
        let dry = job.run(&occasion(true)).await.unwrap();
        assert!(self.outbox.pending().await.unwrap().is_empty(), "a dry run mails nothing");
        let mut said = Vec::new();
        for _ in 0..2 {
            let report = job.run(&occasion(false)).await.unwrap();
            assert!(!format!("{report:?}").contains('@'), "{report:?}");
            let pending = self.outbox.pending().await.unwrap();
            assert_eq!(pending.len(), 1);
            assert_eq!(pending[0].to, ["admins@example.org", "head@example.org"]);
            said.push(report.summary);
        }
        (dry.summary, said)
    }
}

fn occasion(dry_run: bool) -> Occasion {
    Occasion {
        time: "2018-03-16T08:00:00[America/New_York]".parse().unwrap(),
        dry_run,
        stop: Stop::default(),
    }
}

const TO: &str = "to = [\"admins@example.org\", \"head@example.org\"]\n";

#[tokio::test]
async fn the_weekly_digest_names_who_was_admitted() {
    let done = "A,Notified,C,D,E-mail,First,Last,Account?,Organization,J,K,L,M,N,O,New project\n\
                Approved,14 Mar 2018 15:48:48,,,user@example.org,New,User,No,Society,,,,,,,Genomics\n\
                Approved,14 Feb 2018 15:48:48,,,early@example.org,New,User,No,Society,,,,,,,Genomics\n";
    let site = Site::new("Current Users", done).await;
    let job = site.job("weekly-digest", TO).await;
    let error = job.run(&occasion(false)).await.unwrap_err();
    assert!(
        matches!(&error, JobError::Final { reason, .. } if reason.contains("with the header Digest, Request")),
        "{error}"
    );
    let memory = site.folder.path().join("access/Weekly Digest.csv");
    fs::write(&memory, "Digest,Request\n").unwrap();
    let (dry, said) = site.play(&job).await;
    assert_eq!(dry, "would mail a digest of 1 person to 2 admins");
    assert_eq!(
        said,
        ["a digest of 1 person to 2 admins", "nobody was admitted since the last digest; no mail"]
    );
    let remembered = fs::read_to_string(&memory).unwrap();
    let lines: Vec<&str> = remembered.lines().map(|line| line.rsplit_once(',').unwrap().1.trim()).collect();
    assert_eq!(lines, ["Request", "early@example.org", "", "user@example.org", "mailed"], "{remembered}");
    let job = site.job("weekly-digest", &format!("{TO}worksheet = \"Users\"")).await;
    let error = job.run(&occasion(false)).await.unwrap_err();
    assert!(matches!(&error, JobError::Final { reason, .. } if reason.contains("Current Users")), "{error}");
    site.database.close().await;
}

#[tokio::test]
async fn a_job_in_javascript_reads_the_sheet_and_mails() {
    let requests = "Approved,E-mail\n,a@example.org\nApproved,b@example.org\n,c@example.org\n";
    let site = Site::new("Form Responses 1", requests).await;
    let job = site.job("backlog-watch", &format!("{TO}more_than = 1")).await;
    let (dry, said) = site.play(&job).await;
    assert_eq!(dry, "2 of 3 requests wait for a decision; would be mailed to 2");
    assert_eq!(said, ["2 of 3 requests wait for a decision; mailed to 2"; 2]);

    let failed = async |settings: &str| {
        site.job("backlog-watch", settings).await.run(&occasion(false)).await.unwrap_err()
    };
    let error = failed(&format!("{TO}worksheet = \"Answers\"")).await;
    assert!(
        matches!(&error, JobError::Final { reason, .. } if reason.contains("Form Responses 1")),
        "{error}"
    );
    let error = failed("more_than = 1").await;
    assert!(error.to_string().contains("`to` has to name"), "{error}");
    // What cannot be read now may be read later.
    fs::remove_dir_all(site.folder.path().join("access")).unwrap();
    let error = failed(TO).await;
    assert!(error.is_passing(), "{error}");
    site.database.close().await;
}

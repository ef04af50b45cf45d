//! A component that calls every function of the host, against the host's real clients.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::SecretString;
use usher::clock::Clock;
use usher::database::Database;
use usher::keys::Keys;
use usher::keystone::Keystone;
use usher::links::Links;
use usher::mailer::Mailer;
use usher::outbox::Outbox;
use usher::plugin::{Capabilities, Job, JobError, JobReport, Occasion, PluginError, PluginHost};
use usher::setpass::{Pin, Registration, Setpass};
use usher::settings::Settings;
use usher::settings::plugins::{Grant, Limits, Plugin};
use usher::sheet::Sheets;
use usher::stop::Stop;

use crate::fixture::{cache, component, configured, host};

const USER: &str = "user@example.org";
const SHEET: &str = "E-mail,Mark\nuser@example.org,\n";

/// A site in a folder: everything but Keystone, which stands at the given port.
pub fn settings(folder: &Path, keystone_port: u16) -> Settings {
    fs::create_dir_all(folder.join("access")).unwrap();
    fs::write(folder.join("access/Requests.csv"), SHEET).unwrap();
    fs::write(folder.join("password"), "not used").unwrap();
    let text = format!(
        r#"
        site = {{ name = "Example", support_email = "support@example.org" }}
        database = {{ file = "usher.sqlite", key_file = "usher.keys" }}
        sheet = {{ backend = "csv", access = "access" }}
        setpass = {{ public_url = "https://setpass.example.org/" }}
        [keystone.auth]
        method = "password"
        url = "http://127.0.0.1:{keystone_port}/v3"
        username = "usher"
        password = {{ file = "password" }}
        project = "admin"
        [mail]
        host = "127.0.0.1"
        security = "plain"
        sender = "noreply@example.org"
        helpdesk = "helpdesk@example.org"
        undeliverable = "undeliverable"
        [plugins]
        cache = {cache:?}
        row_parser = {{ component = {rows:?} }}
        quota_policy = {{ component = {rows:?} }}
        mail_templates = {{ component = {rows:?} }}
        "#,
        cache = cache(),
        rows = component("hostile-rows"),
    );
    Settings::parse(&text, &folder.join("settings.toml")).unwrap()
}

fn job(settings: &str) -> Plugin {
    let common = format!(
        "user = \"{USER}\"\nproject = \"shared\"\nworksheet = \"Requests\"\nrecipient = \"second@example.org\"\n"
    );
    configured("busy-job", &Grant::ALL, &format!("{common}{settings}"))
}

fn occasion() -> Occasion {
    let time = "2026-03-01T07:30:15[Europe/Berlin]".parse().unwrap();
    Occasion { time, dry_run: false, stop: Stop::default() }
}

fn answer<'a>(report: &'a JobReport, function: &str) -> &'a str {
    let prefix = format!("{function}: ");
    let line = report.details.iter().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("nothing about {function} in {report:#?}"))
}

#[tokio::test]
async fn every_interface_reaches_the_client_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut settings = settings(folder.path(), closed);
    settings.keystone.retries = 0;
    let clock = Clock::manual("2026-03-01T06:30:00Z".parse::<Timestamp>().unwrap());
    Keys::create(&settings.database.key_file, clock.now()).unwrap();
    let keys = Keys::load(&settings.database.key_file).unwrap();
    let database = Database::open(&settings.database.file).await.unwrap();
    let mailer = Mailer::new(&settings.mail).unwrap();
    let outbox = Outbox::new(database.clone(), keys.clone(), clock.clone(), mailer, &settings.mail);
    let setpass = Setpass::new(database.clone(), keys, clock.clone(), &settings.setpass, &settings.site.name);
    let (password, pin) = (SecretString::from("initial"), SecretString::from("7359"));
    let mut transaction = database.begin().await.unwrap();
    let registration = Registration { user_id: USER, password: Some(&password), pin: Some(Pin::Clear(&pin)) };
    setpass.register(&mut transaction, registration).await.unwrap();
    transaction.commit().await.unwrap();

    let capabilities = Capabilities {
        keystone: Some(Keystone::new(&settings.keystone, clock).unwrap()),
        outbox: Some((outbox.clone(), database.clone())),
        sheets: Sheets::new(settings.sheet.as_ref()).iter().cloned().collect(),
        links: Some(Links::Here(setpass)),
    };
    let host = PluginHost::new(&settings.plugins, capabilities).unwrap();
    let report = host.job("busy", &job("")).await.unwrap().run(&occasion()).await.unwrap();

    assert_eq!(report.summary, "called everything");
    assert_eq!(
        report.details[0],
        "Occasion { time: LocalTime { year: 2026, month: 3, day: 1, hour: 7, minute: 30, second: 15 }, \
         unix-seconds: 1772346615, dry-run: false }"
    );
    for function in [
        "find-user",
        "find-project",
        "roles-of-user",
        "roles-on-project",
        "create-user",
        "create-project",
        "grant-role",
        "revoke-role",
        "set-user-enabled",
    ] {
        let answer = answer(&report, function);
        assert!(
            answer.starts_with("Err(Error::Unavailable(\"Keystone cannot be reached"),
            "{function}: {answer}"
        );
    }
    assert_eq!((answer(&report, "send"), answer(&report, "send again")), ("Ok(())", "Ok(())"));
    assert!(answer(&report, "send to nobody").starts_with("Err(Error::InvalidAddress("));
    assert!(answer(&report, "send a header").starts_with("Err(Error::InvalidSubject("));
    let pending = outbox.pending().await.unwrap();
    let origins: Vec<_> = pending.iter().map(|mail| (mail.origin.as_str(), mail.to.as_slice())).collect();
    assert_eq!(origins, [("plugin:busy:greeting", ["second@example.org".to_owned()].as_slice())]);

    assert!(answer(&report, "read").contains("user@example.org"));
    assert_eq!(answer(&report, "mark"), "Ok(())");
    assert!(
        answer(&report, "mark again").starts_with("Err(Error::Changed("),
        "the row is not as it was read"
    );
    assert_eq!(answer(&report, "append"), "Ok(())");
    let sheet = fs::read_to_string(folder.path().join("access/Requests.csv")).unwrap();
    assert_eq!(sheet, "E-mail,Mark\nuser@example.org,marked\n=1+1,last\n");
    let absent = answer(&report, "read nothing");
    assert!(absent.starts_with("Err(Error::NoSuchWorksheet(") && absent.contains("Requests"), "{absent}");

    assert_eq!(answer(&report, "renew"), "Ok(true)");
    assert!(answer(&report, "renew unknown").starts_with("Err(Error::UnknownUser("));

    // What waits already would not be mailed again.
    let dry_run = Occasion { dry_run: true, ..occasion() };
    let report = host.job("busy", &job("")).await.unwrap().run(&dry_run).await.unwrap();
    assert_eq!(answer(&report, "send"), "Ok(())");
    assert!(report.details.iter().all(|line| !line.starts_with("would mail")), "{report:#?}");
    assert_eq!(outbox.pending().await.unwrap().len(), 1);
    database.close().await;
}

#[tokio::test]
async fn without_services_every_interface_is_unavailable() {
    let job = host(Limits::default()).job("busy", &job("")).await.unwrap();
    let report = job.run(&occasion()).await.unwrap();
    let unavailable = report
        .details
        .iter()
        .filter(|line| line.contains("Unavailable(\"this service is not connected here\")"));
    assert_eq!(unavailable.count(), report.details.len() - 1, "{report:#?}");
}

/// The job asks for everything, also in a dry run. No service is connected that could do any of it, as in `usher doctor`.
#[tokio::test]
async fn in_a_dry_run_mail_is_told_and_nothing_is_changed_whatever_the_job_does() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), 9);
    let sheets = Sheets::new(settings.sheet.as_ref()).iter().cloned().collect();
    let host =
        PluginHost::new(&settings.plugins, Capabilities { sheets, ..Capabilities::default() }).unwrap();
    let job = host.job("busy", &job("")).await.unwrap();
    let report = job.run(&Occasion { dry_run: true, ..occasion() }).await.unwrap();
    assert_eq!((answer(&report, "send"), answer(&report, "send again")), ("Ok(())", "Ok(())"));
    assert!(answer(&report, "send to nobody").starts_with("Err(Error::InvalidAddress("));
    assert!(answer(&report, "send a header").starts_with("Err(Error::InvalidSubject("));
    let would_mail = |report: &JobReport| {
        let lines = report.details.iter().filter(|line| line.starts_with("would mail"));
        lines.cloned().collect::<Vec<_>>()
    };
    assert_eq!(would_mail(&report), ["would mail \"From a job\" to second@example.org"]);
    assert!(answer(&report, "read").contains("user@example.org"));
    for function in
        ["create-user", "grant-role", "revoke-role", "set-user-enabled", "mark", "append", "renew"]
    {
        let answer = answer(&report, function);
        assert!(answer.contains("nothing is changed in a dry run"), "{function}: {answer}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("access/Requests.csv")).unwrap(), SHEET);
    // The next run is none.
    let report = job.run(&occasion()).await.unwrap();
    assert_eq!(answer(&report, "append"), "Ok(())");
    assert!(would_mail(&report).is_empty());
}

#[tokio::test]
async fn waiting_for_a_service_counts_towards_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    // It accepts connections, as the kernel does that for it, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = settings(folder.path(), silent.local_addr().unwrap().port());
    let keystone = Keystone::new(&settings.keystone, Clock::system()).unwrap();
    let limits = Limits { deadline: Duration::from_millis(300), ..Limits::default() };
    let plugin = Plugin { limits: Some(limits), ..job("") };
    let capabilities = Capabilities { keystone: Some(keystone), ..Capabilities::default() };
    let host = PluginHost::new(&settings.plugins, capabilities).unwrap();
    let job: Job = host.job("busy", &plugin).await.unwrap();
    let started = Instant::now();
    let error = job.run(&occasion()).await.unwrap_err();
    assert!(matches!(error, JobError::Plugin(PluginError::Deadline { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// What it has asked for is done to its end; it asks for nothing more.
#[tokio::test]
async fn a_job_that_is_asked_to_end_ends_with_its_next_call_to_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let keystone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(folder.path(), keystone.local_addr().unwrap().port());
    settings.keystone.retries = 0;
    let client = Keystone::new(&settings.keystone, Clock::system()).unwrap();
    let capabilities = Capabilities { keystone: Some(client), ..Capabilities::default() };
    let host = PluginHost::new(&settings.plugins, capabilities).unwrap();
    let job = host.job("busy", &job("")).await.unwrap();
    let occasion = occasion();
    let ends = job.run(&occasion);
    let mut connections = 0;
    let keystone_fails = async {
        loop {
            // Nobody is answered before the job is asked to end.
            let (connection, _) = keystone.accept().await.unwrap();
            connections += 1;
            occasion.stop.ask();
            drop(connection);
        }
    };
    let error = tokio::select! {
        ended = ends => ended.unwrap_err(),
        () = keystone_fails => unreachable!("it never ends"),
    };
    assert!(matches!(error, JobError::Plugin(PluginError::Interrupted { .. })), "{error}");
    assert!(error.is_passing());
    assert_eq!(connections, 1, "it went on asking");
}

#[tokio::test]
async fn two_jobs_of_one_component_mail_each_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), 9);
    let clock = Clock::manual("2026-03-01T06:30:00Z".parse::<Timestamp>().unwrap());
    Keys::create(&settings.database.key_file, clock.now()).unwrap();
    let keys = Keys::load(&settings.database.key_file).unwrap();
    let database = Database::open(&settings.database.file).await.unwrap();
    let mailer = Mailer::new(&settings.mail).unwrap();
    let outbox = Outbox::new(database.clone(), keys, clock, mailer, &settings.mail);
    let capabilities =
        Capabilities { outbox: Some((outbox.clone(), database.clone())), ..Capabilities::default() };
    let host = PluginHost::new(&settings.plugins, capabilities).unwrap();
    for name in ["first", "second", "second"] {
        host.job(name, &job("")).await.unwrap().run(&occasion()).await.unwrap();
    }
    let mut origins: Vec<String> =
        outbox.pending().await.unwrap().into_iter().map(|mail| mail.origin).collect();
    origins.sort();
    assert_eq!(origins, ["plugin:first:greeting", "plugin:second:greeting"]);
    database.close().await;
}

#[tokio::test]
async fn a_job_says_whether_trying_again_helps() {
    let host = host(Limits::default());
    let failed =
        async |settings| host.job("busy", &job(settings)).await.unwrap().run(&occasion()).await.unwrap_err();
    let passing = failed("fail = \"passing\"").await;
    assert!(passing.is_passing());
    assert_eq!(passing.to_string(), "busy-job: come back later; it will be tried again");
    let last = failed("fail = \"final\"").await;
    assert!(!last.is_passing());
    assert_eq!(last.to_string(), "busy-job: somebody has to act");
}

//! An import that is killed, at moments that can be seen from outside: the next one finishes what it began.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use usher_tests::mail_server::Received;
use usher_tests::sheet::AccessRow;
use usher_tests::site::Site;
use usher_tests::{identity, process, workspace};

use crate::newcomer;
use crate::stage::{NEW_PROJECT_LIMITS, Stage, entries, expect_status, text};

/// How many rows are imported; each takes seven steps and sends three mails.
const ROWS: usize = 3;

/// The PIN of these rows.
const PIN: &str = "4821";

/// Steps that were begun.
const STEPS: &str = "SELECT count(*) FROM step";

/// Mails that were sent.
const SENT: &str = "SELECT count(*) FROM outbox WHERE state = 'sent'";

/// Prints a line as soon as a query in a database that need not exist yet counts enough.
const OBSERVER: &str = "
import sqlite3, sys, time
file, query, wanted = sys.argv[1:]
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        database = sqlite3.connect(f'file:{file}?mode=ro', uri=True)
        while time.monotonic() < end:
            if database.execute(query).fetchone()[0] >= int(wanted):
                print('seen')
                sys.exit()
            time.sleep(0.001)
    except sqlite3.OperationalError:
        time.sleep(0.001)
sys.exit('it never counted enough')
";

#[test]
fn as_its_first_step_begins() {
    killed("begun", STEPS, 1);
}

#[test]
fn as_its_third_step_begins() {
    killed("third", STEPS, 3);
}

#[test]
fn as_its_sixth_step_begins() {
    killed("sixth", STEPS, 6);
}

#[test]
fn as_its_tenth_step_begins() {
    killed("tenth", STEPS, 10);
}

#[test]
fn as_its_first_mail_is_recorded() {
    killed("recorded", "SELECT count(*) FROM outbox", 1);
}

#[test]
fn as_its_second_mail_was_sent() {
    killed("sent", SENT, 2);
}

/// Kills an import as soon as a query counts so many, and expects the next to make everything whole.
#[track_caller]
fn killed(name: &str, query: &str, count: usize) {
    let stage = Stage::new();
    let users: Vec<String> = (0..ROWS).map(|n| format!("user{n}@{name}.killed.example.org")).collect();
    let projects: Vec<String> = (0..ROWS).map(|n| format!("Killed {name} {n}")).collect();
    let rows: Vec<_> =
        users.iter().zip(&projects).map(|(user, project)| AccessRow::founding(user, project)).collect();
    let site = stage.site(&rows);

    let mut first =
        site.command(&["import", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let seen = observe(&site, query, count);
    first.kill().unwrap();
    let status = first.wait().unwrap();
    seen.unwrap();
    assert_eq!(status.signal(), Some(9), "the import had ended before: {status}");

    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert_eq!(site.done().unwrap().len(), 1 + ROWS);
    assert_eq!(site.requests().unwrap().len(), 1);
    let serving = site.serve().unwrap();
    // A mail that was being sent at that moment is claimed for a while, and sent after that.
    observe(&site, SENT, 3 * ROWS).unwrap();
    let received = stage.mail.received().unwrap();

    roles_are_given(&stage, &users, &projects);
    let keystone = stage.cloud.keystone_url().unwrap();
    for (user, project) in users.iter().zip(&projects) {
        let limits = stage.limits(project);
        for (key, limit) in NEW_PROJECT_LIMITS {
            assert_eq!(limits.get(key), Some(&limit), "{key} of {project}: {limits:?}");
        }
        let link = mailed_once(&received, user);
        // The link changes the password that was kept with it, so it works only where Keystone has that one.
        let password = format!("chosen by {user}");
        let answer = newcomer::choose(&serving, &link, PIN, &password);
        assert_eq!(answer.status, 200, "{user}: {}", answer.body);
        let login = identity::authenticate(&keystone, user, &password, Some(project)).unwrap();
        assert_eq!(login.status, 201, "{user}: {}", login.body);
    }
    assert!(serving.stop().is_some_and(|status| status.success()));
}

/// Waits until a query in the site's database counts so many.
fn observe(site: &Site, query: &str, count: usize) -> anyhow::Result<()> {
    let mut command = Command::new(workspace::python_packages().join("bin/python"));
    command.args(["-c", OBSERVER]).arg(site.folder().join("state/usher.sqlite"));
    let output = process::output(command.args([query, &count.to_string()]))?;
    anyhow::ensure!(output.status.success(), "{query}, {count}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Each user is a member of the project that was asked for, and has no other role anywhere.
#[track_caller]
fn roles_are_given(stage: &Stage, users: &[String], projects: &[String]) {
    let assignments = stage.cloud.openstack(&["role", "assignment", "list", "--names"]).unwrap();
    let name =
        |entry: &serde_json::Value, key: &str| text(entry, key).trim_end_matches("@Default").to_owned();
    for (user, project) in users.iter().zip(projects) {
        let given: Vec<_> = entries(&assignments)
            .iter()
            .filter(|entry| name(entry, "User") == *user)
            .map(|entry| (name(entry, "Role"), name(entry, "Project")))
            .collect();
        assert_eq!(given, [("member".to_owned(), project.clone())], "{user}");
    }
}

/// Expects each kind of mail to a user once, and returns the link. A mail that the server had accepted when
/// the import was killed is sent again, since Usher cannot know that; it is the same mail by its Message-ID.
#[track_caller]
fn mailed_once(received: &[Received], user: &str) -> String {
    let mut seen = BTreeSet::new();
    let mails: Vec<_> = received
        .iter()
        .filter(|mail| mail.to == [user] && seen.insert(mail.message_id.clone().unwrap()))
        .collect();
    let subjects: Vec<_> = mails.iter().map(|mail| &mail.subject).collect();
    assert_eq!(mails.len(), 3, "{user}: {subjects:?}");
    let welcomes = mails.iter().filter(|mail| mail.subject.starts_with("Welcome")).count();
    assert_eq!(welcomes, 1, "{user}: {subjects:?}");
    let mut links: Vec<_> = mails.iter().filter_map(|mail| mail.link()).collect();
    assert_eq!(links.len(), 1, "{user}: {subjects:?}");
    links.remove(0)
}

//! The fixtures' sheet, imported into real services: what `tests/fixtures/README.md` says must be so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use usher_tests::fixtures::{self, BOUNCED, Expected};
use usher_tests::identity;
use usher_tests::mail_server::Behaviour;
use usher_tests::site::Site;

use crate::newcomer;
use crate::stage::{NEW_PROJECT_LIMITS, Stage, entries, expect_status, records, sheets, text};

/// The user whose link is opened: row 2.
const USER: &str = "founder@example.org";
const PASSWORD: &str = "a password of the user's own";

/// One story, because each part starts where the one before has ended.
#[test]
fn the_sheet_becomes_users_who_can_log_in() {
    let stage = Stage::with_mail(&Behaviour { refuse: vec![BOUNCED.to_owned()], ..Behaviour::default() });
    fixtures::prepare(&stage.cloud.identity().unwrap()).unwrap();
    let site = Site::with_fixtures(&stage.cloud, &stage.mail).unwrap();
    let expected = fixtures::expected().unwrap();

    a_dry_run_changes_nothing(&stage, &site, &expected);
    let requests = site.requests().unwrap();
    the_report_says_what_became_of_each_row(&site, &expected);
    finished_rows_have_moved(&site, &requests, &expected);
    let cloud = Cloud::read(&stage);
    cloud.has_the_users(&requests, &expected);
    cloud.has_the_projects(&requests, &expected);
    cloud.has_the_roles(&expected);
    quotas_are_the_policys(&stage, &expected);
    mails_have_arrived(&stage, &site, &expected);
    a_second_import_changes_nothing(&stage, &site, &cloud, &expected);
    the_user_can_log_in_only_after_setpass(&stage, &site, &requests);
}

fn done(expected: &[Expected]) -> impl Iterator<Item = &Expected> {
    expected.iter().filter(|row| row.outcome == "done")
}

fn a_dry_run_changes_nothing(stage: &Stage, site: &Site, expected: &[Expected]) {
    let (sheets_before, cloud_before) = (sheets(site), Cloud::read(stage));
    let run = site.import(&["--all", "--dry-run", "--json"]).unwrap();
    expect_status(&run, 1);
    let plan = run.json().unwrap();
    let fates: BTreeMap<u64, &str> =
        entries(&plan["rows"]).iter().map(|row| (row["row"].as_u64().unwrap(), text(row, "fate"))).collect();
    for row in expected {
        let fate = if row.outcome == "done" { "apply" } else { &row.outcome };
        assert_eq!(fates.get(&(row.row as u64)), Some(&fate), "row {}", row.row);
    }
    assert_eq!(sheets(site), sheets_before);
    assert_eq!(Cloud::read(stage), cloud_before);
    assert_eq!(stage.mail.received().unwrap().len(), 0);
    assert!(records(site).iter().all(|line| !line.contains("INSERT INTO \"request\"")));
}

fn the_report_says_what_became_of_each_row(site: &Site, expected: &[Expected]) {
    let run = site.import(&["--all", "--json"]).unwrap();
    expect_status(&run, 1);
    assert!(!run.stdout.contains("token=") && !run.stderr.contains("token="), "a link was printed");
    let report = run.json().unwrap();
    let rows = entries(&report["rows"]);
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row["row"], expected.row, "{row}");
        assert_eq!(text(row, "outcome"), expected.outcome, "{row}");
        if !expected.user.is_empty() {
            assert_eq!(text(row, "user").to_lowercase(), expected.user, "{row}");
        }
        let said = format!("{} {}", row["error"], row["warnings"]);
        assert!(said.contains(&expected.says), "row {} says {said}", expected.row);
        let unfinished = matches!(expected.outcome.as_str(), "conflict" | "rejected" | "failed");
        assert_eq!(row["error"].is_string(), unfinished, "{row}");
    }
    assert_eq!(report["moved"], done(expected).count());
}

fn finished_rows_have_moved(site: &Site, before: &[Vec<String>], expected: &[Expected]) {
    let is_done = |row: usize| done(expected).any(|expected| expected.row == row);
    // Short rows may get the blank cells that they lack.
    let tidy = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
        let cut = |row: &Vec<String>| {
            let filled = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
            row[..filled].to_vec()
        };
        rows.iter().map(cut).collect()
    };
    let before = tidy(before);
    let part = |wanted: bool| -> Vec<Vec<String>> {
        let rows = before.iter().enumerate().filter(|(index, _)| *index > 0 && is_done(index + 1) == wanted);
        rows.map(|(_, row)| row.clone()).collect()
    };
    assert_eq!(tidy(&site.requests().unwrap())[1..], part(false), "what stays");
    assert_eq!(tidy(&site.done().unwrap())[1..], part(true), "what has moved");
}

/// What the stock command line shows of the fixtures' users and projects.
#[derive(Debug, PartialEq)]
struct Cloud {
    users: BTreeMap<String, Value>,
    projects: BTreeMap<String, Value>,
    /// User, role, project.
    roles: BTreeSet<(String, String, String)>,
}

impl Cloud {
    fn read(stage: &Stage) -> Self {
        let list = |arguments: &[&str]| stage.cloud.openstack(arguments).unwrap();
        let by_name = |list: &Value| -> BTreeMap<String, Value> {
            entries(list).iter().map(|entry| (text(entry, "Name").to_owned(), entry.clone())).collect()
        };
        // Other tests work in the same cloud at the same time, with users of subdomains.
        let is_ours = |user: &str| user.ends_with("@example.org") || user.ends_with("@example.com");
        let mut users = by_name(&list(&["user", "list", "--long"]));
        users.retain(|name, _| is_ours(name));
        let mut projects = by_name(&list(&["project", "list", "--long"]));
        projects.retain(|_, project| {
            !project["Description"].as_str().unwrap_or_default().contains("of the tests")
        });
        let assignments = list(&["role", "assignment", "list", "--names"]);
        let roles = entries(&assignments)
            .iter()
            .map(|entry| {
                let name = |key: &str| text(entry, key).trim_end_matches("@Default").to_owned();
                (name("User"), name("Role"), name("Project"))
            })
            .filter(|(user, _, _)| is_ours(user))
            .collect();
        Self { users, projects, roles }
    }

    fn has_the_users(&self, rows: &[Vec<String>], expected: &[Expected]) {
        let made: BTreeSet<&str> =
            expected.iter().filter(|row| row.makes_user).map(|row| row.user.as_str()).collect();
        let all: BTreeSet<&str> = made.iter().copied().chain(fixtures::USERS).collect();
        assert_eq!(self.users.keys().map(String::as_str).collect::<BTreeSet<_>>(), all);
        for row in expected.iter().filter(|row| row.makes_user) {
            let user = &self.users[&row.user];
            let cells = &rows[row.row - 1];
            assert_eq!(text(user, "Email"), row.user);
            assert_eq!(text(user, "Description"), format!("{} {}", cells[5], cells[6]));
            assert_eq!(user["Enabled"], true);
            assert_eq!(
                user["Project"], self.projects[&row.member_of]["ID"],
                "primary project of {}",
                row.user
            );
        }
    }

    fn has_the_projects(&self, rows: &[Vec<String>], expected: &[Expected]) {
        let made = expected.iter().filter(|row| !row.makes_project.is_empty());
        let names = made.clone().map(|row| row.makes_project.as_str());
        let all: BTreeSet<&str> = names.chain(fixtures::PROJECTS).chain(["admin", "service"]).collect();
        assert_eq!(self.projects.keys().map(String::as_str).collect::<BTreeSet<_>>(), all);
        for row in made {
            let project = &self.projects[&row.makes_project];
            assert_eq!(text(project, "Description"), rows[row.row - 1][16]);
            assert_eq!(project["Enabled"], true);
        }
    }

    fn has_the_roles(&self, expected: &[Expected]) {
        let mut wanted: BTreeSet<(String, String, String)> = done(expected)
            .map(|row| (row.user.clone(), "member".to_owned(), row.member_of.clone()))
            .collect();
        // Row 8 asks for a further user.
        wanted.insert(("helper@example.org".to_owned(), "member".to_owned(), "Field Notes".to_owned()));
        assert_eq!(self.roles, wanted);
    }
}

/// New projects have the limits of `[plugins.quota_policy.settings]`; others keep the services' defaults.
fn quotas_are_the_policys(stage: &Stage, expected: &[Expected]) {
    let others = stage.limits("Genomics");
    for project in expected.iter().map(|row| &row.makes_project).filter(|project| !project.is_empty()) {
        let limits = stage.limits(project);
        for (key, limit) in NEW_PROJECT_LIMITS {
            assert_eq!(limits.get(key), Some(&limit), "{key} of {project}: {limits:?}");
            assert_ne!(others.get(key), Some(&limit), "{key} would be so without Usher too");
        }
    }
}

fn mails_have_arrived(stage: &Stage, site: &Site, expected: &[Expected]) {
    let received = stage.mail.received().unwrap();
    for mail in &received {
        assert!(mail.tls.as_deref().is_some_and(|version| version.starts_with("TLSv1.")), "{mail:?}");
        assert_eq!(mail.from, "cloud@example.org");
        assert_eq!(mail.to.len(), 1, "{:?}", mail.to);
    }
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    for row in done(expected).filter(|row| row.user != BOUNCED) {
        let count = 2 * usize::from(row.makes_user) + usize::from(!row.makes_project.is_empty());
        *wanted.entry(&row.user).or_default() += count;
    }
    wanted.retain(|_, count| *count > 0);
    let mut arrived: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in &received {
        *arrived.entry(mail.to[0].as_str()).or_default() += 1;
    }
    assert_eq!(arrived, wanted);

    for row in expected.iter().filter(|row| row.makes_user && row.user != BOUNCED) {
        let links = newcomer::links(&stage.mail, &row.user);
        assert_eq!(links.len(), 1, "{}", row.user);
        assert!(links[0].starts_with("https://setpass.example.org/?token="), "{}", row.user);
    }
    let ids: BTreeSet<_> = received.iter().map(|mail| mail.message_id.clone()).collect();
    assert_eq!(ids.len(), received.len(), "every mail has a Message-ID of its own");
    assert!(!ids.contains(&None));

    let kept: Vec<_> = fs::read_dir(site.folder().join("state/undeliverable")).unwrap().collect();
    assert_eq!(kept.len(), 2, "the refused mails are kept: {kept:?}");
}

fn a_second_import_changes_nothing(stage: &Stage, site: &Site, cloud: &Cloud, expected: &[Expected]) {
    let (sheets_before, records_before) = (sheets(site), records(site));
    let mails_before = stage.mail.received().unwrap().len();
    let run = site.import(&["--all", "--json"]).unwrap();
    expect_status(&run, 1);
    let report = run.json().unwrap();
    assert_eq!(report["moved"], 0);
    assert!(entries(&report["rows"]).iter().all(|row| row["outcome"] != "done"), "{report}");
    assert_eq!(entries(&report["rows"]).len(), expected.len() - done(expected).count());
    assert_eq!(sheets(site), sheets_before);
    assert_eq!(&Cloud::read(stage), cloud);
    assert_eq!(stage.mail.received().unwrap().len(), mails_before);
    assert_eq!(records(site), records_before);
}

fn the_user_can_log_in_only_after_setpass(stage: &Stage, site: &Site, rows: &[Vec<String>]) {
    let keystone = stage.cloud.keystone_url().unwrap();
    let login =
        || identity::authenticate(&keystone, USER, PASSWORD, Some("Founders' Project")).unwrap().status;
    let link = newcomer::links(&stage.mail, USER).remove(0);
    let pin = &rows[1][12];
    let serving = site.serve().unwrap();
    assert_eq!(login(), 401);
    assert_eq!(newcomer::choose(&serving, &link, pin, PASSWORD).status, 200);
    assert_eq!(login(), 201);
    assert_eq!(newcomer::choose(&serving, &link, pin, "another one").status, 404, "a link works once");
    assert!(serving.stop().is_some_and(|status| status.success()));

    let (_, token) = link.split_once("?token=").unwrap();
    for entry in fs::read_dir(site.folder().join("state")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()), "{}", path.display());
        }
    }
}

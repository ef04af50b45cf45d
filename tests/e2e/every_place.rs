//! An import that is killed at every place of its work, each in turn: the next one finishes what it began, and
//! the end is the same as without the kill.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::Value;
use usher_tests::identity::{self, Identity};
use usher_tests::mail_server::Received;
use usher_tests::sheet::AccessRow;
use usher_tests::site::{self, Site};
use usher_tests::web;

use crate::newcomer;
use crate::stage::{Stage, entries, expect_status, text};

/// The least number of places that there have to be: each step of the journal has four.
const PLACES: usize = 40;

/// A user who has an account, and joins every project of these tests.
const MEMBER: &str = "member@places.example.org";

const PIN: &str = "4821";

/// The file below a site that its mailing list is kept in.
const LIST: &str = "list";

#[test]
fn the_next_import_makes_good_whatever_the_last_one_left() {
    let stage = Stage::new();
    let identity = stage.cloud.identity().unwrap();
    identity.create_user(MEMBER, "the member's password").unwrap();
    let mut undisturbed = Scene::new(&stage, "undisturbed");
    let log = undisturbed.site.folder().join("places");
    let mut command = undisturbed.site.command(&["import", "--all"]);
    let run = site::run(command.env("USHER_PLACES", &log), None).unwrap();
    expect_status(&run, 0);
    let places = places(&fs::read_to_string(log).unwrap());
    assert!(places.len() >= PLACES, "only {}: {places:?}", places.len());
    let wanted = undisturbed.end(&stage, &identity);
    undisturbed.looks_at_quotas = false;
    let without_quotas = undisturbed.end(&stage, &identity);
    undisturbed.link_works(&stage);

    let mut faults = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let mut scene = Scene::new(&stage, &format!("place{number}"));
        scene.looks_at_quotas = place.contains("quotas");
        let wanted = if scene.looks_at_quotas { &wanted } else { &without_quotas };
        scene.kill_at(place);
        let run = scene.site.import(&["--all"]).unwrap();
        if run.status != Some(0) {
            faults.push(format!("{place}: {}", run.said()));
            continue;
        }
        let end = scene.end(&stage, &identity);
        let (missing, added) = (wanted.difference(&end), end.difference(wanted));
        let (missing, added): (Vec<_>, Vec<_>) = (missing.collect(), added.collect());
        if !(missing.is_empty() && added.is_empty()) {
            faults.push(format!("{place}: missing {missing:#?}, added {added:#?}"));
        }
        // A mail that the server took before that could be recorded comes twice, as one mail by its Message-ID.
        let doubled = scene.received(&stage).len() - scene.mails(&stage).len();
        let allowed = usize::from(place.starts_with("mail ") && place.contains(" taken"));
        if doubled != allowed {
            faults.push(format!("{place}: {doubled} mails came twice"));
        }
        let again = scene.site.import(&["--all"]).unwrap();
        if again.status != Some(0) || scene.end(&stage, &identity) != end {
            faults.push(format!("{place}: a third import changes something: {}", again.said()));
        }
        scene.link_works(&stage);
    }
    println!("killed at {} places", places.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The names of all places that were reached, each the first time.
fn places(log: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    log.lines().filter(|line| line.ends_with("#1") && seen.insert(*line)).map(str::to_owned).collect()
}

/// A site with three requests: a new user's new project with a further member, another new user who joins it,
/// and somebody with an account who joins it too.
struct Scene {
    site: Site,
    name: String,
    /// Whether the quotas are part of the end. Asking for them takes its time, so it is done where a kill could have
    /// touched them.
    looks_at_quotas: bool,
}

impl Scene {
    fn new(stage: &Stage, name: &str) -> Self {
        let project = format!("Place {name}");
        let mut founder = AccessRow::founding(&user(name, "founder"), &project);
        founder.set(17, MEMBER);
        let mut joiner = AccessRow::joining(&user(name, "joiner"), &project);
        joiner.set(3, "3/14/2018 15:48:49");
        let mut member = AccessRow::joining(MEMBER, &project);
        member.set(7, "Yes").set(3, "3/14/2018 15:48:50");
        let site = stage.site(&[founder, joiner, member]);
        let list = site.folder().join(LIST).display().to_string();
        let section =
            format!("[mailing_list]\nkind = \"command\"\ncommand = [\"tee\", \"-a\", \"{list}\"]\n\n");
        site.change_settings("[setpass]\n", &format!("{section}[setpass]\n")).unwrap();
        Self { site, name: name.to_owned(), looks_at_quotas: true }
    }

    /// Runs an import that dies at a place.
    #[track_caller]
    fn kill_at(&self, place: &str) {
        use std::os::unix::process::ExitStatusExt as _;
        let mut command = self.site.command(&["import", "--all"]);
        let status =
            command.env("USHER_KILL_AT", place).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(9), "{place} was not reached: {status}");
    }

    /// Everything that the imports have brought about, without what differs from scene to scene.
    fn end(&self, stage: &Stage, identity: &Identity) -> BTreeSet<String> {
        let mut end = BTreeSet::new();
        let project = format!("Place {}", self.name);
        let projects = list(identity, &format!("/projects?name={}", web::escape(&project)), "projects");
        let project_id = projects.first().map_or("none", |project| text(project, "id")).to_owned();
        for project in &projects {
            end.insert(format!("project {} {}", text(project, "name"), text(project, "description")));
        }
        end.insert(format!("{} projects", projects.len()));
        for who in ["founder", "joiner"] {
            let name = user(&self.name, who);
            let users = list(identity, &format!("/users?name={}", web::escape(&name)), "users");
            end.insert(format!("{} users {name}", users.len()));
            for user in &users {
                let is_primary = user["default_project_id"] == project_id;
                end.insert(format!(
                    "user {} {} {is_primary}",
                    text(user, "email"),
                    text(user, "description")
                ));
            }
        }
        let path = format!("/role_assignments?include_names=true&scope.project.id={project_id}");
        for assignment in list(identity, &path, "role_assignments") {
            end.insert(format!("{} is {}", assignment["user"]["name"], assignment["role"]["name"]));
        }
        if self.looks_at_quotas {
            for (key, limit) in stage.limits(&project) {
                end.insert(format!("{key} {limit}"));
            }
        }
        for (worksheet, rows) in [("requests", self.site.requests()), ("done", self.site.done())] {
            for (number, row) in rows.unwrap().iter().enumerate() {
                end.insert(format!("{worksheet} {number} {row:?}"));
            }
        }
        for mail in self.mails(stage) {
            end.insert(format!("mail {:?} {}", mail.to, mail.subject));
        }
        // An address that was handed over before that could be recorded is handed over again.
        for address in fs::read_to_string(self.site.folder().join(LIST)).unwrap_or_default().lines() {
            end.insert(format!("subscribed {address}"));
        }
        end.extend(self.records());
        end.into_iter().map(|line| line.replace(&self.name, "NAME")).collect()
    }

    /// What the database says of requests, steps, mails and links.
    fn records(&self) -> Vec<String> {
        const QUERIES: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for query in [
    'SELECT id, key, state, error FROM request ORDER BY id',
    'SELECT request, name, finished IS NULL, secret FROM step ORDER BY request, name',
    'SELECT origin, kind, state, payload FROM outbox ORDER BY origin',
    'SELECT request, address, state, last_error FROM subscription ORDER BY request',
    'SELECT COUNT(*), SUM(attempts), SUM(unsettled) FROM setpass_link',
    'SELECT COUNT(*) FROM lease',
]:
    for row in database.execute(query):
        print(query.split()[-1] if 'ORDER' in query else query, row)
";
        let python = usher_tests::workspace::python_packages().join("bin/python");
        let mut command = std::process::Command::new(python);
        command.args(["-c", QUERIES]).arg(self.site.folder().join("state/usher.sqlite"));
        let output = usher_tests::process::output(&mut command).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// The mails to the users of this scene, as the server took them.
    fn received(&self, stage: &Stage) -> Vec<Received> {
        let domain = user(&self.name, "");
        let mut mails = stage.mail.received().unwrap();
        mails.retain(|mail| mail.to.iter().any(|to| to.ends_with(&domain)));
        mails
    }

    /// The same, each once by its Message-ID.
    fn mails(&self, stage: &Stage) -> Vec<Received> {
        let mut seen = BTreeSet::new();
        let mut mails = self.received(stage);
        mails.retain(|mail| seen.insert(mail.message_id.clone()));
        mails
    }

    /// The mailed link changes the password that was kept with it, so it works only where Keystone has that one.
    #[track_caller]
    fn link_works(&self, stage: &Stage) {
        let serving = self.site.serve().unwrap();
        for who in ["founder", "joiner"] {
            let name = user(&self.name, who);
            let link = newcomer::links(&stage.mail, &name).remove(0);
            let answer = newcomer::choose(&serving, &link, PIN, "a password of the user's own");
            assert_eq!(answer.status, 200, "{name}: {}", answer.body);
            let keystone = stage.cloud.keystone_url().unwrap();
            let login =
                identity::authenticate(&keystone, &name, "a password of the user's own", None).unwrap();
            assert_eq!(login.status, 201, "{name}");
        }
    }
}

/// An address of a scene.
fn user(scene: &str, who: &str) -> String {
    format!("{who}@{scene}.places.example.org")
}

fn list(identity: &Identity, path: &str, key: &str) -> Vec<Value> {
    entries(&identity.call("GET", path, None).unwrap()[key]).to_vec()
}

//! A site with three requests, set up as often as there are things that may happen to its import. What the
//! imports have brought about in the end is compared from scene to scene.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use usher_tests::google_sheets::GoogleSheets;
use usher_tests::identity::{self, Identity};
use usher_tests::mail_server::Received;
use usher_tests::sheet::{AccessRow, DONE, REQUESTS};
use usher_tests::site::{Run, Site};
use usher_tests::{process, web, workspace};

use crate::newcomer;
use crate::stage::{Stage, entries, text};

/// How many scenes are played at once, on services that wait more than they work.
const WORKERS: usize = 3;

/// The file below a site that its mailing list is kept in.
const LIST: &str = "list";

const PIN: &str = "4821";
const PASSWORD: &str = "a password of the user's own";

/// A new user's new project with a further member, another new user who joins it, and somebody with an account
/// who joins it too.
pub struct Scene {
    pub site: Site,
    name: String,
    sheet: Sheet,
}

enum Sheet {
    Files,
    Google { google: Arc<GoogleSheets>, spreadsheet: String },
}

/// What a worker has to play scenes with, one after the other.
pub struct Stagehand {
    pub stage: Stage,
    pub identity: Identity,
}

impl Stagehand {
    pub fn new() -> Self {
        let stage = Stage::new();
        let identity = stage.cloud.identity().unwrap();
        Self { stage, identity }
    }

    /// Creates the user who has an account already in all scenes of a test.
    pub fn create_member(&self, test: &str) {
        self.identity.create_user(&member(test), "the member's password").unwrap();
    }
}

/// Plays cases on a few workers. `work` sets up what a worker needs and plays what it is handed; its answers are
/// what was wrong.
pub fn in_parallel<C: Sync>(
    cases: &[C],
    work: impl Fn(&mut dyn Iterator<Item = (usize, &C)>) -> Vec<String> + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let take = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        cases.get(number).map(|case| (number, case))
    };
    std::thread::scope(|scope| {
        let workers = [(); WORKERS].map(|()| scope.spawn(|| work(&mut std::iter::from_fn(take))));
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

impl Scene {
    /// With the sheet in files. `test` and `name` together are the scene's own.
    pub fn new(stage: &Stage, test: &str, name: &str) -> Self {
        let name = format!("{name}.{test}");
        let site = stage.site(&rows(test, &name));
        keep_list(&site);
        Self { site, name, sheet: Sheet::Files }
    }

    /// The same with the sheet at Google.
    pub fn at_google(stage: &Stage, google: &Arc<GoogleSheets>, test: &str, name: &str) -> Self {
        let name = format!("{name}.{test}");
        let site = stage.site(&[]);
        let spreadsheet = google.create_access(&rows(test, &name), true).unwrap();
        site.use_google(google, &spreadsheet).unwrap();
        keep_list(&site);
        Self { site, name, sheet: Sheet::Google { google: Arc::clone(google), spreadsheet } }
    }

    pub fn import(&self) -> Run {
        self.site.import(&["--all"]).unwrap()
    }

    /// Everything that the imports have brought about, without what differs from scene to scene.
    pub fn end(&self, hand: &Stagehand) -> BTreeSet<String> {
        let identity = &hand.identity;
        let mut end = BTreeSet::new();
        let path = format!("/projects?name={}", web::escape(&project(&self.name)));
        let projects = list(identity, &path, "projects");
        end.insert(format!("{} projects", projects.len()));
        let project_id = projects.first().map_or("none", |project| text(project, "id")).to_owned();
        for project in &projects {
            end.insert(format!("project {} {}", text(project, "name"), text(project, "description")));
            end.extend(limits(identity, &project_id));
        }
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
        let (requests, done) = self.worksheets();
        for (worksheet, rows) in [("requests", requests), ("done", done)] {
            for (number, row) in rows.iter().enumerate() {
                end.insert(format!("{worksheet} {number} {row:?}"));
            }
        }
        for mail in self.mails(&hand.stage) {
            end.insert(format!("mail {:?} {}", mail.to, mail.subject));
        }
        // An address that was handed over before that could be recorded is handed over again.
        let list = fs::read_to_string(self.site.folder().join(LIST)).unwrap_or_default();
        end.extend(list.lines().map(|address| format!("subscribed {address}")));
        end.extend(self.records());
        end.into_iter().map(|line| line.replace(&self.name, "NAME")).collect()
    }

    fn worksheets(&self) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
        match &self.sheet {
            Sheet::Files => (self.site.requests().unwrap(), self.site.done().unwrap()),
            Sheet::Google { google, spreadsheet } => {
                let rows = |worksheet| google.rows(spreadsheet, worksheet).unwrap().unwrap();
                (rows(REQUESTS), rows(DONE))
            }
        }
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
        let mut command = Command::new(workspace::python_packages().join("bin/python"));
        command.args(["-c", QUERIES]).arg(self.site.folder().join("state/usher.sqlite"));
        let output = process::output(&mut command).unwrap();
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
    pub fn mails(&self, stage: &Stage) -> Vec<Received> {
        let mut seen = BTreeSet::new();
        let mut mails = self.received(stage);
        mails.retain(|mail| seen.insert(mail.message_id.clone()));
        mails
    }

    /// How many mails came a second time, with the same Message-ID.
    pub fn doubled(&self, stage: &Stage) -> usize {
        self.received(stage).len() - self.mails(stage).len()
    }

    /// The mailed link changes the password that was kept with it, so it works only where Keystone has that one. The
    /// answer is what was wrong.
    pub fn try_links(&self, stage: &Stage) -> Option<String> {
        let serving = self.site.serve().unwrap();
        let keystone = stage.cloud.keystone_url().unwrap();
        for who in ["founder", "joiner"] {
            let name = user(&self.name, who);
            let Some(link) = newcomer::links(&stage.mail, &name).into_iter().next() else {
                return Some(format!("{name} has no link"));
            };
            let answer = newcomer::choose(&serving, &link, PIN, PASSWORD);
            if answer.status != 200 {
                return Some(format!("{name}: {} {}", answer.status, answer.body));
            }
            let login = identity::authenticate(&keystone, &name, PASSWORD, None).unwrap();
            if login.status != 201 {
                return Some(format!("{name} cannot log in: {}", login.status));
            }
        }
        None
    }
}

/// Has new users subscribed to a list that a program keeps in a file.
fn keep_list(site: &Site) {
    let list = site.folder().join(LIST).display().to_string();
    let section = format!("[mailing_list]\nkind = \"command\"\ncommand = [\"tee\", \"-a\", \"{list}\"]\n\n");
    site.change_settings("[setpass]\n", &format!("{section}[setpass]\n")).unwrap();
}

/// Runs an import that dies at a place. The answer is what was wrong.
pub fn kill_import_at(site: &Site, place: &str) -> Option<String> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut command = site.command(&["import", "--all"]);
    command.env("USHER_KILL_AT", place).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().unwrap();
    (status.signal() != Some(9)).then(|| format!("was not reached: {status}"))
}

/// What two ends differ in.
pub fn difference(wanted: &BTreeSet<String>, end: &BTreeSet<String>) -> Option<String> {
    let missing: Vec<_> = wanted.difference(end).collect();
    let added: Vec<_> = end.difference(wanted).collect();
    let same = missing.is_empty() && added.is_empty();
    (!same).then(|| format!("missing {missing:#?}, added {added:#?}"))
}

fn rows(test: &str, name: &str) -> [AccessRow; 3] {
    let project = project(name);
    let mut founder = AccessRow::founding(&user(name, "founder"), &project);
    founder.set(17, &member(test));
    let mut joiner = AccessRow::joining(&user(name, "joiner"), &project);
    joiner.set(3, "3/14/2018 15:48:49");
    let mut joining_member = AccessRow::joining(&member(test), &project);
    joining_member.set(7, "Yes").set(3, "3/14/2018 15:48:50");
    [founder, joiner, joining_member]
}

fn project(scene: &str) -> String {
    format!("Project {scene}")
}

fn user(scene: &str, who: &str) -> String {
    format!("{who}@{scene}.example.org")
}

fn member(test: &str) -> String {
    format!("member@{test}.example.org")
}

/// The limits of a project with all services.
pub fn limits(identity: &Identity, project: &str) -> Vec<String> {
    let services = [
        ("compute", "os-quota-sets", "quota_set"),
        ("network", "v2.0/quotas", "quota"),
        ("volumev3", "os-quota-sets", "quota_set"),
    ];
    let mut limits = Vec::new();
    for (service, path, key) in services {
        let answer = identity.call_service(service, "GET", &format!("/{path}/{project}"), None).unwrap();
        let shown = answer[key].as_object().unwrap();
        limits.extend(
            shown.iter().filter(|(key, _)| *key != "id").map(|(key, limit)| format!("{key} {limit}")),
        );
    }
    limits
}

fn list(identity: &Identity, path: &str, key: &str) -> Vec<Value> {
    entries(&identity.call("GET", path, None).unwrap()[key]).to_vec()
}

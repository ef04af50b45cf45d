//! A quota sheet with one request about a project of its own, set up as often as there are things that may happen to
//! the run over it. What the runs have brought about in the end is compared from scene to scene.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use usher_tests::identity::Identity;
use usher_tests::sheet::{self, QuotaRow};
use usher_tests::site::{Run, Site};
use usher_tests::{process, workspace};

use crate::scene::limits;
use crate::stage::Stage;

/// What a scene runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The sheet is applied.
    Apply,
    /// A change that was applied comes to its end.
    Expire,
}

impl Act {
    /// The command line.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Apply => &["quota", "apply", "--all"],
            Self::Expire => &["run", "expire-quotas"],
        }
    }
}

/// A request for limits of all three services, until the end of a day far off.
pub struct QuotaScene {
    pub site: Site,
    name: String,
    project_id: String,
}

impl QuotaScene {
    /// With the sheet as the form left it, or, for the end, with the change in force and due to end.
    pub fn new(stage: &Stage, identity: &Identity, act: Act, name: &str) -> Self {
        let project = format!("Quota scene {name}");
        let project_id = identity.create_project(&project, "A project of the tests").unwrap();
        for who in ["requester", "colleague"] {
            let id =
                identity.create_user(&format!("{who}@{name}.example.org"), "a password of theirs").unwrap();
            identity.grant(&id, &project_id, "member").unwrap();
        }
        let site = stage.site(&[]);
        let limits =
            [("instances", "20"), ("ram", "80"), ("floating", "60"), ("networks", "110"), ("volumes", "15")];
        let mut row = QuotaRow::new(&format!("requester@{name}.example.org"), &project, &limits);
        row.set(9, "temporary").set(10, "12/31/2099");
        sheet::write_quota(&site.quota(), &[row]).unwrap();
        let scene = Self { site, name: name.to_owned(), project_id };
        if act == Act::Expire {
            let applied = scene.run(Act::Apply);
            assert_eq!(applied.status, Some(0), "{}", applied.said());
            scene.query("UPDATE quota_decision SET ends = 1");
        }
        scene
    }

    pub fn run(&self, act: Act) -> Run {
        self.site.usher(act.arguments()).unwrap()
    }

    /// Makes a run that dies at a place. The answer is what was wrong.
    pub fn kill_at(&self, act: Act, place: &str) -> Option<String> {
        use std::os::unix::process::ExitStatusExt as _;
        let mut command = self.site.command(act.arguments());
        command.env("USHER_KILL_AT", place).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().unwrap();
        (status.signal() != Some(9)).then(|| format!("was not reached: {status}"))
    }

    /// Everything that the runs have brought about, without what differs from scene to scene.
    pub fn end(&self, stage: &Stage, identity: &Identity) -> BTreeSet<String> {
        let mut end: BTreeSet<String> = limits(identity, &self.project_id).into_iter().collect();
        for (worksheet, rows) in
            [("requests", self.site.quota_requests().unwrap()), ("done", self.site.quota_done().unwrap())]
        {
            end.extend(rows.iter().enumerate().map(|(number, row)| format!("{worksheet} {number} {row:?}")));
        }
        let mut seen = BTreeSet::new();
        for mail in stage.mail.received().unwrap() {
            if mail.to.iter().any(|to| to.contains(&self.name)) && seen.insert(mail.message_id.clone()) {
                end.insert(format!("mail {:?} {} {:?}", mail.to, mail.subject, mail.text));
            }
        }
        for query in [
            "SELECT id, key, state, error FROM request ORDER BY id",
            "SELECT request, name, finished IS NULL FROM step ORDER BY request, name",
            "SELECT origin, kind, state, payload FROM outbox ORDER BY origin",
            "SELECT request, project, outcome, approved_by, applied IS NULL, ended IS NULL FROM quota_decision",
            "SELECT decision, service, key, old, new, fate FROM quota_change ORDER BY key",
            "SELECT COUNT(*) FROM lease",
        ] {
            end.extend(self.query(query).lines().map(|row| format!("{query}: {row}")));
        }
        end.into_iter().map(|line| line.replace(&self.name, "NAME")).collect()
    }

    /// How many mails came a second time, with the same Message-ID.
    pub fn doubled(&self, stage: &Stage) -> usize {
        let mut seen = BTreeSet::new();
        let mails = stage.mail.received().unwrap();
        let own = mails.iter().filter(|mail| mail.to.iter().any(|to| to.contains(&self.name)));
        own.filter(|mail| !seen.insert(mail.message_id.clone())).count()
    }

    fn query(&self, query: &str) -> String {
        let script = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for row in database.execute(sys.argv[2]):
    print(row)
database.commit()
";
        let mut command = Command::new(workspace::python_packages().join("bin/python"));
        command.args(["-c", script]).arg(self.site.folder().join("state/usher.sqlite")).arg(query);
        let output = process::output(&mut command).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

//! What every test needs: the shared cloud, a mail server of its own, and looks at what was left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use serde_json::Value;
use usher_tests::cloud::Cloud;
use usher_tests::mail_server::{Behaviour, MailServer};
use usher_tests::sheet::AccessRow;
use usher_tests::site::{self, Run, Site};
use usher_tests::{process, workspace};

/// What the sites' settings give new projects, by the names of the stock command line.
pub const NEW_PROJECT_LIMITS: [(&str, i64); 7] = [
    ("instances", 7),
    ("cores", 14),
    ("ram", 28672),
    ("networks", 3),
    ("ports", 21),
    ("volumes", 5),
    ("gigabytes", 250),
];

/// The services of one test.
pub struct Stage {
    /// The shared cloud.
    pub cloud: Cloud,
    /// The test's own mail server.
    pub mail: MailServer,
    // Dropped after the server that writes into it.
    _folder: tempfile::TempDir,
}

impl Stage {
    /// With a mail server that takes everything over STARTTLS.
    pub fn new() -> Self {
        Self::with_mail(&Behaviour::default())
    }

    /// With a mail server that behaves otherwise.
    pub fn with_mail(behaviour: &Behaviour) -> Self {
        let cloud = Cloud::shared().unwrap();
        let folder = tempfile::Builder::new().prefix("usher-mail-").tempdir().unwrap();
        let mail = MailServer::start(folder.path(), behaviour).unwrap();
        Self { cloud, mail, _folder: folder }
    }

    /// A site with these rows ready to import.
    pub fn site(&self, rows: &[AccessRow]) -> Site {
        Site::with_rows(&self.cloud, &self.mail, rows).unwrap()
    }

    /// The limits of a project, as the stock command line shows them.
    #[track_caller]
    pub fn limits(&self, project: &str) -> BTreeMap<String, i64> {
        let shown = self.cloud.openstack(&["quota", "show", project]).unwrap();
        entries(&shown)
            .iter()
            // Nova still names some that it does not keep any more, without a limit.
            .filter_map(|entry| Some((text(entry, "Resource").to_owned(), entry["Limit"].as_i64()?)))
            .collect()
    }

    /// A file in the form of `clouds.yaml` that leads elsewhere, or somebody else there.
    pub fn clouds_yaml(&self, site: &Site, url: &str, user: &str, password: &str, project: &str) -> String {
        let file = site.folder().join("other-clouds.yaml");
        let text = format!(
            "clouds:\n  minicloud:\n    auth:\n      auth_url: {url}\n      username: {user}\n      password: '{password}'\n      \
             project_name: {project}\n      user_domain_id: default\n      project_domain_id: default\n    \
             region_name: RegionOne\n    identity_api_version: 3\n"
        );
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// Points a site's settings at such a file.
    pub fn use_account(&self, site: &Site, url: &str, user: &str, password: &str, project: &str) {
        let file = self.clouds_yaml(site, url, user, password, project);
        site.change_settings(&self.cloud.clouds_yaml().display().to_string(), &file).unwrap();
    }
}

/// Everything that Usher has recorded, one line for each, without the lists of runs, leases and occasions of jobs, which
/// grow with every run whatever the run does.
pub fn records(site: &Site) -> Vec<String> {
    let script =
        "import sqlite3, sys\nfor line in sqlite3.connect(sys.argv[1]).iterdump(): print(repr(line))";
    let mut command = Command::new(workspace::python_packages().join("bin/python"));
    let output =
        process::output(command.args(["-c", script]).arg(site.folder().join("state/usher.sqlite"))).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dump = String::from_utf8(output.stdout).unwrap();
    let grows = |line: &str| {
        ["run", "lease", "occasion"].iter().any(|table| line.contains(&format!("INSERT INTO \"{table}\"")))
    };
    let kept = dump.lines().filter(|line| !grows(line));
    kept.map(str::to_owned).collect()
}

/// The files of both sheets, byte for byte.
pub fn sheets(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(site.access()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    assert!(!files.is_empty());
    files
}

/// A mail's subject and plain text, decoded by another library than the one that wrote them.
#[track_caller]
pub fn decode(mail: &str) -> String {
    let script = "import email.policy, email, sys
mail = email.message_from_string(sys.stdin.read(), policy=email.policy.default)
print(mail['subject'], mail.get_body(('plain',)).get_content())";
    let mut command = Command::new(workspace::python_packages().join("bin/python"));
    let run = site::run(command.args(["-X", "utf8", "-c", script]), Some(mail)).unwrap();
    expect_status(&run, 0);
    run.stdout
}

/// What a terminal shows of a run of the program, in which each question is given the answer after it.
pub fn on_a_terminal(site: &Site, arguments: &[&str], questions_and_answers: &[&str]) -> String {
    let command = site.command(arguments);
    let mut terminal = Command::new(workspace::python_packages().join("bin/python"));
    terminal.arg(workspace::root().join("tests/harness/terminal.py")).args(questions_and_answers).arg("--");
    terminal.arg(command.get_program()).args(command.get_args());
    let output = process::output(terminal.env_remove("NO_COLOR").env("TERM", "xterm-256color")).unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Prints a figure, also where the test passes.
pub fn announce(figure: &str) {
    // Not the macro, whose output the test harness keeps back.
    std::io::stderr().write_all(format!("    {figure}\n").as_bytes()).unwrap();
}

/// The run must have ended with this status.
#[track_caller]
pub fn expect_status(run: &Run, status: i32) {
    assert_eq!(run.status, Some(status), "{}", run.said());
}

/// The run must have said each of these words, on standard output or error.
#[track_caller]
pub fn expect_words(run: &Run, words: &[&str]) {
    for word in words {
        assert!(run.stdout.contains(word) || run.stderr.contains(word), "not said: {word:?}\n{}", run.said());
    }
}

/// The entries of a list in JSON.
#[track_caller]
pub fn entries(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// A text in JSON.
#[track_caller]
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key}: {value}"))
}

/// Checks JSON against a schema, by a validator that is not ours.
#[track_caller]
pub fn expect_schema(schema: &str, value: &str) {
    const VALIDATE: &str = "
import json, jsonschema, sys
schema, value = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(value)
# A schema that takes anything shows nothing.
first = dict(value[0] if isinstance(value, list) else value)
first.pop(sorted(key for key in first if first[key] is not None)[0])
try:
    jsonschema.Draft202012Validator(schema).validate([first] if isinstance(value, list) else first)
except jsonschema.ValidationError:
    sys.exit(0)
sys.exit('the schema requires nothing')
";
    let folder = tempfile::tempdir().unwrap();
    let (schema_file, value_file) = (folder.path().join("schema.json"), folder.path().join("value.json"));
    fs::write(&schema_file, schema).unwrap();
    fs::write(&value_file, value).unwrap();
    let mut python = Command::new(workspace::python_packages().join("bin/python"));
    let checked = process::output(python.args(["-c", VALIDATE]).arg(&schema_file).arg(&value_file)).unwrap();
    assert!(checked.status.success(), "{}\n{value}", String::from_utf8_lossy(&checked.stderr));
}

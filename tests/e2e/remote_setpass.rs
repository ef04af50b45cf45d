//! Users who are registered with a setpass on another machine: another `usher serve`, or the one that sites had before.

mod over_tls;
mod overslept;

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use usher_tests::old_setpass::OldSetpass;
use usher_tests::sheet::AccessRow;
use usher_tests::site::{Run, Site};
use usher_tests::{identity, process, web, workspace};

use crate::newcomer;
use crate::scene::{in_parallel, kill_import_at};
use crate::stage::{Stage, expect_status, expect_words};

/// The PIN of the rows of the sheet.
const PIN: &str = "4821";
/// So long that it is nowhere by chance.
const LONG_PIN: &str = "482190573614";
const CHOSEN: &str = "chosen by the user";

/// A stage with an old setpass.
struct Old {
    stage: Stage,
    setpass: OldSetpass,
    // Dropped after the server that writes into it.
    folder: TempDir,
}

impl Old {
    fn new() -> Self {
        let stage = Stage::new();
        let folder = tempfile::Builder::new().prefix("usher-old-setpass-").tempdir().unwrap();
        let setpass = OldSetpass::start(folder.path(), &stage.cloud).unwrap();
        Self { stage, setpass, folder }
    }

    /// A site with one new user, who is registered with the old setpass.
    fn site(&self, user: &str) -> Site {
        let site = self.stage.site(&[founder(user)]);
        site.use_setpass_at(&self.setpass.url()).unwrap();
        site
    }

    /// What is wrong with the end: one mail with a link, which leads to a login.
    fn what_is_wrong(&self, site: &Site, user: &str) -> Option<String> {
        let links = newcomer::links(&self.stage.mail, user);
        if links.len() != 1 {
            return Some(format!("{} links were mailed", links.len()));
        }
        if site.requests().unwrap().len() != 1 {
            return Some("the row stayed".to_owned());
        }
        choose_at(&self.stage, &self.setpass.url(), &links[0], user, PIN)
    }
}

fn founder(user: &str) -> AccessRow {
    AccessRow::founding(user, &format!("Project of {user}"))
}

/// Chooses a password with a mailed link, as it is. Says what was wrong.
fn choose_at(stage: &Stage, remote: &str, link: &str, user: &str, pin: &str) -> Option<String> {
    if !link.starts_with(&format!("{remote}/?token=")) {
        return Some(format!("a link that does not lead to {remote}"));
    }
    let form = [("pin", pin), ("password", CHOSEN), ("confirm_password", CHOSEN)];
    let answer = web::request("POST", link).form(&form).send().unwrap();
    if answer.status != 200 {
        return Some(format!("{} {}", answer.status, answer.body));
    }
    let keystone = stage.cloud.keystone_url().unwrap();
    let login = identity::authenticate(&keystone, user, CHOSEN, None).unwrap();
    (login.status != 201).then(|| format!("no login: {}", login.status))
}

fn leases(site: &Site) -> String {
    in_database(site, "print(database.execute('SELECT COUNT(*) FROM lease').fetchone()[0])")
}

/// What a line of Python with a site's `database` prints.
fn in_database(site: &Site, line: &str) -> String {
    let script = format!("import sqlite3, sys\ndatabase = sqlite3.connect(sys.argv[1], timeout=20)\n{line}");
    let mut command = Command::new(workspace::python_packages().join("bin/python"));
    command.args(["-c", &script]).arg(site.folder().join("state/usher.sqlite"));
    let output = process::output(&mut command).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Whether any file below a folder holds a text.
fn is_below(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => is_below(&path, text),
        false => fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()),
    })
}

#[test]
fn an_import_registers_with_another_usher_that_only_serves_setpass() {
    let stage = Stage::new();
    let user = "user@elsewhere.example.org";
    let other = Site::for_setpass_alone(&stage.cloud, &stage.mail).unwrap();
    let serving = other.serve().unwrap();
    let site = stage.site(&[founder(user)]);
    site.use_setpass_at(serving.url()).unwrap();

    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 0);
    expect_words(&doctor, &["setpass", "takes registrations"]);
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    let links = newcomer::links(&stage.mail, user);
    assert_eq!(links.len(), 1);
    assert_eq!(choose_at(&stage, serving.url(), &links[0], user, PIN), None);

    // Where the pages are elsewhere there are none here.
    let here = site.serve().unwrap();
    assert_eq!(web::get(&format!("{}/healthz", here.url())).unwrap().status, 200);
    let ready = web::get(&format!("{}/readyz", here.url())).unwrap();
    assert_eq!((ready.status, ready.json().unwrap()["parts"].get("keystone")), (200, None));
    assert_eq!(web::get(&format!("{}/?token=x", here.url())).unwrap().status, 404);

    // A machine that only serves setpass says so where more is asked of it.
    let doctor = other.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 0);
    expect_words(&doctor, &["this machine serves setpass and processes no sheet"]);
    for (arguments, words) in [
        (["import", "--all"], "the settings name no sheet; write [sheet]"),
        (["quota", "apply"], "set sheet.quota in the settings"),
        (["quota", "audit"], "write plugins.quota_policy"),
    ] {
        let mut arguments = arguments.to_vec();
        if arguments.ends_with(&["apply"]) {
            arguments.push("--all");
        }
        let run = other.usher(&arguments).unwrap();
        expect_status(&run, 2);
        expect_words(&run, &[words]);
    }
}

#[test]
fn a_password_is_reset_with_the_old_setpass() {
    let old = Old::new();
    let user = "user@old-reset.example.org";
    old.stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = old.stage.site(&[]);
    site.use_setpass_at(&old.setpass.url()).unwrap();

    let about_cases: [&[&str]; 4] = [
        &["password", "reset", user, "--case", "1"],
        &["password", "cases"],
        &["password", "approve", "1", "--yes"],
        &["password", "deny", "1"],
    ];
    for arguments in about_cases {
        let case = site.usher(arguments).unwrap();
        expect_status(&case, 2);
        expect_words(&case, &["reset cases are kept by the setpass at", "on its machine"]);
    }
    let reset = |pin: &str| site.usher_with_input(&["password", "reset", user], &format!("{pin}\n")).unwrap();
    expect_status(&reset("12ab"), 2);
    assert_eq!(old.setpass.puts().unwrap(), [], "nothing is asked for with a PIN that is none");
    // Asking ends the link that the user may have, so a mail that cannot be worded is found out before.
    let templates = workspace::root().join("plugins/standard-mail/templates").display().to_string();
    let broken = site.folder().join("templates");
    copy(Path::new(&templates), &broken);
    fs::write(broken.join("password-reset.txt"), "Subject: {{ nothing").unwrap();
    site.change_settings(&templates, "templates").unwrap();
    let refused = reset(LONG_PIN);
    assert!(refused.status != Some(0), "{}", refused.said());
    assert_eq!(old.setpass.puts().unwrap(), [], "{}", refused.said());
    site.change_settings("files = \"templates\"", &format!("files = \"{templates}\"")).unwrap();

    old.setpass.fault("403 1").unwrap();
    let refused = reset(LONG_PIN);
    expect_status(&refused, 2);
    expect_words(&refused, &["does not let this account register users (403)"]);
    assert!(newcomer::links(&old.stage.mail, user).is_empty());
    expect_status(&reset(LONG_PIN), 0);
    let links = newcomer::links(&old.stage.mail, user);
    assert_eq!((links.len(), leases(&site).as_str()), (1, "0"));
    assert!(
        !is_below(&site.folder().join("state"), LONG_PIN),
        "the PIN is kept where it was only sent on from"
    );
    assert!(is_below(old.folder.path(), LONG_PIN), "the old setpass kept it in clear, so it would be seen");
    assert_eq!(choose_at(&old.stage, &old.setpass.url(), &links[0], user, LONG_PIN), None);
}

#[test]
fn a_registration_that_is_killed_anywhere_leaves_one_link_that_works() {
    let places = [
        "announce to begin#1",
        "announce begun#1",
        "link elsewhere to ask for#1",
        "link elsewhere given#1",
        "announce recorded#1",
        "announce finished#1",
        "mail password claimed#1",
    ];
    let faults = in_parallel(&places, |places| {
        let old = Old::new();
        let killed = places.filter_map(|(number, place)| {
            let user = format!("user@killed{number}.elsewhere.example.org");
            let site = old.site(&user);
            let fault = kill_import_at(&site, place).or_else(|| {
                let run = site.import(&["--all"]).unwrap();
                (run.status != Some(0)).then(|| run.said())
            });
            let fault = fault.or_else(|| old.what_is_wrong(&site, &user))?;
            Some(format!("{place}: {fault}"))
        });
        killed.collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What goes wrong, and the status and the words of the import that meets it, which finishes everything where there
/// are none.
const FAULTS: [(&str, Option<(i32, &str)>); 13] = [
    ("cut-before 1", None),
    ("cut-after 1", None),
    ("silent-after 1", None),
    ("503 1", None),
    ("429 1", None),
    ("401 1", None),
    ("401 1 always", Some((1, "takes no Keystone token of this account (401)"))),
    ("403 1", Some((1, "does not let this account register users (403)"))),
    ("400 1", Some((1, "refuses to register the user (400)"))),
    ("404 1", Some((1, "setpass.remote has to be the root of one"))),
    ("page 1", Some((1, "answers a page where a token should be"))),
    ("503 1 always", Some((1, "is not available at present (503)"))),
    ("cut-after 1 always", Some((1, "cannot be reached"))),
];

#[test]
fn a_registration_that_goes_wrong_is_made_good_or_told_and_made_good_by_the_next_import() {
    let faults = in_parallel(&FAULTS, |faults| {
        let old = Old::new();
        let wrong = faults.filter_map(|(number, (order, told))| {
            let user = format!("user@wrong{number}.elsewhere.example.org");
            let site = old.site(&user);
            site.change_settings("timeout = \"20s\"\n\n[sheet]", "timeout = \"3s\"\n\n[sheet]").unwrap();
            old.setpass.fault(order).unwrap();
            let first = site.import(&["--all"]).unwrap();
            let mut fault = what_is_wrong_with(&first, *told);
            let is_silent = newcomer::links(&old.stage.mail, &user).is_empty();
            if fault.is_none() && is_silent != told.is_some() {
                fault = Some(format!("no link was mailed: {is_silent}"));
            }
            // What was to go on for ever ends.
            old.setpass.fault("cut-before 1000000").unwrap();
            let next = site.import(&["--all"]).unwrap();
            let fault = fault.or_else(|| what_is_wrong_with(&next, None));
            let fault = fault.or_else(|| (leases(&site) != "0").then(|| "a lease is left".to_owned()));
            let fault = fault.or_else(|| old.what_is_wrong(&site, &user))?;
            Some(format!("{order}: {fault}"))
        });
        wrong.collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn what_is_wrong_with(run: &Run, told: Option<(i32, &str)>) -> Option<String> {
    let (status, words) = told.unwrap_or((0, ""));
    let right = run.status == Some(status) && (run.stdout.contains(words) || run.stderr.contains(words));
    (!right).then(|| format!("status {status} and {words:?} were to come: {}", run.said()))
}

//! New users come to the site's mailing list at the end of an import, or of the next one.

mod majordomo;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;

use usher_tests::mailman::{LIST, Mailman};
use usher_tests::sheet::{self, AccessRow};
use usher_tests::site::{Run, Site};

use crate::stage::{Stage, expect_status, expect_words, records};

/// Mailman with the list, in a folder that is gone with it.
struct List {
    mailman: Mailman,
    folder: tempfile::TempDir,
}

impl List {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("usher-mailman-").tempdir().unwrap();
        Self { mailman: Mailman::start(folder.path()).unwrap(), folder }
    }

    /// Leads a site to the list.
    fn use_in(&self, site: &Site) {
        let api = self.mailman.api();
        fs::write(site.folder().join("mailman-password"), &api.password).unwrap();
        configure(
            site,
            &format!(
                "kind = \"mailman\"\nurl = \"{}\"\nuser = \"{}\"\npassword = {{ file = \"mailman-password\" }}\n\
                 list = \"{LIST}\"",
                api.url, api.user
            ),
        );
    }
}

fn configure(site: &Site, keys: &str) {
    site.change_settings("[setpass]\n", &format!("[mailing_list]\n{keys}\n\n[setpass]\n")).unwrap();
}

/// Puts rows into the access sheet, and imports them.
fn import(site: &Site, rows: &[AccessRow]) -> Run {
    sheet::write_access(&site.access(), rows).unwrap();
    site.import(&["--all"]).unwrap()
}

/// The project of a user; OpenStack takes no name of more than 64 characters.
fn project(user: &str) -> String {
    format!("List {}", user.chars().take(50).collect::<String>())
}

fn founding(user: &str) -> AccessRow {
    AccessRow::founding(user, &project(user))
}

#[test]
fn new_users_become_members_and_nobody_else_does() {
    let stage = Stage::new();
    let list = List::new();
    let (first, second, known, subscribed) = (
        "First+tag@new.list.example.org",
        "second@new.list.example.org",
        "known@new.list.example.org",
        "subscribed@new.list.example.org",
    );
    stage.cloud.identity().unwrap().create_user(known, "a password").unwrap();
    let early = [
        ("list_id", LIST),
        ("subscriber", "Subscribed@new.list.example.org"),
        ("pre_verified", "true"),
        ("pre_confirmed", "true"),
        ("pre_approved", "true"),
    ];
    assert_eq!(list.mailman.ask("POST", "members", &early).unwrap().0, 201);
    let mut joining = AccessRow::joining(known, &project(first));
    joining.set(7, "Yes").set(3, "3/14/2018 15:48:50");
    let site = stage.site(&[founding(first), founding(second), joining, founding(subscribed)]);
    list.use_in(&site);

    let plan = site.import(&["--all", "--dry-run"]).unwrap();
    expect_words(&plan, &[&format!("To be subscribed to the list {LIST} of Mailman"), "3 new users"]);
    assert_eq!(list.mailman.members().unwrap(), [subscribed]);

    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["2 new users.", "Already subscribed: 1 new user", "2 users subscribed"]);
    let members = ["first+tag@new.list.example.org", second, subscribed];
    assert_eq!(list.mailman.members().unwrap(), members);
    let written = format!("{}{}", run.said(), records(&site).join("\n"));
    assert!(!written.contains(&list.mailman.api().password), "the password is told");

    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains("ubscri"), "{}", run.said());
    assert_eq!(list.mailman.members().unwrap(), members);
}

#[test]
fn mailman_that_is_down_gets_the_addresses_from_the_next_import() {
    let stage = Stage::new();
    let list = List::new();
    let (first, second) = ("first@down.list.example.org", "second@down.list.example.org");
    let site = stage.site(&[]);
    list.use_in(&site);
    let List { mailman, folder: _folder } = list;
    let mailman = mailman
        .restart(|| {
            let run = import(&site, &[founding(first), founding(second)]);
            expect_status(&run, 3);
            expect_words(
                &run,
                &["2 done", "2 subscriptions wait for the next import", "Mailman cannot be reached"],
            );
            assert_eq!(site.done().unwrap().len(), 3, "the rows are finished all the same");
        })
        .unwrap();
    assert!(mailman.members().unwrap().is_empty());
    let run = site.import(&["--all", "--json"]).unwrap();
    expect_status(&run, 0);
    let subscriptions = &run.json().unwrap()["subscriptions"];
    assert_eq!((&subscriptions["subscribed"], &subscriptions["waiting"]), (&2.into(), &0.into()));
    assert_eq!(mailman.members().unwrap(), [first, second]);
}

#[test]
fn whom_the_list_does_not_take_is_told_once() {
    let stage = Stage::new();
    let list = List::new();
    let (banned, pending, good) =
        ("banned@not.list.example.org", "pending@not.list.example.org", "good@not.list.example.org");
    let (status, _) = list.mailman.ask("POST", &format!("lists/{LIST}/bans"), &[("email", banned)]).unwrap();
    assert_eq!(status, 201);
    // Somebody who asked by themselves, and has not confirmed yet.
    let asked = [("list_id", LIST), ("subscriber", pending)];
    assert_eq!(list.mailman.ask("POST", "members", &asked).unwrap().0, 202);
    let site = stage.site(&[founding(banned), founding(pending), founding(good)]);
    list.use_in(&site);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(
        &run,
        &[
            "3 done",
            &format!("{banned} cannot be subscribed to the list {LIST}"),
            "a moderator can lift the ban",
            "1 subscription waits until a moderator",
            "1 user subscribed, 1 subscription refused.",
        ],
    );
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains("ubscri"), "{}", run.said());
    assert_eq!(list.mailman.members().unwrap(), [good]);
}

#[test]
fn what_is_wrong_with_mailmans_settings_is_told_and_made_good() {
    let stage = Stage::new();
    let list = List::new();
    let user = "user@settings.list.example.org";
    let site = stage.site(&[]);
    list.use_in(&site);
    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 0);
    expect_words(&doctor, &["users@lists.example.org, members: 0"]);

    site.change_settings(LIST, "nobody.lists.example.org").unwrap();
    let run = import(&site, &[founding(user)]);
    expect_status(&run, 2);
    let told = "no list with the id nobody.lists.example.org";
    expect_words(&run, &["1 done", "1 subscription waits for the next import", told]);
    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 2);
    expect_words(&doctor, &[told]);

    site.change_settings("nobody.lists.example.org", LIST).unwrap();
    fs::write(site.folder().join("mailman-password"), "not-the-password").unwrap();
    for arguments in [["import", "--all"].as_slice(), &["doctor"]] {
        let run = site.usher(arguments).unwrap();
        expect_status(&run, 2);
        expect_words(&run, &["does not accept the user", "admin_pass"]);
        assert!(!run.said().contains("not-the-password"), "{}", run.said());
    }
    assert!(list.mailman.members().unwrap().is_empty());
    fs::write(site.folder().join("mailman-password"), &list.mailman.api().password).unwrap();
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert_eq!(list.mailman.members().unwrap(), [user]);
}

/// Writes a program that keeps what it is given below the site, and fails as long as there is a file `broken`.
fn write_program(file: &Path) {
    let script = "#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 9
if [ -e broken ]; then echo 'the list is being moved' >&2; exit 4; fi
printf '[%s]' \"$@\" >>called
cat >>called
";
    fs::write(file, script).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_command_gets_the_addresses_and_where_it_fails_gets_them_again() {
    let stage = Stage::new();
    let (first, second) = ("first@command.list.example.org", "second@command.list.example.org");
    let site = stage.site(&[]);
    write_program(&site.folder().join("subscribe all"));
    fs::write(site.folder().join("broken"), "").unwrap();
    configure(
        &site,
        "kind = \"command\"\ncommand = [\"./subscribe all\", \"cloud users\", \"; touch injected\", \"$HOME\"]",
    );
    let run = import(&site, &[founding(first), founding(second)]);
    expect_status(&run, 1);
    expect_words(
        &run,
        &["2 done", "2 subscriptions wait", "failed (exit status: 4): the list is being moved"],
    );
    assert!(!site.folder().join("called").exists());

    fs::remove_file(site.folder().join("broken")).unwrap();
    let run = import(&site, &[]);
    expect_status(&run, 0);
    expect_words(&run, &["Subscribed to the list kept by the command", "2 new users"]);
    let called = fs::read_to_string(site.folder().join("called")).unwrap();
    assert_eq!(called, format!("[cloud users][; touch injected][$HOME]{first}\n{second}\n"));
    assert!(!site.folder().join("injected").exists());
    expect_status(&import(&site, &[]), 0);
    assert_eq!(
        fs::read_to_string(site.folder().join("called")).unwrap(),
        called,
        "nobody was left to subscribe"
    );

    expect_words(&site.usher(&["doctor"]).unwrap(), &["list kept by the command"]);
    fs::set_permissions(site.folder().join("subscribe all"), fs::Permissions::from_mode(0o600)).unwrap();
    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 2);
    expect_words(&doctor, &["make it executable"]);
}

#[test]
fn an_international_domain_is_subscribed_in_its_ascii_form_and_no_option_is() {
    let stage = Stage::new();
    let site = stage.site(&[founding("user@bücher.list.example.org"), founding("-odd@list.example.org")]);
    write_program(&site.folder().join("subscribe"));
    configure(&site, "kind = \"command\"\ncommand = [\"./subscribe\"]");
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["2 done", "-odd@list.example.org cannot be subscribed", "1 user subscribed"]);
    let called = fs::read_to_string(site.folder().join("called")).unwrap();
    assert_eq!(called, "[]user@xn--bcher-kva.list.example.org\n");
}

#[test]
fn a_list_whose_password_is_missing_stops_the_import_and_nothing_else() {
    let stage = Stage::new();
    let user = "user@broken.list.example.org";
    let site = stage.site(&[founding(user)]);
    configure(
        &site,
        "kind = \"majordomo\"\naddress = \"majordomo@lists.example.org\"\nlist = \"users\"\n\
         password = { file = \"no-such-file\" }",
    );
    for arguments in [["import", "--all", "--dry-run"].as_slice(), &["import", "--all"], &["doctor"]] {
        let run = site.usher(arguments).unwrap();
        expect_status(&run, 2);
        expect_words(&run, &["mailing_list.password", "no-such-file"]);
    }
    assert!(stage.cloud.identity().unwrap().user_id(user).unwrap().is_none(), "the import began");
    expect_status(&site.usher(&["mail", "list"]).unwrap(), 0);
    let serving = site.serve().unwrap();
    drop(serving);
}

/// Runs an import that dies at a place.
#[track_caller]
fn kill_at(site: &Site, place: &str) {
    let mut command = site.command(&["import", "--all"]);
    let status = command
        .env("USHER_KILL_AT", format!("{place}#1"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(9), "{place} was not reached: {status}");
}

#[test]
fn an_import_that_dies_while_it_subscribes_loses_nobody_and_tells_majordomo_once() {
    let stage = Stage::new();
    let list = List::new();
    let (first, second) = ("first@killed.list.example.org", "second@killed.list.example.org");
    let site = stage.site(&[founding(first), founding(second)]);
    list.use_in(&site);
    kill_at(&site, "subscription taken");
    assert_eq!(list.mailman.members().unwrap(), [first]);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["Already subscribed: 1 new user", "1 user subscribed"]);
    assert_eq!(list.mailman.members().unwrap(), [first, second]);

    for (number, place) in ["subscriptions mailed", "subscriptions finished"].into_iter().enumerate() {
        let user = format!("user{number}@killed.list.example.org");
        let site = stage.site(&[founding(&user)]);
        configure(&site, "kind = \"majordomo\"\naddress = \"majordomo@lists.example.org\"\nlist = \"users\"");
        kill_at(&site, place);
        expect_status(&site.import(&["--all"]).unwrap(), 0);
        expect_status(&site.import(&["--all"]).unwrap(), 0);
        let command = format!("subscribe users {user}");
        let mails = stage.mail.received().unwrap();
        let told = mails
            .iter()
            .filter(|mail| mail.text.as_ref().is_some_and(|text| text.lines().any(|line| line == command)));
        assert_eq!(told.count(), 1, "{place}");
    }
}

#[test]
fn without_a_list_nothing_is_kept_for_one() {
    let stage = Stage::new();
    let site = stage.site(&[founding("user@none.list.example.org")]);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains("ubscri"), "{}", run.said());
    let lines = records(&site);
    assert!(!lines.iter().any(|line| line.contains("INSERT INTO \"subscription\"")), "{lines:?}");
}

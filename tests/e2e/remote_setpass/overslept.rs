//! Two processes that register one user: what is mailed last works, also where one of them was stalled for longer than
//! its turn lasts.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use usher_tests::process;
use usher_tests::site::{self, Site};

use super::{LONG_PIN, Old, PIN, choose_at, in_database, leases};
use crate::newcomer;
use crate::scene::in_parallel;
use crate::stage::expect_status;

/// A run of the program that waits at a place. Ended on drop.
struct Held {
    child: Option<Child>,
    // Open for as long as the run may read from it.
    _stdin: Option<ChildStdin>,
    file: PathBuf,
}

impl Held {
    /// Starts a run, and returns when it has come to the place.
    fn start(mut command: Command, site: &Site, place: &str, input: Option<&str>) -> Self {
        let (file, places) = (site.folder().join("hold"), site.folder().join("places"));
        fs::write(&file, "").unwrap();
        command.env("USHER_HOLD_AT", place).env("USHER_HOLD_WHILE", &file).env("USHER_PLACES", &places);
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take();
        if let (Some(stdin), Some(input)) = (&mut stdin, input) {
            stdin.write_all(input.as_bytes()).unwrap();
        }
        let held = Self { child: Some(child), _stdin: stdin, file };
        wait_for_place(&places, place);
        held
    }

    /// Lets it go on, and waits for its end.
    fn go_on(mut self) -> Option<i32> {
        fs::remove_file(&self.file).unwrap();
        self.child.take().unwrap().wait().unwrap().code()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            process::terminate(child, Duration::ZERO);
        }
    }
}

fn wait_for_place(places: &Path, place: &str) {
    process::wait_for(&format!("the run to come to {place}"), Duration::from_secs(60), || {
        let reached = fs::read_to_string(places).unwrap_or_default();
        Ok(reached.lines().any(|line| line == place).then_some(()))
    })
    .unwrap();
}

/// As if all turns had been taken long ago.
fn end_turns(site: &Site) {
    in_database(site, "database.execute('UPDATE lease SET expires = 0'); database.commit()");
}

/// As if somebody had watched the import for long enough to be sure that it is dead, and taken it over.
fn end_import(site: &Site) {
    in_database(site, "database.execute(\"DELETE FROM lease WHERE name = 'import'\"); database.commit()");
}

#[test]
fn two_resets_of_one_user_at_once_come_one_after_the_other_and_the_last_link_works() {
    let old = Old::new();
    let user = "user@two.elsewhere.example.org";
    old.stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = old.stage.site(&[]);
    site.use_setpass_at(&old.setpass.url()).unwrap();
    let first = Held::start(
        site.command(&["password", "reset", user]),
        &site,
        "link elsewhere to ask for#1",
        Some("7359\n"),
    );
    let places = site.folder().join("places of the second");
    let second = thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut command = site.command(&["password", "reset", user]);
            site::run(command.env("USHER_PLACES", &places), Some(&format!("{LONG_PIN}\n"))).unwrap()
        });
        wait_for_place(&places, "turn to register wanted#1");
        assert_eq!(old.setpass.puts().unwrap(), []);
        assert_eq!(first.go_on(), Some(0));
        second.join().unwrap()
    });
    expect_status(&second, 0);
    let links = newcomer::links(&old.stage.mail, user);
    assert_eq!((old.setpass.puts().unwrap().len(), leases(&site).as_str()), (2, "0"));
    assert_eq!(choose_at(&old.stage, &old.setpass.url(), links.last().unwrap(), user, LONG_PIN), None);
}

/// Where a reset is stalled, and how often the user is registered then: by the other reset, by this one in another
/// turn, and by this one in the turn that it has lost where it is too late to find out.
const PLACES: [(&str, usize); 3] =
    [("turn to register taken#1", 2), ("link elsewhere to ask for#1", 3), ("link elsewhere given#1", 3)];

#[test]
fn a_reset_that_oversleeps_its_turn_takes_another_and_the_link_mailed_last_works() {
    let faults = in_parallel(&PLACES, |places| {
        let old = Old::new();
        let identity = old.stage.cloud.identity().unwrap();
        let wrong = places.filter_map(|(number, (place, puts))| {
            let user = format!("user@overslept{number}.elsewhere.example.org");
            let id = identity.create_user(&user, "the old password").unwrap();
            let site = old.stage.site(&[]);
            site.use_setpass_at(&old.setpass.url()).unwrap();
            let reset = ["password", "reset", &user];
            let pin = format!("{LONG_PIN}\n");
            let held = Held::start(site.command(&reset), &site, place, Some(&pin));
            end_turns(&site);
            expect_status(&site.usher_with_input(&reset, "7359\n").unwrap(), 0);
            let status = held.go_on();
            let links = newcomer::links(&old.stage.mail, &user);
            let registered = old.setpass.puts().unwrap().iter().filter(|put| put.user == id).count();
            let fault = ((status, links.len(), registered) != (Some(0), 2, *puts))
                .then(|| format!("status {status:?}, {} links, {registered} registrations", links.len()));
            let url = old.setpass.url();
            let fault = fault.or_else(|| choose_at(&old.stage, &url, links.last()?, &user, LONG_PIN))?;
            Some(format!("{place}: {fault}"))
        });
        wrong.collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Where an import is stalled, how often the user is registered then, and how many links are mailed.
const IMPORTS: [(&str, usize, usize); 2] =
    [("announce begun#1", 1, 1), ("link elsewhere to ask for#1", 3, 2)];

#[test]
fn an_import_that_oversleeps_its_turn_leaves_a_link_that_works() {
    let faults = in_parallel(&IMPORTS, |imports| {
        let old = Old::new();
        let wrong = imports.filter_map(|(number, (place, puts, mailed))| {
            let user = format!("user@overslept-import{number}.elsewhere.example.org");
            let site = old.site(&user);
            let held = Held::start(site.command(&["import", "--all"]), &site, place, None);
            end_turns(&site);
            end_import(&site);
            expect_status(&site.import(&["--all"]).unwrap(), 0);
            // Whether it finds out that another import has taken over is chance.
            held.go_on();
            // Sends what it has left.
            expect_status(&site.import(&["--all"]).unwrap(), 0);
            let links = newcomer::links(&old.stage.mail, &user);
            let id = old.stage.cloud.identity().unwrap().user_id(&user).unwrap().unwrap();
            let registered = old.setpass.puts().unwrap().iter().filter(|put| put.user == id).count();
            let fault = ((registered, links.len()) != (*puts, *mailed))
                .then(|| format!("{registered} registrations, {} links", links.len()));
            let rows = site.requests().unwrap().len();
            let fault = fault.or_else(|| (rows != 1).then(|| format!("{rows} rows stayed")));
            let url = old.setpass.url();
            let fault = fault.or_else(|| choose_at(&old.stage, &url, links.last()?, &user, PIN))?;
            Some(format!("{place}: {fault}"))
        });
        wrong.collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

//! What operators see of imports and mails that are over, and what they can still do about them.

use serde_json::Value;
use usher_tests::mail_server::{Behaviour, MailServer};
use usher_tests::process;
use usher_tests::sheet::AccessRow;
use usher_tests::site::{Run, Site};

use crate::newcomer;
use crate::stage::{Stage, entries, expect_schema, expect_status, expect_words, on_a_terminal, text};

#[test]
fn a_refused_mail_is_listed_shown_tried_again_and_dropped() {
    let user = "user@mails.looking.example.org";
    let refusing = Behaviour { refuse: vec![user.to_owned()], ..Behaviour::default() };
    let stage = Stage::with_mail(&refusing);
    let site = stage.site(&[AccessRow::founding(user, "Looking Mails")]);
    expect_status(&site.import(&["--all"]).unwrap(), 1);

    let list = mails(&site);
    let kinds: Vec<_> = list.iter().map(|mail| text(mail, "kind")).collect();
    assert_eq!(kinds, ["new-project", "welcome", "password"]);
    assert!(list.iter().all(|mail| mail["state"] == "refused" && mail["to"][0] == user), "{list:?}");
    let table = site.usher(&["mail", "list"]).unwrap();
    expect_status(&table, 0);
    expect_words(&table, &["new-project", "refused", user]);
    let number = |index: usize| list[index]["number"].to_string();

    let shown = site.usher(&["mail", "show", &number(2)]).unwrap();
    expect_status(&shown, 0);
    expect_words(&shown, &["refused", "550", user]);
    assert!(!shown.stdout.contains("token="), "links are shown only to who asks for the content");
    let content = site.usher(&["mail", "show", &number(2), "--content"]).unwrap();
    expect_status(&content, 0);
    let kept = std::fs::read_to_string(text(&list[2], "kept_in")).unwrap();
    assert_eq!(content.stdout, kept);

    // The same server, which refuses still.
    let again = site.usher(&["mail", "retry", &number(2)]).unwrap();
    expect_status(&again, 1);
    expect_words(&again, &["refused", "550"]);
    // One that takes everything.
    let folder = tempfile::tempdir().unwrap();
    let other = MailServer::start(folder.path(), &Behaviour::default()).unwrap();
    let (port, other_port) = (format!("port = {}", stage.mail.port()), format!("port = {}", other.port()));
    site.change_settings(&port, &other_port).unwrap();
    let ca = stage.mail.ca_file().display().to_string();
    site.change_settings(&ca, &other.ca_file().display().to_string()).unwrap();
    let dropped = site.usher(&["mail", "drop", &number(0)]).unwrap();
    expect_status(&dropped, 0);
    let sent = site.usher(&["mail", "retry", "--all"]).unwrap();
    expect_status(&sent, 0);
    let subjects: Vec<String> = other.received().unwrap().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    let link = newcomer::links(&other, user).remove(0);
    let serving = site.serve().unwrap();
    assert_eq!(newcomer::choose(&serving, &link, "4821", "a password of the user's own").status, 200);

    assert!(mails(&site).is_empty());
    let all = site.usher(&["mail", "list", "--all", "--json"]).unwrap().json().unwrap();
    let states: Vec<_> = entries(&all).iter().map(|mail| text(mail, "state")).collect();
    assert_eq!(states, ["dropped", "sent", "sent"]);
    for (arguments, words) in [
        (["mail", "retry", &number(1)], "was sent already"),
        (["mail", "drop", &number(0)], "was dropped already"),
        (["mail", "show", "99"], "no mail 99"),
    ] {
        let run = site.usher(&arguments).unwrap();
        expect_status(&run, 1);
        expect_words(&run, &[words]);
    }
}

fn mails(site: &Site) -> Vec<Value> {
    let list = site.usher(&["mail", "list", "--json"]).unwrap();
    expect_status(&list, 0);
    entries(&list.json().unwrap()).to_vec()
}

#[test]
fn past_imports_are_listed_and_shown_with_steps_times_and_errors() {
    let stage = Stage::new();
    let user = "user@history.looking.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Looking History")]);
    // Nova takes no such number, so the first run ends after its project was made.
    site.change_settings("instances = 7", "instances = 9000000000").unwrap();
    expect_status(&site.import(&["--all"]).unwrap(), 1);
    site.change_settings("instances = 9000000000", "instances = 7").unwrap();
    let mut killed = site.command(&["import", "--all"]);
    killed.env("USHER_KILL_AT", "create-user done#1");
    assert_eq!(process::output(&mut killed).unwrap().status.code(), None);
    expect_status(&site.import(&["--all"]).unwrap(), 0);

    let history = site.usher(&["import", "history"]).unwrap();
    expect_status(&history, 0);
    expect_words(&history, &["1 failed", "did not end", "1 done, 1 row moved, 3 mails sent"]);
    let runs = site.usher(&["import", "history", "--json", "--last", "2"]).unwrap().json().unwrap();
    let numbers: Vec<_> = entries(&runs).iter().map(|run| run["run"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [3, 2]);
    assert!(runs[1]["finished"].is_null() && !runs[0]["finished"].is_null(), "{runs}");

    let first = site.usher(&["import", "show", "1"]).unwrap();
    expect_status(&first, 0);
    expect_words(&first, &["create-project:looking history", "Nova refuses", user]);
    let last = site.usher(&["import", "show", "3", "--json"]).unwrap().json().unwrap();
    let steps: Vec<_> = entries(&last["steps"]).iter().map(|step| text(step, "step")).collect();
    assert!(
        steps.contains(&format!("create-user:{user}").as_str()) && steps.contains(&"announce"),
        "{steps:?}"
    );
    let user_step = entries(&last["steps"]).iter().find(|step| text(step, "step").starts_with("create-user"));
    assert_eq!(user_step.unwrap()["attempts"], 2);
    assert_eq!(last["report"]["rows"][0]["outcome"], "done");
    let unknown = site.usher(&["import", "show", "9"]).unwrap();
    expect_status(&unknown, 1);
    expect_words(&unknown, &["no run 9", "usher import history"]);
}

/// Each JSON output against its schema, by a validator that is not ours.
#[test]
fn what_is_printed_as_json_is_what_the_schemas_say() {
    let stage = Stage::new();
    let mut without_pin = AccessRow::founding("pinless@schema.looking.example.org", "Looking Pinless");
    without_pin.set(12, "");
    let mut waiting = AccessRow::founding("waiting@schema.looking.example.org", "Looking Waiting");
    waiting.set(0, "");
    let site = stage.site(&[
        AccessRow::founding("user@schema.looking.example.org", "Looking Schema"),
        without_pin,
        AccessRow::joining("joiner@schema.looking.example.org", "Looking Missing"),
        waiting,
    ]);
    let plan = site.import(&["--all", "--dry-run", "--json"]).unwrap();
    let fates: Vec<String> =
        entries(&plan.json().unwrap()["rows"]).iter().map(|row| text(row, "fate").to_owned()).collect();
    assert_eq!(fates, ["apply", "rejected", "conflict", "waiting"]);
    expect_valid(&site, "plan", &plan);
    expect_valid(&site, "report", &site.import(&["--all", "--json"]).unwrap());
    expect_valid(&site, "history", &site.usher(&["import", "history", "--json"]).unwrap());
    expect_valid(&site, "run", &site.usher(&["import", "show", "1", "--json"]).unwrap());
}

#[track_caller]
fn expect_valid(site: &Site, output: &str, run: &Run) {
    let schema = site.usher(&["import", "schema", output]).unwrap();
    expect_status(&schema, 0);
    expect_schema(&schema.stdout, &run.stdout);
}

#[test]
fn a_terminal_shows_progress_and_colours_and_a_pipe_plain_lines() {
    let stage = Stage::new();
    let row = |user: &str| {
        AccessRow::founding(&format!("{user}@screen.looking.example.org"), &format!("Screen {user}"))
    };
    let site = stage.site(&[row("first"), row("second")]);
    let plan = on_a_terminal(&site, &["import", "--all", "--dry-run"], &[]);
    let green = "\u{1b}[38;5;10m";
    assert!(plan.contains(green) && plan.contains("In sum: 2 projects, 2 users, 2 roles, 6 mails"), "{plan}");
    let run = site.import(&["--user", "first@screen.looking.example.org"]).unwrap();
    expect_status(&run, 0);
    assert!(run.stderr.contains("row 2: done\n") && !run.said().contains('\u{1b}'), "{}", run.said());
    let screen = on_a_terminal(&site, &["import", "--all"], &[]);
    assert!(screen.contains("1 of 1 requests") && screen.contains("up to 4 calls at a time"), "{screen}");
    assert!(screen.contains("/s") && screen.contains("1 done, 1 row moved, 3 mails sent"), "{screen}");
}

/// `usher import --all | less` that is left with `q` at once.
#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let stage = Stage::new();
    let user = "user@pipe.looking.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Looking Pipe")]);
    let history = site.usher(&["import", "history"]).unwrap();
    expect_words(&history, &["There has been no import yet."]);
    for arguments in [&["import", "--all"][..], &["import", "history"], &["mail", "list", "--all"]] {
        let mut command = site.command(arguments);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
    assert_eq!(site.done().unwrap().len(), 2);
    assert_eq!(stage.mail.received().unwrap().len(), 3);
}

//! Jobs that run by themselves in `usher serve`: at their times, once on two hosts, through SIGTERM and SIGKILL, and with
//! what systemd is told.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use usher_tests::process::wait_for;
use usher_tests::sheet::{AccessRow, REQUESTS};
use usher_tests::site::Site;
use usher_tests::{process, workspace};

use crate::stage::{Stage, entries, expect_schema, expect_status, expect_words, text};

const LONG: Duration = Duration::from_secs(120);

/// Changes a site's records as somebody with the sqlite shell would.
fn change_records(site: &Site, statement: &str) {
    let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1], timeout=30) as d: print(d.execute(sys.argv[2]).rowcount)";
    let mut python = Command::new(workspace::python_packages().join("bin/python"));
    python.args(["-c", script]).arg(site.folder().join("state/usher.sqlite")).arg(statement);
    let output = process::output(&mut python).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Has the import run by itself, and makes it look as if its last occasion had been missed, so that it is made up for
/// when a server starts.
fn miss_an_import(site: &Site) {
    let settings = site.settings();
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}\n[schedule.import]\ncron = \"@weekly\"\n")).unwrap();
    expect_status(&site.usher(&["run", "expire-tokens"]).unwrap(), 0);
    change_records(site, "INSERT INTO job (name, looked_until) VALUES ('import', 0)");
}

fn occasions(site: &Site, job: &str) -> Vec<Value> {
    let run = site.usher(&["schedule", "show", job, "--json"]).unwrap();
    expect_status(&run, 0);
    entries(&run.json().unwrap()).to_vec()
}

/// Waits until the last occasion of the import is in a state.
fn wait_for_state(site: &Site, state: &str) -> Value {
    wait_for(&format!("an import that is {state}"), LONG, || {
        let last = occasions(site, "import").into_iter().next();
        Ok(last.filter(|last| text(last, "state") == state))
    })
    .unwrap()
}

#[test]
fn an_import_that_was_missed_is_made_up_for_once_by_two_hosts() {
    let stage = Stage::new();
    let site = stage.site(&[AccessRow::founding("one@schedule.example.org", "Schedule")]);
    miss_an_import(&site);
    let (one, other) = (site.serve().unwrap(), site.serve().unwrap());
    let last = wait_for_state(&site, "done");
    assert_eq!(last["attempts"], 1);
    assert!(last["stands_for"].as_u64().unwrap() > 50, "{last}");
    assert!(text(&last, "summary").starts_with("1 done"), "{last}");
    assert_eq!(site.done().unwrap().len(), 2);
    drop((one, other));
    assert_eq!(occasions(&site, "import").len(), 1);

    let listed = site.usher(&["schedule"]).unwrap();
    expect_words(&listed, &["import", "@weekly", "done: 1 done", "expire-tokens", "only by hand"]);
    let json = site.usher(&["schedule", "--json"]).unwrap();
    let jobs = json.json().unwrap();
    let import = entries(&jobs).iter().find(|job| text(job, "job") == "import").unwrap();
    assert!(text(import, "next").contains("T00:00:00-0"), "midnight in New York: {import}");
    expect_schema(&site.usher(&["schedule", "schema", "list"]).unwrap().stdout, &json.stdout);
    let shown = site.usher(&["schedule", "show", "import", "--json"]).unwrap();
    expect_schema(&site.usher(&["schedule", "schema", "show"]).unwrap().stdout, &shown.stdout);
    let by_hand = occasions(&site, "expire-tokens");
    assert!(by_hand.iter().any(|occasion| occasion["by_hand"] == true), "{by_hand:?}");
}

#[test]
fn an_import_under_way_at_sigterm_finishes_its_step_and_goes_on_after_the_restart() {
    let stage = Stage::new();
    let rows: Vec<_> = (0..12)
        .map(|n| AccessRow::founding(&format!("n{n}@stopped.example.org"), &format!("Stopped {n}")))
        .collect();
    let site = stage.site(&rows);
    miss_an_import(&site);
    let serving = site.serve().unwrap();
    wait_for_state(&site, "running");
    let begun = || {
        let run = site.usher(&["import", "history", "--json"]).unwrap();
        Ok((!entries(&run.json().unwrap()).is_empty()).then_some(()))
    };
    wait_for("the import to begin", LONG, begun).unwrap();
    let asked = Instant::now();
    let status = serving.stop();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    // A little more than schedule.grace, after which it is cut off.
    assert!(asked.elapsed() < Duration::from_secs(45), "{:?}", asked.elapsed());
    let last = wait_for_state(&site, "waiting");
    assert_eq!(last["attempts"], 0, "an interruption is no failure: {last}");
    assert!(site.done().unwrap().len() < 13, "it was finished before it could be stopped");
    // Nobody holds anything any more: by hand, it runs at once.
    let serving = site.serve().unwrap();
    let last = wait_for_state(&site, "done");
    assert_eq!((&last["attempts"], occasions(&site, "import").len()), (&Value::from(1), 1));
    assert_eq!(site.done().unwrap().len(), 13);
    drop(serving);
}

#[test]
fn an_import_whose_host_is_killed_is_finished_after_the_restart() {
    let stage = Stage::new();
    let site = stage.site(&[AccessRow::founding("killed@killed.example.org", "Killed")]);
    miss_an_import(&site);
    let mut command = site.command(&["serve"]);
    command.env("USHER_KILL_AT", "requests finished#1");
    let serving = site.serve_with(command).unwrap();
    let pid = serving.id();
    wait_for("the host to be killed", LONG, || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        Ok(stat.rsplit_once(')').is_none_or(|(_, rest)| rest.starts_with(" Z")).then_some(()))
    })
    .unwrap();
    drop(serving);
    assert_eq!(occasions(&site, "import")[0]["state"], "running");
    let serving = site.serve().unwrap();
    let last = wait_for_state(&site, "done");
    assert_eq!((&last["attempts"], occasions(&site, "import").len()), (&Value::from(2), 1));
    assert_eq!(site.done().unwrap().len(), 2);
    drop(serving);
}

#[test]
fn an_import_by_hand_finishes_its_step_at_sigterm_and_the_next_one_goes_on() {
    let stage = Stage::new();
    let rows: Vec<_> = (0..12)
        .map(|n| AccessRow::founding(&format!("n{n}@byhand.example.org"), &format!("By hand {n}")))
        .collect();
    let site = stage.site(&rows);
    let mut command = site.command(&["run", "import"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.spawn().unwrap();
    let begun = || {
        let run = site.usher(&["import", "history", "--json"]).unwrap();
        Ok((run.status == Some(0) && !entries(&run.json().unwrap()).is_empty()).then_some(()))
    };
    wait_for("the import to begin", LONG, begun).unwrap();
    let status = process::terminate(&mut running, Duration::from_secs(25));
    assert_eq!(
        status.and_then(|status| status.code()),
        Some(1),
        "it ends by itself, and says that something is left"
    );
    let interrupted = occasions(&site, "import");
    assert_eq!(text(&interrupted[0], "summary"), "interrupted: Usher was told to end");
    assert!(site.done().unwrap().len() < 13, "it was finished before it could be stopped");
    expect_status(&site.usher(&["run", "import"]).unwrap(), 0);
    assert_eq!(site.done().unwrap().len(), 13);
    assert_eq!(occasions(&site, "import").len(), 2);
}

#[test]
fn each_job_runs_at_its_time_unless_it_is_switched_off() {
    let stage = Stage::new();
    let site = stage.site(&[AccessRow::founding("off@switched.example.org", "Switched off")]);
    site.change_settings("[setpass]\n", "[reminder]\nto = [\"approvers@example.org\"]\n\n[setpass]\n")
        .unwrap();
    site.change_settings("enabled = false", "cron = \"@daily\"").unwrap();
    let text_before = fs::read_to_string(site.settings()).unwrap();
    let schedule = "\n[schedule.import]\ncron = \"* * * * *\"\nenabled = false\n[schedule.quotas]\ncron = \"@daily\"\n\
                    [schedule.outbox]\nenabled = false\n";
    fs::write(site.settings(), text_before + schedule).unwrap();
    expect_status(&site.usher(&["run", "outbox"]).unwrap(), 0);
    let jobs = ["quotas", "notify", "remind", "expire-tokens", "expire-quotas", "retention"];
    for job in jobs.iter().chain(&["import"]) {
        let days_ago = "(strftime('%s', 'now') - 8 * 86400) * 1000";
        change_records(&site, &format!("INSERT INTO job (name, looked_until) VALUES ('{job}', {days_ago})"));
    }
    let serving = site.serve().unwrap();
    for job in jobs {
        wait_for(&format!("the job {job}"), LONG, || {
            let over = |one: &Value| matches!(text(one, "state"), "done" | "partly");
            let ran = occasions(&site, job);
            assert!(!ran.iter().any(|one| text(one, "state") == "failed"), "{job}: {ran:?}");
            Ok(ran.iter().any(over).then_some(()))
        })
        .unwrap();
    }
    assert_eq!(occasions(&site, "import"), [Value::Null; 0], "it is switched off");
    let listed = site.usher(&["schedule", "--json"]).unwrap().json().unwrap();
    let of = |job: &str| entries(&listed).iter().find(|one| text(one, "job") == job).unwrap();
    assert!(of("outbox")["every_seconds"].is_null() && of("import")["next"].is_null(), "{listed}");
    site.change_settings("[schedule.outbox]\nenabled = false", "[schedule.outbox]\nenabled = true").unwrap();
    let listed = site.usher(&["schedule"]).unwrap();
    expect_words(&listed, &["outbox", "every 3 s"]);
    drop(serving);
}

#[test]
fn systemd_is_told_that_the_server_is_ready_and_well_and_about_to_stop() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let path = site.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let told = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut command = site.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000").env_remove("WATCHDOG_PID");
    let serving = site.serve_with(command).unwrap();
    assert_eq!(told(), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(told(), "WATCHDOG=1\n");
    }
    // Whoever holds the database keeps the server from writing, and the watchdog from being told that it is well.
    let script = "import sqlite3, sys\nd = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\nd.execute('BEGIN IMMEDIATE')\n\
                  print('held', flush=True)\nsys.stdin.read()";
    let mut holding = Command::new(workspace::python_packages().join("bin/python"))
        .args(["-c", script])
        .arg(site.folder().join("state/usher.sqlite"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(holding.stdout.as_mut().unwrap(), &mut held).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    let mut buffer = [0; 64];
    let patience = Instant::now() + LONG;
    let silent = loop {
        match socket.recv(&mut buffer) {
            Err(_) => break true,
            // Told before the database was held, or while the server has not noticed.
            Ok(_) if Instant::now() < patience => {}
            Ok(_) => break false,
        }
    };
    drop(holding.stdin.take());
    holding.wait().unwrap();
    assert!(silent, "the watchdog was told that a server is well that cannot write");
    socket.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(told(), "WATCHDOG=1\n");
    assert!(serving.stop().is_some_and(|status| status.success()));
    let last = loop {
        match told().as_str() {
            "WATCHDOG=1\n" => {}
            other => break other.to_owned(),
        }
    };
    assert_eq!(last, "STOPPING=1\n");
}

#[test]
fn a_job_of_the_sites_own_runs_by_itself_and_by_hand_and_its_report_is_shown() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let settings = fs::read_to_string(site.settings()).unwrap();
    let job = format!(
        "\n[schedule]\nalert_to = \"ops@example.org\"\n[plugins.jobs.digest]\ncomponent = \"{}\"\n\
         grants = [\"keystone\", \"keystone-admin\", \"mail\", \"sheet\", \"token\"]\nschedule = {{ cron = \"@yearly\" }}\n\
         [plugins.jobs.digest.settings]\nfail = \"FAIL\"\n",
        workspace::component("busy-job").unwrap().display()
    );
    fs::write(site.settings(), format!("{settings}{job}")).unwrap();
    site.change_settings("\"FAIL\"", "\"final\"").unwrap();
    let dry = site.usher(&["run", "digest", "--dry-run"]).unwrap();
    expect_status(&dry, 2);
    expect_words(&dry, &["somebody has to act"]);
    let unknown = site.usher(&["run", "diges"]).unwrap();
    expect_status(&unknown, 2);
    expect_words(&unknown, &["there is no job diges: there are import, quotas", "digest"]);

    // One that comes along, with its grants and settings.
    let digest = format!(
        "\n[plugins.jobs.weekly-digest]\ncomponent = \"{}\"\ngrants = [\"sheet\", \"mail\"]\n\
         [plugins.jobs.weekly-digest.settings]\nto = [\"admins@example.org\"]\n",
        workspace::component("weekly-digest").unwrap().display()
    );
    let settings = fs::read_to_string(site.settings()).unwrap();
    fs::write(site.settings(), settings + &digest).unwrap();
    // A worksheet that the site has to make, and another one that is not what it is called.
    let missing = site
        .usher(&["run", "weekly-digest", "--dry-run", "--settings", &site.settings().display().to_string()])
        .unwrap();
    expect_status(&missing, 2);
    expect_words(&missing, &["there is no worksheet \"Weekly Digest\""]);
    let requests = site.access().join(format!("{REQUESTS}.csv"));
    fs::rename(&requests, site.access().join("Answers.csv")).unwrap();
    let missing = site.usher(&["run", "notify", "--dry-run"]).unwrap();
    expect_status(&missing, 2);
    expect_words(&missing, &["access sheet: there is no worksheet"]);
    fs::rename(site.access().join("Answers.csv"), &requests).unwrap();
    fs::write(site.access().join("Weekly Digest.csv"), "Digest,Request\n").unwrap();
    expect_status(&site.usher(&["run", "weekly-digest"]).unwrap(), 0);
    let shown = site.usher(&["schedule", "show", "weekly-digest"]).unwrap();
    expect_words(&shown, &["by hand, done: nobody was admitted"]);

    // It was missed, fails for good, and the operator is told.
    expect_status(&site.usher(&["run", "expire-tokens"]).unwrap(), 0);
    change_records(&site, "INSERT INTO job (name, looked_until) VALUES ('digest', 0)");
    let serving = site.serve().unwrap();
    let mails = stage.mail.wait_for(1).unwrap();
    assert!(mails[0].subject.contains("the job digest keeps failing"), "{mails:?}");
    expect_words(&site.usher(&["schedule"]).unwrap(), &["`usher serve` is running: process "]);
    drop(serving);
    expect_words(&site.usher(&["schedule"]).unwrap(), &["No `usher serve` is running"]);
    assert_eq!(occasions(&site, "digest")[0]["state"], "failed");

    // It is mended, works by hand, and the operator is told that too.
    site.change_settings("\"final\"", "\"no\"").unwrap();
    let run = site.usher(&["run", "digest"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["called everything", "find-user"]);
    let mails = stage.mail.wait_for(2).unwrap();
    assert!(mails.iter().any(|mail| mail.subject.contains("the job digest works again")), "{mails:?}");
    let shown = site.usher(&["schedule", "show", "digest"]).unwrap();
    expect_words(
        &shown,
        &["by hand, done: called everything", "find-user", "failed: busy-job: somebody has to act"],
    );
}

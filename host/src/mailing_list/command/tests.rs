use super::*;

/// A program in a folder of its own.
fn script(folder: &tempfile::TempDir, text: &str) -> String {
    let file = folder.path().join("a program; with $(odd) name");
    std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    file.display().to_string()
}

fn command(program: &str, arguments: &[&str], timeout: Duration) -> Command {
    let arguments = arguments.iter().copied().map(str::to_owned).collect();
    Command { program: program.to_owned(), arguments, timeout }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_program_gets_its_arguments_as_they_are_and_the_addresses_on_its_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "{ printf '[%s]' \"$@\"; cat; } >\"$0.out\"");
    let arguments = ["a b", "; touch x", "$HOME", ""];
    command(&program, &arguments, MINUTE).run(&["a@example.org", "b+c@example.org"]).await.unwrap();
    let out = std::fs::read_to_string(format!("{program}.out")).unwrap();
    assert_eq!(out, "[a b][; touch x][$HOME][]a@example.org\nb+c@example.org\n");
}

#[tokio::test]
async fn the_program_sees_nothing_of_the_environment_but_what_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "cat >/dev/null; env >\"$0.env\"");
    command(&program, &[], MINUTE).run(&["a@example.org"]).await.unwrap();
    // The shell itself sets the last ones.
    let is_known =
        |name: &str| ENVIRONMENT.contains(&name) || ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
    let own = std::env::vars_os().any(|(name, _)| !is_known(&name.to_string_lossy()));
    assert!(own, "this test has nothing to hide: run it by cargo");
    let seen = std::fs::read_to_string(format!("{program}.env")).unwrap();
    let names: Vec<&str> =
        seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| is_known(name)), "{names:?}");
    assert!(seen.lines().any(|line| line == format!("PATH={}", std::env::var("PATH").unwrap())), "{names:?}");
}

#[tokio::test]
async fn a_failure_is_told_with_the_first_line_that_the_program_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "echo; echo 'no such list' >&2; echo more >&2; exit 7");
    let error = command(&program, &[], MINUTE).run(&["a@example.org"]).await.unwrap_err();
    assert!(!error.is_setting());
    assert!(error.to_string().ends_with("failed (exit status: 7): no such list"), "{error}");
    let silent = script(&folder, "exit 1");
    let error = command(&silent, &[], MINUTE).run(&["a@example.org"]).await.unwrap_err();
    assert!(error.to_string().contains("it said nothing"), "{error}");
}

#[tokio::test]
async fn a_program_that_reads_nothing_or_says_too_much_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1");
    let many = vec!["a-rather-long-address@example.org"; 100_000];
    let error = command(&program, &[], MINUTE).run(&many).await.unwrap_err().to_string();
    assert!(error.ends_with("xxx") && error.len() < 600, "{error}");
}

#[tokio::test]
async fn what_takes_too_long_is_stopped_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "echo waiting >&2; sleep 600 & echo $! >\"$0.pid\"; wait");
    let start = Instant::now();
    let error = command(&program, &[], Duration::from_millis(500)).run(&["a@example.org"]).await.unwrap_err();
    assert!(matches!(&error, CommandError::TimedOut { words, .. } if words == "waiting"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(30));
    let pid = std::fs::read_to_string(format!("{program}.pid")).unwrap().trim().to_owned();
    // It is gone, or dead and nobody's child to be waited for.
    let gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    while !gone() {
        assert!(start.elapsed() < Duration::from_secs(60), "{pid} still runs");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn what_it_leaves_running_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(&folder, "echo 'not today' >&2; sleep 60 & echo $! >\"$0.pid\"; exit 1");
    let start = Instant::now();
    let error = command(&program, &[], MINUTE).run(&["a@example.org"]).await.unwrap_err();
    let pid = std::fs::read_to_string(format!("{program}.pid")).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert!(error.to_string().contains("not today"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn what_is_no_program_is_a_setting_to_correct() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").display().to_string();
    let data = folder.path().join("data").display().to_string();
    std::fs::write(&data, "").unwrap();
    for (program, told) in [
        (&missing, "there is no program"),
        (&data, "chmod +x"),
        (&"no-such-program".to_owned(), "no program"),
    ] {
        let error = command(program, &[], MINUTE).run(&["a@example.org"]).await.unwrap_err();
        assert!(error.is_setting() && error.to_string().contains(told), "{error}");
    }
    command("sh", &[], MINUTE).check().unwrap();
}

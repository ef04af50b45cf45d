//! Everything that Usher leaves behind, read as somebody would who has stolen it: no secret that passed through is
//! in it, whatever it is written as.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use usher::settings::Settings;
use usher_tests::fault_proxy::FaultProxy;
use usher_tests::serving::Serving;
use usher_tests::sheet::AccessRow;
use usher_tests::site::{self, Run, Site};
use usher_tests::{process, web, workspace};

use crate::newcomer;
use crate::stage::{Stage, announce, expect_status};

/// PINs of the form have four digits, and four digits come up by chance: these are looked for as a word.
const FORM_PIN: &str = "4821";
const RESET_PIN: &str = "735926418053";
const CASE_PIN: &str = "918273645546";
const CHOSEN: &str = "a password that nobody else has";
const CHOSEN_AGAIN: &str = "another password that nobody has";

/// What was left behind: texts and files, each with where it was found.
struct Loot(Vec<(String, Vec<u8>)>);

impl Loot {
    /// All files of the database, a backup of it, and its contents as text.
    fn of(site: &Site, log: &[String]) -> Self {
        const BACK_UP: &str = "
import sqlite3, sys
source, target = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
source.backup(target)
for line in source.iterdump(): print(line)";
        let state = site.folder().join("state");
        let (database, backup) = (state.join("usher.sqlite"), state.join("backup.sqlite"));
        let mut command = Command::new(workspace::python_packages().join("bin/python"));
        let dump = process::output(command.args(["-c", BACK_UP]).args([&database, &backup])).unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let mut loot =
            vec![("dump".to_owned(), dump.stdout), ("log".to_owned(), log.join("\n").into_bytes())];
        for file in files(&state) {
            if !file.ends_with("usher.key") {
                loot.push((file.display().to_string(), fs::read(&file).unwrap()));
            }
        }
        for part in ["usher.sqlite", "usher.sqlite-wal", "usher.sqlite-shm", "backup.sqlite"] {
            assert!(loot.iter().any(|(name, _)| name.ends_with(part)), "{part} is not there");
        }
        Self(loot)
    }

    /// Where a secret is, as it is or encoded.
    fn find(&self, secret: &[u8]) -> Vec<String> {
        let spellings = spellings(secret);
        let holds = |bytes: &[u8]| {
            spellings.iter().any(|spelling| bytes.windows(spelling.len()).any(|part| part == spelling))
        };
        self.0.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.clone()).collect()
    }

    /// Where a word is that is not part of a longer one.
    fn find_word(&self, word: &str) -> Vec<String> {
        let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let holds = |bytes: &[u8]| {
            bytes.windows(word.len()).enumerate().any(|(at, part)| {
                part == word.as_bytes()
                    && is_edge(at.checked_sub(1).and_then(|before| bytes.get(before)))
                    && is_edge(bytes.get(at + word.len()))
            })
        };
        self.0.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.clone()).collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A secret as it is, in hexadecimal, and in base64 wherever it begins within three bytes.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut spellings = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for offset in 0..3 {
        let whole = secret[offset..].chunks_exact(3);
        let encoded: String = whole.flat_map(|three| base64(three.try_into().unwrap())).collect();
        spellings.push(encoded.replace('+', "-").replace('/', "_").into_bytes());
        spellings.push(encoded.into_bytes());
    }
    spellings
}

fn base64(bytes: [u8; 3]) -> [char; 4] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
    [18, 12, 6, 0].map(|shift| char::from(ALPHABET[usize::try_from(bits >> shift & 63).unwrap()]))
}

/// Each key of the key file, as it is.
fn keys(site: &Site) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(site.folder().join("state/usher.key")).unwrap();
    let lines = text.lines().skip(1).map(|line| line.split(' ').nth(1).unwrap().to_owned());
    let decode = |hex: String| {
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap().to_owned());
        digits.map(|pair| u8::from_str_radix(&pair, 16).unwrap()).collect()
    };
    lines.map(decode).collect()
}

/// Runs a command with the most detailed log, and keeps all that it says.
fn run(site: &Site, log: &mut Vec<String>, arguments: &[&str], input: Option<&str>) -> Run {
    let run = site::run(site.command(arguments).env("RUST_LOG", "trace"), input).unwrap();
    log.extend([run.stdout.clone(), run.stderr.clone()]);
    run
}

/// The settings as the program has them in memory, and what the server tells of itself.
fn what_it_tells(site: &Site, serving: &Serving) -> Vec<String> {
    let settings = Settings::load(Some(&site.settings())).unwrap();
    let dumped = format!("{settings:?}\n{settings:#?}");
    assert!(dumped.contains("key_file"), "the settings are in it: {dumped}");
    let told = ["/openapi.json", "/readyz", "/reset"].map(|path| {
        let answer = web::request("GET", &format!("{}{path}", serving.url())).send().unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    });
    [vec![dumped], told.into()].concat()
}

/// What the process holds in memory is worth as much as the key file. Whoever starts it may allow dumps, where the machine
/// does.
#[test]
fn a_server_lets_the_system_write_no_core_dump_whoever_starts_it() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let before = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: before.maximum, ..before }).unwrap();
    let serving = site.serve().unwrap();
    setrlimit(Resource::Core, before).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", serving.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{limits}");
}

#[test]
fn nothing_that_is_left_behind_holds_a_secret_that_passed_through() {
    let stage = Stage::new();
    let (newcomer, begun) = ("newcomer@loot.example.org", "begun@loot.example.org");
    let site =
        stage.site(&[AccessRow::founding(newcomer, "Loot One"), AccessRow::founding(begun, "Loot Two")]);
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    site.use_proxy(&stage.cloud, &proxy).unwrap();
    let (open, closed) = (format!("port = {}\n", stage.mail.port()), "port = 1\n");
    site.change_settings(&open, closed).unwrap();
    let mut log = Vec::new();

    // The mails wait, and one request is left in the middle with its password in the journal.
    let mut killed = site.command(&["import", "--user", begun]);
    killed.env("RUST_LOG", "trace").env("USHER_KILL_AT", "create-user done#1");
    let killed = site::run(&mut killed, None).unwrap();
    assert_eq!(killed.status, None, "{}", killed.said());
    log.extend([killed.stdout, killed.stderr]);
    run(&site, &mut log, &["import", "--user", newcomer], None);
    let mut command = site.command(&["serve"]);
    command.env("RUST_LOG", "trace");
    let serving = site.serve_with(command).unwrap();
    let asked = web::request("POST", &format!("{}/reset", serving.url()))
        .form(&[("name", "User"), ("email", newcomer), ("pin", CASE_PIN), ("confirm_pin", CASE_PIN)])
        .send()
        .unwrap();
    assert_eq!(asked.status, 200, "{}", asked.body);
    run(&site, &mut log, &["keys", "rotate"], None);
    run(&site, &mut log, &["doctor"], None);
    log.extend(serving.log());
    let waiting = Loot::of(&site, &log);

    // The mails go out, a link is used, the password is reset, the next link is used.
    site.change_settings(closed, &open).unwrap();
    expect_status(&run(&site, &mut log, &["mail", "retry", "--all"], None), 0);
    expect_status(&run(&site, &mut log, &["import", "--all"], None), 0);
    let first = newcomer::links(&stage.mail, newcomer).remove(0);
    assert_eq!(newcomer::choose(&serving, &first, FORM_PIN, CHOSEN).status, 200);
    let reset = run(&site, &mut log, &["password", "reset", newcomer], Some(&format!("{RESET_PIN}\n")));
    expect_status(&reset, 0);
    let links = newcomer::links(&stage.mail, newcomer);
    assert_eq!(newcomer::choose(&serving, &links[1], RESET_PIN, CHOSEN_AGAIN).status, 200);
    run(&site, &mut log, &["mail", "list", "--all"], None);
    run(&site, &mut log, &["keys", "list"], None);
    run(&site, &mut log, &["doctor"], None);
    run(&site, &mut log, &["password", "history", newcomer, "--json"], None);
    run(&site, &mut log, &["schedule", "show", "outbox"], None);
    log.extend(serving.log());
    log.extend(what_it_tells(&site, &serving));
    let finished = Loot::of(&site, &log);

    // The operator's own password is short enough for a chance to spell it in some encoding, so as it is only.
    let operators = {
        let clouds = fs::read_to_string(stage.cloud.clouds_yaml()).unwrap();
        let line = clouds.lines().find_map(|line| line.trim().strip_prefix("password:")).unwrap().trim();
        line.trim_matches('\'').to_owned()
    };
    let mut passed = proxy.secrets();
    assert!(passed.remove(&operators), "the operator has logged in");
    let mut secrets: BTreeSet<Vec<u8>> = passed.into_iter().map(String::into_bytes).collect();
    assert!(secrets.contains(CHOSEN.as_bytes()), "what passed is known");
    let passwords = secrets.iter().filter(|secret| secret.len() == 40).count();
    assert!(passwords >= 3, "the random passwords of two users and a reset: {passwords}");
    for secret in [RESET_PIN, CASE_PIN, CHOSEN, CHOSEN_AGAIN] {
        secrets.insert(secret.into());
    }
    for link in links.iter().chain(&newcomer::links(&stage.mail, begun)) {
        secrets.insert(link.split_once("token=").unwrap().1.into());
    }
    secrets.extend(keys(&site));
    assert!(secrets.len() >= 14, "{}", secrets.len());

    for (when, loot) in [("while mails wait", &waiting), ("when all is done", &finished)] {
        for secret in &secrets {
            assert!(secret.len() >= 10, "too short to be looked for");
            let found = loot.find(secret);
            assert!(found.is_empty(), "{when}: {:?} is in {found:?}", String::from_utf8_lossy(secret));
        }
        for word in [FORM_PIN, &operators] {
            let found = loot.find_word(word);
            assert!(found.is_empty(), "{when}: {word} is in {found:?}");
        }
        // What is looked for would be found.
        assert!(loot.find(b"request:2:").len() >= 2 && !loot.find_word("queued").is_empty(), "{when}");
    }
    for secret in &secrets {
        for spelling in spellings(secret) {
            let planted =
                Loot(vec![("here".to_owned(), [b"\x00x".as_slice(), &spelling, b"y\xff"].concat())]);
            assert_eq!(planted.find(secret), ["here"]);
        }
    }
    let searched: usize = waiting.0.iter().chain(&finished.0).map(|(_, bytes)| bytes.len()).sum();
    announce(&format!("{} secrets looked for in {} KiB", secrets.len() + 2, searched / 1024));
}

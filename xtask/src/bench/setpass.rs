//! `cargo xtask bench setpass`: the page against a bare route, passwords against Keystone alone, and what many
//! clients and many PINs cost.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use usher_tests::cloud::Cloud;
use usher_tests::identity::Identity;
use usher_tests::load::{self, Outcome, Request};
use usher_tests::mail_server::{Behaviour, MailServer};
use usher_tests::serving::Serving;
use usher_tests::site::Site;
use usher_tests::{process, web, workspace};

use super::{kilobytes, row, use_release};
use crate::part::title;
use crate::plugins::system;

/// How many seconds each server is asked for pages, in each of the rounds.
const ASKING: &str = "3";

/// Keystone's own default. The tests set less, so that they take less time; here, what setpass costs is compared with what
/// a Keystone costs that runs as it comes.
const HASH_ROUNDS: (&str, &str) = ("MINICLOUD_HASH_ROUNDS", "12");

/// What is compared is measured in turns, so that noise of the machine meets both.
const ROUNDS: usize = 3;

/// Passwords that are changed in each round, on each of both ways.
const PASSWORDS: usize = 16;

/// Clients at a time: enough that no server waits for them.
const CLIENTS: usize = 8;

/// Connections that are open at the same time.
const CONNECTIONS: usize = 2_000;

/// PINs that are sent at the same time.
const PINS: usize = 400;

/// Measures, and compares with what is wanted.
pub fn run() -> Result<()> {
    title("setpass");
    let folder = workspace::target().join("bench");
    let cloud = Cloud::fresh_with(&folder.join("cloud-as-it-comes"), &[HASH_ROUNDS])?;
    let mail = MailServer::start(&folder.join("mail"), &Behaviour::default())?;
    let mut site = Site::with_rows(&cloud, &mail, &[])?;
    use_release(&mut site);
    // Each request is another client's, as they are behind a proxy: limits for one client are not what is measured.
    let settings = "[setpass]\ntrusted_proxies = [\"127.0.0.1\"]\nclient_timeout = \"10m\"\n";
    site.change_settings("[setpass]\n", settings)?;

    let (page, bare) = pages(&site)?;
    let (through_setpass, keystone_alone) = passwords(&site, &cloud)?;
    let plain = many_connections(&site, false)?;
    let burst = burst_of_pins(&site)?;
    write_certificate(&site)?;
    site.change_settings(
        "[setpass]\n",
        "[setpass]\ntls = { certificate = \"bench.pem\", key = \"bench.key\" }\n",
    )?;
    let encrypted = many_connections(&site, true)?;

    title("setpass, compared with what is wanted");
    println!("{:<52} {:>12} {:>10} {:>7}", "", "measured", "wanted", "ratio");
    row("GET /?token= in requests a second, to half a bare route's", page, bare / 2.0, "/s");
    row("passwords a second, to 90 % of Keystone's own", through_setpass, keystone_alone * 0.9, "/s");
    row(&format!("memory with {CONNECTIONS} open connections"), plain, 100.0, "MB");
    row("the same with TLS", encrypted, 100.0, "MB");
    let wanted = burst.idle.memory + 20.0 * burst.idle.cores + 20.0;
    row(&format!("most memory while {PINS} PINs come at once"), burst.most.memory, wanted, "MB");
    row("most threads meanwhile", burst.most.threads, burst.idle.threads + burst.idle.cores + 24.0, "");
    println!(
        "a bare route answers {bare:.0}/s, the page is {:.2} of it; Keystone changes {keystone_alone:.1} passwords a second, through \
         setpass it is {:.2} of it; the PINs were answered {:?} in {:.1?}",
        page / bare,
        through_setpass / keystone_alone,
        burst.outcome.statuses,
        burst.outcome.lasted,
    );
    Ok(())
}

/// Pages a second, and answers a second of a bare route, as wrk counts them.
fn pages(site: &Site) -> Result<(f64, f64)> {
    if system::answer(Command::new("which").arg("wrk")).is_none() {
        system::install_packages(&["wrk"], "measuring how many pages are served")?;
    }
    let bare = site.serve_with(Command::new(workspace::target().join("release/bare-route")))?;
    let serving = site.serve()?;
    let page = format!("{}/?token=0123456789abcdef", serving.url());
    ensure!(web::get(&page)?.body.contains("<form"), "that is no page");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(wrk(bare.url())?);
        ours.push(wrk(&page)?);
        // Nobody reads the access log meanwhile but this.
        serving.log();
    }
    Ok((mean(&ours), mean(&theirs)))
}

/// Answers a second to wrk, all of which have to be what was asked for.
fn wrk(url: &str) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", &CLIENTS.to_string(), "-d", ASKING, "-H", "Accept: text/html", url]);
    let output = process::output(&mut wrk)?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !told.contains("Non-2xx"), "wrk: {told}");
    ensure!(!told.contains("Socket errors"), "wrk: {told}");
    let rate =
        told.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context("wrk told no rate")?;
    Ok(rate.trim().parse()?)
}

fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.iter().map(|_| 1.0).sum::<f64>()
}

/// The rate of all rounds together.
fn rate(outcomes: &[Outcome]) -> f64 {
    let mut all = Outcome::default();
    for outcome in outcomes {
        all.lasted += outcome.lasted;
        for (status, count) in &outcome.statuses {
            *all.statuses.entry(*status).or_default() += count;
        }
    }
    all.rate()
}

/// Passwords a second through setpass, and at Keystone alone.
fn passwords(site: &Site, cloud: &Cloud) -> Result<(f64, f64)> {
    let serving = site.serve()?;
    let (admin, keystone) = (cloud.identity()?, cloud.keystone_url()?);
    let (_, path) = keystone.split_once("://").context("no URL")?;
    let path = path.split_once('/').map_or(String::new(), |(_, path)| format!("/{path}"));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut at_keystone = Vec::new();
        let mut at_setpass = Vec::new();
        for number in 0..PASSWORDS {
            let id = admin.create_user(&format!("k{round}-{number}@setpass.bench.example.org"), "before")?;
            let change = json!({ "user": { "original_password": "before", "password": "afterwards" } });
            let headers = [("Content-Type", "application/json")];
            at_keystone.push(Request::new(
                &format!("POST {path}/users/{id}/password"),
                &headers,
                &change.to_string(),
            ));
            let id = admin.create_user(&format!("s{round}-{number}@setpass.bench.example.org"), "before")?;
            let token = register(&serving, &admin, &id)?;
            at_setpass.push(form(&token, "4711", round * 1000 + number));
        }
        for (outcomes, status, url, requests) in
            [(&mut theirs, 204, keystone.as_str(), at_keystone), (&mut ours, 200, serving.url(), at_setpass)]
        {
            let outcome = load::each(url, &requests, CLIENTS)?;
            ensure!(outcome.statuses.keys().eq([&status]), "not all were set: {:?}", outcome.statuses);
            outcomes.push(outcome);
        }
    }
    Ok((rate(&ours), rate(&theirs)))
}

/// A token for a user.
fn register(serving: &Serving, admin: &Identity, user: &str) -> Result<String> {
    let answer = web::request("PUT", &format!("{}/token/{user}", serving.url()))
        .header("X-Auth-Token", admin.token())
        .json(&json!({ "password": "before", "pin": "4711" }))
        .send()?;
    ensure!(answer.status == 200, "no token: {answer:?}");
    Ok(answer.body.trim().to_owned())
}

/// The form of a page, sent by a client of its own.
fn form(token: &str, pin: &str, client: usize) -> Request {
    let address = format!("10.{}.{}.{}", client / 65_536, client / 256 % 256, client % 256);
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "text/html"),
        ("X-Forwarded-For", address.as_str()),
    ];
    let body = format!("pin={pin}&password=afterwards&confirm_password=afterwards");
    Request::new(&format!("POST /?token={token}"), &headers, &body)
}

/// Memory while many connections are open, each of which was answered once.
fn many_connections(site: &Site, encrypted: bool) -> Result<f64> {
    let serving = site.serve()?;
    let (_, port) = serving.url().rsplit_once(':').context("no port")?;
    let mut command = Command::new(workspace::python_packages().join("bin/python"));
    command
        .arg(workspace::root().join("tests/harness/many_clients.py"))
        .args(["127.0.0.1", port, &CONNECTIONS.to_string(), "/?token=0123456789abcdef"])
        .args(encrypted.then_some("--tls"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut clients = Clients(command.spawn().context("cannot run python")?);
    let mut said = String::new();
    BufReader::new(clients.0.stdout.take().context("no output")?).read_line(&mut said)?;
    ensure!(said.trim() == "open", "the connections cannot be opened");
    Ok(Usage::of(serving.id())?.memory)
}

/// Ended when dropped.
struct Clients(Child);

impl Drop for Clients {
    fn drop(&mut self) {
        process::terminate(&mut self.0, Duration::from_secs(5));
    }
}

/// What a server takes up.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// Resident, in MB (10^6 bytes).
    memory: f64,
    threads: f64,
    /// What the machine has.
    cores: f64,
}

impl Usage {
    fn of(process: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).context("no threads")?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            memory: kilobytes(&status, "VmRSS:")?,
            threads: threads.trim().parse()?,
            cores: f64::from(u32::try_from(cores)?),
        })
    }
}

/// What a burst of PINs cost.
struct Burst {
    idle: Usage,
    most: Usage,
    outcome: Outcome,
}

/// Sends many PINs at once, to links that nobody knows: each costs as much as one that is known.
fn burst_of_pins(site: &Site) -> Result<Burst> {
    let serving = site.serve()?;
    ensure!(web::get(&format!("{}/?token=x", serving.url()))?.status == 200);
    let idle = Usage::of(serving.id())?;
    let requests: Vec<Request> =
        (0..PINS).map(|number| form(&format!("unknown{number}"), "0815", 100_000 + number)).collect();
    let (is_over, process) = (AtomicBool::new(false), serving.id());
    let (most, outcome) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = Usage::default();
            let start = Instant::now();
            while !is_over.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(300) {
                if let Ok(now) = Usage::of(process) {
                    most.memory = most.memory.max(now.memory);
                    most.threads = most.threads.max(now.threads);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let outcome = load::each(serving.url(), &requests, PINS);
        is_over.store(true, Ordering::Relaxed);
        (watching.join(), outcome)
    });
    let (most, outcome) = (most.map_err(|_| anyhow::anyhow!("nobody watched"))?, outcome?);
    let expected: BTreeMap<u16, usize> = outcome.statuses.clone();
    ensure!(expected.keys().all(|status| [404, 429, 503].contains(status)), "unexpected: {expected:?}");
    Ok(Burst { idle, most, outcome })
}

fn write_certificate(site: &Site) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=setpass", "-days", "30"])
        .arg("-keyout")
        .arg(site.folder().join("bench.key"))
        .arg("-out")
        .arg(site.folder().join("bench.pem"));
    let made = process::output(&mut openssl)?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // OpenSSL makes the key's file its owner's alone.
    Ok(())
}

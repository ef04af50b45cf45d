//! `cargo xtask bench`: the benchmarks of the host, and what only whole processes show.

mod import;
mod setpass;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use usher_tests::cloud::Cloud;
use usher_tests::mail_server::{Behaviour, MailServer};
use usher_tests::site::Site;
use usher_tests::{process, web, workspace};

use crate::part::{FOR_TESTS, USHER, cargo, succeed, title};
use crate::plugins;

/// How often a start is measured; the median counts.
const STARTS: usize = 20;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Everything.
    All,
    /// A large import.
    Import,
    /// Setpass under load.
    Setpass,
}

/// Measures, and compares with what is wanted.
pub fn run(subject: Subject) -> Result<()> {
    title("components");
    plugins::build_all(&workspace::root())?;
    if subject == Subject::All {
        title("benchmarks of the host");
        succeed(&mut cargo(&["bench", "--workspace", "--bench", "plugin"]))?;
    }
    title("the program");
    // Both at once: what is chosen together is built with the same features, and nothing twice.
    succeed(cargo(&["build", "--release"]).args(USHER).args(["--bin", "bare-route"]))?;
    // `Site` looks for the program beside this one; the one to measure is the release build.
    succeed(cargo(&["build"]).args(USHER).args(FOR_TESTS))?;
    if subject == Subject::All {
        processes()?;
    }
    if subject != Subject::Setpass {
        import::run()?;
    }
    if subject != Subject::Import {
        setpass::run()?;
    }
    Ok(())
}

/// Has a site run the release build.
fn use_release(site: &mut Site) {
    site.use_program(&workspace::target().join("release/usher"));
}

/// What only whole processes show.
fn processes() -> Result<()> {
    let folder = workspace::target().join("bench");
    let cloud = Cloud::up(&folder.join("cloud"))?;
    let mails = folder.join("mail");
    let mail = MailServer::start(&mails, &Behaviour::default())?;
    let mut site = Site::with_rows(&cloud, &mail, &[])?;
    use_release(&mut site);

    let start = start(&site)?;
    let (rss, pss) = resident(&site)?;
    title("whole processes, compared with what is wanted");
    println!("{:<52} {:>12} {:>10} {:>7}", "", "measured", "wanted", "ratio");
    row("start of `usher plugin list`, warm cache, median", start.as_secs_f64() * 1e3, 100.0, "ms");
    row("resident memory of an idle `usher serve` (VmRSS)", rss, 60.0, "MB");
    row("of that, shared pages counted by share (PSS)", pss, 60.0, "MB");
    Ok(())
}

fn row(what: &str, measured: f64, wanted: f64, unit: &str) {
    println!("{what:<52} {measured:>9.1} {unit} {wanted:>7.0} {unit} {:>6.2}x", measured / wanted);
}

/// The median time of `usher plugin list` from start to end.
fn start(site: &Site) -> Result<Duration> {
    let mut times = Vec::with_capacity(STARTS);
    // The first one fills the cache.
    for _ in 0..=STARTS {
        let begin = Instant::now();
        let status = process::status(site.command(&["plugin", "list"]).stdout(Stdio::null()))?;
        times.push(begin.elapsed());
        ensure!(status.success(), "usher plugin list ended with {status}");
    }
    let mut warm = times.split_off(1);
    warm.sort();
    Ok(warm[warm.len() / 2])
}

/// The resident memory of a server that has answered once and has nothing to do, in MB (10^6 bytes): as the
/// kernel counts it, and with shared pages counted by share.
fn resident(site: &Site) -> Result<(f64, f64)> {
    let serving = site.serve()?;
    let answer = web::get(&format!("{}/?token=unknown", serving.url()))?;
    ensure!(answer.status == 200, "the form is not shown: {}", answer.status);
    let measure = || {
        let read = |file: &str, key: &str| {
            kilobytes(&fs::read_to_string(format!("/proc/{}/{file}", serving.id()))?, key)
        };
        let all = read("status", "VmRSS:")?;
        // Nobody but root may look further into a process that leaves no core dump.
        anyhow::Ok((all, read("smaps_rollup", "Pss:").unwrap_or(f64::NAN)))
    };
    // Idle means that two looks a second apart see nearly the same.
    let mut last = measure()?;
    process::wait_for("the server's memory to settle", Duration::from_secs(30), || {
        std::thread::sleep(Duration::from_secs(1));
        let now = measure()?;
        let settled = (now.0 - last.0).abs() < 0.1;
        last = now;
        Ok(settled.then_some(now))
    })
}

/// A line such as `VmRSS:     1234 kB`, in MB.
fn kilobytes(text: &str, key: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("no {key}"))?;
    let number: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(number * 1024.0 / 1e6)
}

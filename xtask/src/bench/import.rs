//! `cargo xtask bench import`: a large import from Google's emulator into the real Keystone, with a proxy between
//! that counts the calls and answers later than Keystone does.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use usher_tests::cloud::Cloud;
use usher_tests::fault_proxy::{Call, FaultProxy};
use usher_tests::google_sheets::GoogleSheets;
use usher_tests::mail_server::{Behaviour, MailServer};
use usher_tests::sheet::AccessRow;
use usher_tests::site::Site;
use usher_tests::{process, workspace};

use super::{kilobytes, row, use_release};
use crate::part::title;

/// New users who join a project.
const USERS: usize = 1_000;

/// Rows of the dry run, of which one in a hundred is ready.
const MANY: usize = 100_000;

/// How much later each answer of the cloud comes.
const LATER: Duration = Duration::from_millis(20);

/// Calls at a time: so many that the limit neither grows nor, if all goes well, shrinks, and the ideal is known.
const AT_A_TIME: u32 = 4;

/// What a run of the program cost.
struct Cost {
    /// From start to end.
    wall: Duration,
    /// The most resident memory, in MB (10^6 bytes).
    memory: f64,
    /// What it printed.
    json: Value,
}

/// Measures, and compares with what is wanted.
pub fn run() -> Result<()> {
    title("a large import");
    let folder = workspace::target().join("bench");
    let cloud = Cloud::fresh(&folder.join("cloud"))?;
    let mail = MailServer::start(&folder.join("mail"), &Behaviour::default())?;
    let google = GoogleSheets::start(&folder.join("google"))?;
    let proxy = FaultProxy::start(&cloud)?;

    let project = "Benchmark";
    let mut rows = vec![AccessRow::founding("founder@bench.example.org", project)];
    rows.extend(
        (0..USERS).map(|number| AccessRow::joining(&format!("user{number}@bench.example.org"), project)),
    );
    let site = site(&cloud, &mail, &google, &rows)?;
    site.use_proxy(&cloud, &proxy)?;
    site.change_settings(
        "timeout = \"20s\"\n\n[sheet]",
        &format!("timeout = \"20s\"\nconcurrency = {AT_A_TIME}\n\n[sheet]"),
    )?;
    proxy.answer_later(LATER);
    proxy.calm();
    google.calm()?;
    let import = measure(&site, &["import", "--all", "--json"])?;
    let (calls, sheet_calls) = (proxy.calls(), google.calls()?.len());
    let phases = phases(&site)?;
    google.expect_order()?;
    let outcomes = import.json["rows"].as_array().context("no rows in the report")?;
    let done = outcomes.iter().filter(|row| row["outcome"] == "done").count();
    ensure!(sheet_calls <= 4, "{sheet_calls} calls of the Sheets API");
    ensure!(done == USERS + 1, "only {done} rows were done: {}", import.json["notices"]);

    let many: Vec<AccessRow> = (0..MANY).map(of_many).collect();
    let large = self::site(&cloud, &mail, &google, &many)?;
    let dry = measure(&large, &["import", "--all", "--dry-run", "--json"])?;
    let planned = dry.json["rows"].as_array().context("no rows in the plan")?.len();
    ensure!(planned == MANY, "the plan has {planned} rows");

    report(&import, &calls, sheet_calls, &dry);
    println!("{phases}");
    Ok(())
}

/// A site whose access sheet is at the emulator, with the release build of the program.
fn site(cloud: &Cloud, mail: &MailServer, google: &GoogleSheets, rows: &[AccessRow]) -> Result<Site> {
    let mut site = Site::with_rows(cloud, mail, &[])?;
    use_release(&mut site);
    let spreadsheet = google.create_access(rows, true)?;
    site.use_google(google, &spreadsheet)?;
    // The emulator is no match for Google's machines.
    site.change_settings("timeout = \"5s\"", "timeout = \"5m\"")?;
    // Compiling the components takes memory that only the first run after an update takes.
    let listed = site.usher(&["plugin", "list"])?;
    ensure!(listed.status == Some(0), "{}", listed.said());
    Ok(site)
}

/// One of many rows, most of which wait for a decision.
fn of_many(number: usize) -> AccessRow {
    let mut row = AccessRow::joining(&format!("person{number}@many.example.org"), "Benchmark");
    if !number.is_multiple_of(100) {
        row.set(0, "").set(1, "");
    }
    row
}

fn report(import: &Cost, calls: &[Call], sheet_calls: usize, dry: &Cost) {
    let keystone = calls.iter().filter(|call| call.kind.contains(" /identity/")).count();
    let lasted: Duration = calls.iter().map(|call| call.lasted).sum();
    let ideal = lasted / AT_A_TIME;
    title("a large import, compared with what is wanted");
    println!("{:<52} {:>12} {:>10} {:>7}", "", "measured", "wanted", "ratio");
    row("calls of the Sheets API", as_number(sheet_calls), 4.0, "calls");
    row("calls of Keystone for each new user", as_number(keystone) / as_number(USERS + 1), 4.0, "calls");
    row(
        "wall time to ideal (calls x mean latency / limit)",
        import.wall.as_secs_f64() / ideal.as_secs_f64(),
        1.25,
        "x",
    );
    row("most resident memory of the import", import.memory, 150.0, "MB");
    row(&format!("most resident memory of a dry run on {MANY} rows"), dry.memory, 400.0, "MB");
    println!(
        "{} requests in {:.1?}, {} calls of {:.1?} on average with {LATER:?} added, {AT_A_TIME} at a time: {:.1?} at best; \
         the dry run took {:.1?}",
        USERS + 1,
        import.wall,
        calls.len(),
        lasted / u32::try_from(calls.len().max(1)).unwrap_or(u32::MAX),
        ideal,
        dry.wall,
    );
}

/// When what happened, from what the journal says of the run.
fn phases(site: &Site) -> Result<String> {
    let shown = site.usher(&["import", "show", "1", "--json"])?.json()?;
    let moment = |value: &Value| value.as_str().map(str::to_owned).context("no time");
    let steps = shown["steps"].as_array().context("no steps")?;
    let begun = steps.iter().filter_map(|step| step["started"].as_str()).min().context("no step")?;
    let ended = steps.iter().filter_map(|step| step["finished"].as_str()).max().context("no step")?;
    Ok(format!(
        "the run began {}, its first step {begun}, its last one ended {ended}, and the run {}",
        moment(&shown["started"])?,
        moment(&shown["finished"])?
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
fn as_number(count: usize) -> f64 {
    count as f64
}

/// Runs the program to its end, and looks at its memory meanwhile.
fn measure(site: &Site, arguments: &[&str]) -> Result<Cost> {
    let output = site.folder().join("output.json");
    let log = site.folder().join("log");
    let begin = Instant::now();
    let mut child = site
        .command(arguments)
        .stdout(Stdio::from(fs::File::create(&output)?))
        .stderr(Stdio::from(fs::File::create(&log)?))
        .spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut memory: f64 = 0.0;
    let status = loop {
        // The kernel keeps the peak (proc_pid_status(5)), so that looking now and then misses little.
        if let Ok(text) = fs::read_to_string(&status_file)
            && let Ok(peak) = kilobytes(&text, "VmHWM:")
        {
            memory = memory.max(peak);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if usher_tests::interrupt::requested() {
            process::terminate(&mut child, Duration::from_secs(5));
            anyhow::bail!("interrupted");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = begin.elapsed();
    ensure!(
        status.success(),
        "usher {} ended with {status}: {}",
        arguments.join(" "),
        fs::read_to_string(&log)?
    );
    Ok(Cost { wall, memory, json: serde_json::from_slice(&fs::read(&output)?)? })
}

//! `chromedriver`, and the browser that it starts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::Reader;
use crate::{process, web, workspace};

/// How often a driver is started. It wants the port that the system gives it for IPv4 for IPv6 too, where somebody else
/// may have it; then it ends, and the next one gets another port.
const ATTEMPTS: usize = 5;

/// A driver with one browser. Both are stopped on drop.
#[derive(Debug)]
pub(super) struct Driver {
    process: Child,
    session: String,
    browser: Option<Pid>,
    profile: tempfile::TempDir,
}

impl Driver {
    /// Starts a driver on a port that the system chooses, and has it start a browser.
    pub(super) fn start(reader: &Reader) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("usher-browser-").tempdir()?;
        let (process, port) = listening(profile.path())?;
        let mut driver = Self { process, session: String::new(), browser: None, profile };
        let wanted = driver.capabilities(reader);
        let created = command("POST", &format!("http://127.0.0.1:{port}/session"), Some(&wanted))?;
        let id = created["sessionId"].as_str().context("no session")?;
        driver.session = format!("http://127.0.0.1:{port}/session/{id}");
        driver.browser = created["capabilities"]["goog:processID"]
            .as_i64()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Ok(driver)
    }

    fn capabilities(&self, reader: &Reader) -> Value {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            &format!("--accept-lang={}", reader.languages),
            &format!("--user-data-dir={}", self.profile.path().join("profile").display()),
        ];
        json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "intl.accept_languages": reader.languages },
            },
        } } })
    }

    /// Asks the session something.
    pub(super) fn get(&self, path: &str) -> Result<Value> {
        command("GET", &format!("{}/{path}", self.session), None)
    }

    /// Has the session do something.
    pub(super) fn post(&self, path: &str, parameters: &Value) -> Result<Value> {
        command("POST", &format!("{}/{path}", self.session), Some(parameters))
    }
}

/// Starts a driver, and says where it listens.
fn listening(home: &Path) -> Result<(Child, u16)> {
    for _ in 0..ATTEMPTS {
        // In a group of its own, so that Ctrl-C does not take it away from a program that is still using it.
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            // The wrapper script of Debian's Chromium keeps files at home, and a test has none.
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot run chromedriver; `cargo xtask test` installs it")?;
        let stdout = process.stdout.take().context("the standard output is a pipe")?;
        let mut lines = BufReader::new(stdout).lines().map_while(std::result::Result::ok);
        let port = lines.find_map(|line| {
            line.strip_prefix("ChromeDriver was started successfully on port ")?
                .trim_end_matches('.')
                .parse()
                .ok()
        });
        if let Some(port) = port {
            // Read on, so that it never waits for a reader.
            thread::spawn(move || lines.for_each(drop));
            return Ok((process, port));
        }
        // It has closed its output, so it has ended or is about to.
        process::terminate(&mut process, Duration::from_secs(5));
    }
    bail!("chromedriver did not say where it listens, {ATTEMPTS} times")
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = command("DELETE", &self.session, None);
        }
        // Ended by the driver, as a rule. Nobody else waits for it, and it is looked at once only.
        if let Some(browser) = self.browser {
            let start = Instant::now();
            while test_kill_process(browser).is_ok() && start.elapsed() < Duration::from_secs(10) {
                thread::sleep(Duration::from_millis(20));
            }
            if test_kill_process(browser).is_ok() {
                let _ = kill_process(browser, Signal::KILL);
            }
        }
        process::terminate(&mut self.process, Duration::from_secs(10));
    }
}

/// Sends a command, and returns its value.
fn command(method: &str, url: &str, parameters: Option<&Value>) -> Result<Value> {
    let request = web::request(method, url);
    let answer = match parameters {
        Some(parameters) => request.json(parameters).send()?,
        None => request.send()?,
    };
    let mut body = answer.json()?;
    let value = body["value"].take();
    if answer.status != 200 {
        bail!("{}: {}", value["error"].as_str().unwrap_or("?"), value["message"].as_str().unwrap_or("?"));
    }
    Ok(value)
}

/// Writes a file that came as base64.
pub(super) fn write_base64(text: &str, file: &Path) -> Result<()> {
    let script = "import base64, sys\nopen(sys.argv[1], 'wb').write(base64.b64decode(sys.stdin.read()))";
    let mut child = Command::new(workspace::python_packages().join("bin/python"))
        .args(["-c", script])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("the standard input is a pipe")?.write_all(text.as_bytes())?;
    ensure!(child.wait()?.success(), "{} cannot be written", file.display());
    Ok(())
}

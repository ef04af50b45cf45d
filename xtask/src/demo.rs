//! `cargo xtask demo`: a whole site on this machine, from the cloud to a user who logs in.
//!
//! On a terminal it stays until Ctrl-C, so that a person can open the link. Without one it does what that
//! person would do, and fails where something is not as it should be.

mod access_sheet;
mod walk;

use std::fs;
use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use usher_tests::cloud::Cloud;
use usher_tests::mail_server::{self, Behaviour, MailServer, Received};
use usher_tests::site::Site;
use usher_tests::{fixtures, interrupt, workspace};

use crate::part::{FOR_TESTS, USHER, cargo, succeed, title};
use crate::plugins;
use access_sheet::AccessSheet;
pub use access_sheet::Place;
use walk::Newcomer;

/// Whose link is shown: row 2 of the sheet, a new user with a new project.
const USER: &str = "founder@example.org";

/// Runs the demo.
pub fn run(place: Place) -> Result<()> {
    let start = Instant::now();
    let folder = workspace::target().join("demo");
    title("building the components and usher");
    plugins::build_all(&workspace::root())?;
    succeed(cargo(&["build", "--quiet"]).args(USHER).args(FOR_TESTS))?;

    title("starting a cloud: Keystone, Nova, Neutron and Cinder");
    let cloud = Cloud::fresh(&folder.join("cloud"))?;
    fixtures::prepare(&cloud.identity()?)?;
    println!("Keystone        {}", cloud.keystone_url()?);
    println!("openstack       OS_CLIENT_CONFIG_FILE={} OS_CLOUD=minicloud \\", cloud.clouds_yaml().display());
    println!("                {}/bin/openstack user list", workspace::python_packages().display());

    let mails = folder.join("mail");
    if mails.exists() {
        fs::remove_dir_all(&mails)?;
    }
    let refuse = vec![fixtures::BOUNCED.to_owned()];
    let mail = MailServer::start(&mails, &Behaviour { refuse, ..Behaviour::default() })?;
    println!(
        "mail server     127.0.0.1:{}, STARTTLS required; mails are kept in {}",
        mail.port(),
        mails.display()
    );

    let site = Site::lasting(&folder.join("site"), &cloud, &mail)?;
    let address = free_address()?;
    site.change_settings("listen = \"127.0.0.1:0\"", &format!("listen = \"{address}\""))?;
    site.change_settings("https://setpass.example.org", &format!("http://{address}"))?;
    println!("settings        {}", site.settings().display());
    let access = AccessSheet::prepare(place, &site, &folder.join("google"))?;

    title("usher doctor");
    usher(&site, &["doctor"], 0)?;
    title("usher import --all --dry-run: the plan");
    // The sheet has rows that cannot be processed, which the status says too.
    usher(&site, &["import", "--all", "--dry-run"], 1)?;
    title("usher import --all: the report");
    access.count_calls_from_now()?;
    usher(&site, &["import", "--all"], 1)?;
    access.tell_calls()?;

    let newcomer = newcomer(&access.done(&site)?)?;
    let received = mail.received()?;
    title(&format!("{} mails received", received.len()));
    print_mails(&received)?;
    let serving = site.serve()?;
    let link = mail_server::links(&received, USER).pop().context("the user got no mail with a link")?;
    title("setpass");
    println!("user            {}", newcomer.user);
    println!("link            {link}");
    println!("PIN             {}", newcomer.pin);
    println!("\nReady after {:.0} s.", start.elapsed().as_secs_f64());

    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        println!("Open the link, type the PIN, choose a password. Ctrl-C stops everything.");
        while !interrupt::requested() {
            thread::sleep(Duration::from_millis(100));
        }
        println!("\nStopping.");
    } else {
        walk::set_password(&cloud, &newcomer, &link)?;
    }
    let status = serving.stop();
    ensure!(status.is_some_and(|status| status.success()), "usher serve did not end as asked: {status:?}");
    Ok(())
}

/// Runs `usher` with what it prints passed through.
fn usher(site: &Site, arguments: &[&str], expected: i32) -> Result<()> {
    let status = usher_tests::process::status(site.command(arguments).env("RUST_LOG", "warn"))?;
    println!("(exit status {})", status.code().unwrap_or(-1));
    ensure!(
        status.code() == Some(expected),
        "usher {}: expected exit status {expected}",
        arguments.join(" ")
    );
    Ok(())
}

/// What the sheet says about the user whose link is shown.
fn newcomer(done: &[Vec<String>]) -> Result<Newcomer> {
    let row = done
        .iter()
        .find(|row| row.get(4).is_some_and(|cell| cell == USER))
        .context("the user's row did not move to the done worksheet")?;
    Ok(Newcomer { user: USER.to_owned(), pin: row[12].clone(), project: row[15].clone() })
}

fn print_mails(received: &[Received]) -> Result<()> {
    for mail in received {
        ensure!(mail.tls.is_some(), "a mail to {} came in clear", mail.to.join(", "));
        println!(
            "{:<28} {:<48} {}",
            mail.to.join(", "),
            mail.subject.chars().take(48).collect::<String>(),
            mail.tls.as_deref().unwrap_or("in clear")
        );
    }
    let shown = received.iter().find(|mail| mail.to == [USER] && mail.link().is_some());
    let shown = shown.context("the user got no mail with a link")?;
    println!("\nOne of them:\n");
    println!("    From: {}\n    To: {}\n    Subject: {}\n", shown.from, USER, shown.subject);
    for line in shown.text.as_deref().unwrap_or_default().lines() {
        println!("    {line}");
    }
    Ok(())
}

/// An address that nobody listens on at the moment. The links in the mails name it before the server starts.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

//! Two imports at once: one works, the other says who does. One import and a busy cloud: it makes do with what the
//! cloud can take.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use usher::clock::Clock;
use usher_tests::fault_proxy::FaultProxy;
use usher_tests::sheet::AccessRow;

use crate::stage::{Stage, announce, expect_status, expect_words};

#[test]
fn the_second_import_says_who_holds_the_lock() {
    let stage = Stage::new();
    let site = stage.site(&[AccessRow::founding("user@twice.example.org", "Twice")]);
    // Keystone that accepts and never answers keeps the first import busy for as long as this test wants.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v3", silent.local_addr().unwrap());
    stage.use_account(&site, &url, "admin", "adminpw", "admin");
    let before = Clock::system().now();
    let mut first =
        site.command(&["import", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It has the lock before it asks Keystone anything.
    let (mut connection, _) = silent.accept().unwrap();
    let mut request = [0; 4];
    connection.read_exact(&mut request).unwrap();

    let second = site.import(&["--all"]).unwrap();
    let after = Clock::system().now();
    expect_status(&second, 3);
    expect_words(&second, &["another import is running", &format!("process {} on ", first.id())]);
    // Since when, in the site's time zone and to the second.
    let (_, since) = second.stderr.split_once(", since ").unwrap();
    let (since, _) = since.split_once(';').unwrap();
    let (since, zone) = since.rsplit_once(' ').unwrap();
    assert!(["EST", "EDT"].contains(&zone), "{}", second.said());
    let since = DateTime::strptime("%Y-%m-%d %H:%M:%S", since).unwrap();
    let since = since.in_tz("America/New_York").unwrap().timestamp();
    assert!(before - SignedDuration::from_secs(1) <= since && since <= after, "{}", second.said());

    // One that was killed holds nothing: the next one works at once.
    first.kill().unwrap();
    first.wait().unwrap();
    let other = site.folder().join("other-clouds.yaml").display().to_string();
    site.change_settings(&other, &stage.cloud.clouds_yaml().display().to_string()).unwrap();
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert_eq!(stage.mail.received().unwrap().len(), 3);
}

#[test]
fn two_imports_started_together_process_every_row_once() {
    let stage = Stage::new();
    let rows: Vec<_> = (0..6)
        .map(|n| AccessRow::founding(&format!("user{n}@together.example.org"), &format!("Together {n}")))
        .collect();
    let site = stage.site(&rows);
    let runs = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| site.import(&["--all"]).unwrap()));
        both.map(|run| run.join().unwrap())
    });
    let mut statuses = runs.each_ref().map(|run| run.status);
    statuses.sort();
    // Where the first was finished before the second began, both are content.
    let content = statuses == [Some(0), Some(3)] || statuses == [Some(0), Some(0)];
    assert!(content, "{}\n{}", runs[0].said(), runs[1].said());
    assert_eq!(site.done().unwrap().len(), 1 + rows.len());
    assert_eq!(site.requests().unwrap().len(), 1);
    assert_eq!(stage.mail.received().unwrap().len(), 3 * rows.len());
}

#[test]
fn an_import_finds_out_how_many_calls_the_cloud_can_take() {
    /// Calls that the cloud takes at a time: more than an import begins with, fewer than it may make.
    const CAPACITY: usize = 6;
    let stage = Stage::new();
    let project = "Busy";
    let mut rows = vec![AccessRow::founding("founder@busy.example.org", project)];
    rows.extend((0..60).map(|n| AccessRow::joining(&format!("user{n}@busy.example.org"), project)));
    let site = stage.site(&rows);
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    site.use_proxy(&stage.cloud, &proxy).unwrap();
    proxy.answer_later(Duration::from_millis(20));
    proxy.calm();
    proxy.take_at_most(CAPACITY);

    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert_eq!(site.requests().unwrap().len(), 1);
    assert_eq!(site.done().unwrap().len(), 1 + rows.len());

    let calls = proxy.calls();
    let most = calls.iter().map(|call| call.at_once).max().unwrap();
    let refused: Vec<usize> = (0..calls.len()).filter(|&index| calls[index].status == Some(429)).collect();
    announce(&format!(
        "{} calls to a cloud that takes {CAPACITY} at a time: {most} at once at most, {} refused",
        calls.len(),
        refused.len()
    ));
    // It grows by one, so it asks for one too many, and not for all sixteen that it may make.
    assert_eq!(most, CAPACITY + 1);
    assert!(refused.len() * 20 < calls.len(), "one call in twenty at most is refused");
    // A refusal halves the calls that are made at once: so many more than half of them end first, one by one.
    let first = refused[0];
    let after = &calls[first + 1..];
    assert!(after.iter().take(2 * CAPACITY).any(|call| call.at_once <= CAPACITY / 2), "{first}: {after:?}");
    assert!(after.iter().any(|call| call.at_once >= CAPACITY), "it never tries for more again");
}

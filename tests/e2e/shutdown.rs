//! `usher serve` that is asked to end: what is under way is finished first.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use usher_tests::{identity, process, web};

use crate::newcomer;
use crate::stage::{Stage, expect_status};

#[test]
fn a_form_that_is_being_sent_at_sigterm_is_answered() {
    let stage = Stage::new();
    let (user, chosen) = ("user@shutdown.example.org", "chosen at the last moment");
    stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = stage.site(&[]);
    expect_status(&site.usher_with_input(&["password", "reset", user], "7359\n").unwrap(), 0);
    let link = newcomer::links(&stage.mail, user).remove(0);

    let serving = site.serve().unwrap();
    let address = serving.url().strip_prefix("http://").unwrap().to_owned();
    let (_, query) = link.split_once('?').unwrap();
    let body = format!("pin=7359&password={0}&confirm_password={0}", chosen.replace(' ', "+"));
    let mut connection = TcpStream::connect(&address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST /?{query} HTTP/1.1\r\nHost: {address}\r\nAccept: text/html\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    // The server says so once it waits for the form.
    let mut answer = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100 "), "{line:?}");
    line.clear();
    answer.read_line(&mut line).unwrap();
    assert_eq!(line, "\r\n");

    let stopping = thread::spawn(|| serving.stop());
    process::wait_for("the server to take no more connections", Duration::from_secs(15), || {
        Ok(TcpStream::connect(&address).is_err().then_some(()))
    })
    .unwrap();
    connection.write_all(body.as_bytes()).unwrap();
    let mut said = String::new();
    answer.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    let status = stopping.join().unwrap();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let keystone = stage.cloud.keystone_url().unwrap();
    assert_eq!(identity::authenticate(&keystone, user, chosen, None).unwrap().status, 201);
}

#[test]
fn before_nobody_is_let_in_any_more_balancers_are_told_and_a_second_signal_ends_the_wait() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    site.change_settings("[setpass]\n", "[setpass]\nstop_delay = \"10m\"\n").unwrap();
    let serving = site.serve().unwrap();
    let get = |path: &str| web::get(&format!("{}{path}", serving.url())).unwrap();
    assert_eq!(get("/readyz").status, 200);
    serving.ask_to_end();
    process::wait_for("the server to say that it is stopping", Duration::from_secs(15), || {
        let told = get("/readyz");
        Ok((told.status == 503 && told.json()?["stopping"] == true).then_some(()))
    })
    .unwrap();
    // Whoever was sent here before the balancer took note is served, each by a connection of its own.
    assert_eq!((get("/reset").status, get("/healthz").status), (200, 200));
    // This asks once more, and waits a quarter of a minute and not ten.
    assert!(serving.stop().is_some_and(|status| status.success()));

    site.change_settings("stop_delay = \"10m\"", "stop_delay = \"1s\"").unwrap();
    let serving = site.serve().unwrap();
    let address = serving.url().strip_prefix("http://").unwrap().to_owned();
    serving.ask_to_end();
    process::wait_for("the server to take no more connections", Duration::from_secs(15), || {
        Ok(TcpStream::connect(&address).is_err().then_some(()))
    })
    .unwrap();
    assert!(serving.stop().is_some_and(|status| status.success()));
}

#[test]
fn a_second_signal_cuts_off_what_is_under_way() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let patient = "[setpass]\ngrace = \"10m\"\nclient_timeout = \"10m\"\n";
    site.change_settings("[setpass]\n", patient).unwrap();
    let serving = site.serve().unwrap();
    let address = serving.url().strip_prefix("http://").unwrap().to_owned();
    let mut connection = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /?token=x HTTP/1.1\r\nHost: {address}\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(connection.try_clone().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100 "), "{line:?}");
    serving.ask_to_end();
    process::wait_for("the server to take no more connections", Duration::from_secs(15), || {
        Ok(TcpStream::connect(&address).is_err().then_some(()))
    })
    .unwrap();
    assert!(serving.stop().is_some_and(|status| status.success()), "the form never comes");
}

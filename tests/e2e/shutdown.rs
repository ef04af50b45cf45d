//! `usher serve` that is asked to end: what is under way is finished first.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use usher_tests::{identity, process};

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

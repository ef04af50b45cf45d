//! `usher serve` among clients that are slow, silent, many or encrypted.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use usher_tests::fault_proxy::FaultProxy;
use usher_tests::serving::Serving;
use usher_tests::{identity, process, web};

use crate::newcomer;
use crate::stage::{Stage, expect_status};

/// How long clients have for everything where they are cut: long enough for what is quick, on a machine that is busy
/// with much else.
const TIMEOUT: &str = "client_timeout = \"5s\"\n";

/// How long it may take at most until something has happened that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn connect(serving: &Serving) -> TcpStream {
    let (_, address) = serving.url().split_once("://").unwrap();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Reads to the end of the connection, which the server has to make.
fn read_to_end(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    match client.read_to_end(&mut read) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server does not end the connection: {error}"),
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// Sends a text a byte every tenth of a second for as long as the server takes it, and reads what it says.
fn drip(mut client: TcpStream, text: &str) -> String {
    let mut writer = client.try_clone().unwrap();
    let text = text.to_owned();
    let dripping = thread::spawn(move || {
        for byte in text.bytes() {
            if writer.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
    let said = read_to_end(&mut client);
    drop(client);
    dripping.join().unwrap();
    said
}

#[test]
fn clients_that_are_silent_or_slow_are_cut_and_those_that_are_quick_are_served() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    site.change_settings("[setpass]\n", &format!("[setpass]\n{TIMEOUT}")).unwrap();
    let serving = site.serve().unwrap();
    let mut silent = connect(&serving);
    let mut kept = connect(&serving);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // These two would take longer to send what they do than it is waited for.
    let head = connect(&serving);
    let head =
        thread::spawn(move || drip(head, &format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(2000))));
    let mut body = connect(&serving);
    body.write_all(
        b"POST /?token=x HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nContent-Length: 2000\r\n\r\n",
    )
    .unwrap();
    let body = thread::spawn(move || drip(body, &"x".repeat(2000)));
    // Asks for 40 MB, more than the system's buffers hold, and reads nothing of it.
    let mut deaf = connect(&serving);
    let ask = "GET /static/zxcvbn-ts/common.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    deaf.write_all(ask.as_bytes()).unwrap();
    deaf.set_write_timeout(Some(Duration::from_secs(1))).unwrap();

    assert_eq!(read_to_end(&mut silent), "");
    let kept = read_to_end(&mut kept);
    assert!(kept.starts_with("HTTP/1.1 200") && kept.ends_with("ok"), "{kept}");
    assert_eq!(head.join().unwrap(), "");
    let body = body.join().unwrap();
    assert!(body.starts_with("HTTP/1.1 408") && body.contains("\"too-slow\""), "{body}");
    process::wait_for("the server to give up on who does not read", PATIENCE, || {
        Ok((sockets(&serving, &deaf) == 0).then_some(()))
    })
    .unwrap();
    assert_eq!(web::get(&format!("{}/reset", serving.url())).unwrap().status, 200);
    assert!(serving.stop().is_some_and(|status| status.success()));
}

/// How many connections of this client the server holds, by the kernel's list: an entry for the server's side of it.
fn sockets(serving: &Serving, client: &TcpStream) -> usize {
    let port = |address: std::net::SocketAddr| format!(":{:04X} ", address.port());
    let (server, client) = (port(client.peer_addr().unwrap()), port(client.local_addr().unwrap()));
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", serving.id())).unwrap();
    let established = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        let (local, remote, state) = (words.next(), words.next(), words.next());
        local.is_some_and(|local| format!("{local} ").ends_with(&server))
            && remote.is_some_and(|remote| format!("{remote} ").ends_with(&client))
            && state == Some("01")
    };
    table.lines().filter(established).count()
}

#[test]
fn more_clients_than_there_is_room_for_neither_stop_the_server_nor_keep_others_out() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    site.change_settings("[setpass]\n", "[setpass]\nmax_connections = 10\nclient_timeout = \"5m\"\n")
        .unwrap();
    let serving = site.serve().unwrap();
    let mut silent: Vec<_> = (0..30).map(|_| connect(&serving)).collect();
    assert_eq!(web::get(&format!("{}/healthz", serving.url())).unwrap().status, 200);
    // Clients have five minutes here: these end because others came.
    assert_eq!(read_to_end(&mut silent[0]), "");

    // No more files than are open now.
    let pid = i32::try_from(serving.id()).ok().and_then(Pid::from_raw).unwrap();
    drop(silent);
    let url = format!("{}/healthz", serving.url());
    let limit = |files| {
        let limit = Rlimit { current: Some(files), maximum: Some(4096) };
        prlimit(Some(pid), Resource::Nofile, limit).unwrap();
    };
    limit(3);
    serving.log();
    let mut waiting = connect(&serving);
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    wait_to_say(&serving, "nobody can be let in");
    let before = processor_time(&serving);
    thread::sleep(Duration::from_secs(2));
    let used = processor_time(&serving) - before;
    assert!(used < 50, "{used} hundredths of a second of two seconds are spent on trying");
    limit(4096);
    assert!(read_to_end(&mut waiting).starts_with("HTTP/1.1 200"), "who waited is served");
    assert_eq!(web::get(&url).unwrap().status, 200);
}

/// Waits until the server has said this, whatever else it says.
fn wait_to_say(serving: &Serving, words: &str) {
    process::wait_for(&format!("the server to say: {words}"), PATIENCE, || {
        Ok(serving.log().iter().any(|line| line.contains(words)).then_some(()))
    })
    .unwrap();
}

/// The processor time that the server has used, in hundredths of a second.
fn processor_time(serving: &Serving) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", serving.id())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A certificate for setpass.example.org and its key, in the places that the settings name.
fn write_pair(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=setpass", "-days", "30", "-addext", "subjectAltName=DNS:setpass.example.org"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    let made = process::output(&mut openssl).unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    (certificate, key)
}

/// Status and version of HTTP with which curl is answered where it trusts this certificate; 000 where it does not.
fn curl(serving: &Serving, trusted: &Path, version: &str) -> String {
    let (_, port) = serving.url().rsplit_once(':').unwrap();
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "--noproxy", "*", version])
        .args(["--resolve", &format!("setpass.example.org:{port}:127.0.0.1"), "--cacert"])
        .arg(trusted)
        .arg(format!("https://setpass.example.org:{port}/healthz"));
    String::from_utf8(process::output(&mut curl).unwrap().stdout).unwrap()
}

#[test]
fn tls_takes_a_replaced_certificate_up_and_cuts_those_who_do_not_shake_hands() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let (certificate, key) = write_pair(site.folder(), "used");
    let (next, next_key) = write_pair(site.folder(), "next");
    let old = site.folder().join("old.pem");
    fs::copy(&certificate, &old).unwrap();
    let settings = "tls = { certificate = \"used.pem\", key = \"used.key\" }\n";
    site.change_settings("[setpass]\n", &format!("[setpass]\n{TIMEOUT}{settings}")).unwrap();
    let serving = site.serve().unwrap();
    assert!(serving.url().starts_with("https://"), "{}", serving.url());
    assert_eq!(curl(&serving, &old, "--http2"), "200 2");
    assert_eq!(curl(&serving, &old, "--http1.1"), "200 1.1");
    let mut silent = connect(&serving);
    assert_eq!(read_to_end(&mut silent), "", "no handshake");

    let new = site.folder().join("new.pem");
    fs::copy(&next, &new).unwrap();
    fs::rename(next, certificate).unwrap();
    assert_eq!(curl(&serving, &old, "--http2"), "200 2", "the key is still the old one");
    wait_to_say(&serving, "does not belong to the first certificate");
    fs::rename(next_key, key).unwrap();
    assert_eq!(curl(&serving, &new, "--http2"), "200 2");
    assert!(curl(&serving, &old, "--http2").starts_with("000"));
    wait_to_say(&serving, "certificate has changed and was read again");
}

#[test]
fn a_server_that_is_stopped_waits_for_nobody_who_is_idle() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let settings = "client_timeout = \"5m\"\ngrace = \"5m\"\n";
    site.change_settings("[setpass]\n", &format!("[setpass]\n{settings}")).unwrap();
    let serving = site.serve().unwrap();
    let _silent = connect(&serving);
    let mut kept = connect(&serving);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_ne!(kept.read(&mut [0; 1000]).unwrap(), 0);
    assert!(serving.stop().is_some_and(|status| status.success()), "it waits for longer than a minute");
}

#[test]
fn a_password_that_keystone_is_changing_when_the_grace_ends_is_recorded() {
    let stage = Stage::new();
    let (user, chosen) = ("user@grace.example.org", "chosen in the grace");
    stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = stage.site(&[]);
    expect_status(&site.usher_with_input(&["password", "reset", user], "7359\n").unwrap(), 0);
    let link = newcomer::links(&stage.mail, user).remove(0);
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    site.use_proxy(&stage.cloud, &proxy).unwrap();
    site.change_settings("[setpass]\n", "[setpass]\ngrace = \"1s\"\n").unwrap();
    let serving = site.serve().unwrap();
    proxy.calm();
    proxy.answer_later(Duration::from_secs(4));

    let mut client = connect(&serving);
    let (_, query) = link.split_once('?').unwrap();
    let body = format!("pin=7359&password={0}&confirm_password={0}", chosen.replace(' ', "+"));
    let post = format!(
        "POST /?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(post.as_bytes()).unwrap();
    // Idle connections, of which the second speaks HTTP/2 and the third has begun a request, keep nobody waiting.
    let _silent = connect(&serving);
    let mut second = connect(&serving);
    second.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut begun = connect(&serving);
    begun.write_all(b"POST /?").unwrap();
    let keystone = stage.cloud.keystone_url().unwrap();
    let login = || identity::authenticate(&keystone, user, chosen, None).unwrap().status;
    process::wait_for("Keystone to change the password", Duration::from_secs(20), || {
        Ok((login() == 201).then_some(()))
    })
    .unwrap();

    assert!(serving.stop().is_some_and(|status| status.success()));
    assert!(read_to_end(&mut client).starts_with("HTTP/1.1 200 "), "who waits for it is told");
    proxy.answer_later(Duration::ZERO);
    let again = site.serve().unwrap();
    assert_eq!(newcomer::choose(&again, &link, "7359", "another one").status, 404, "the link was used up");
}

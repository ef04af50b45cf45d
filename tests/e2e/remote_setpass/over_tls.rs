//! A setpass on another machine that speaks TLS with a certificate of the site's own.

use std::process::Command;

use usher_tests::process;
use usher_tests::site::Site;

use super::LONG_PIN;
use crate::newcomer;
use crate::stage::{Stage, expect_status, expect_words};

#[test]
fn a_remote_whose_certificate_is_not_trusted_gets_no_pin_and_one_that_is_registers_users() {
    let stage = Stage::new();
    let user = "user@tls.elsewhere.example.org";
    stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let other = Site::for_setpass_alone(&stage.cloud, &stage.mail).unwrap();
    let (certificate, key) = (other.folder().join("own.pem"), other.folder().join("own.key"));
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-subj", "/CN=setpass", "-days", "30", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    let made = process::output(&mut openssl).unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tls = "[setpass]\ntls = { certificate = \"own.pem\", key = \"own.key\" }\n";
    other.change_settings("[setpass]\n", tls).unwrap();
    let serving = other.serve().unwrap();
    assert!(serving.url().starts_with("https://"), "{}", serving.url());

    let site = stage.site(&[]);
    site.use_setpass_at(serving.url()).unwrap();
    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 2);
    expect_words(&doctor, &["is not trusted", "setpass.remote_ca_file"]);
    let reset = || site.usher_with_input(&["password", "reset", user], &format!("{LONG_PIN}\n")).unwrap();
    let refused = reset();
    assert!(refused.status != Some(0), "{}", refused.said());
    expect_words(&refused, &["is not trusted"]);
    assert!(newcomer::links(&stage.mail, user).is_empty());

    let trusted = format!("[setpass]\nremote_ca_file = \"{}\"\n", certificate.display());
    site.change_settings("[setpass]\n", &trusted).unwrap();
    let doctor = site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 0);
    expect_words(&doctor, &["takes registrations"]);
    expect_status(&reset(), 0);
    let links = newcomer::links(&stage.mail, user);
    assert_eq!(links.len(), 1);
    let mut curl = Command::new("curl");
    curl.args(["-s", "--noproxy", "*", "-H", "Accept: application/json", "--cacert"]).arg(&certificate);
    for field in
        [&format!("pin={LONG_PIN}"), "password=chosen by the user", "confirm_password=chosen by the user"]
    {
        curl.args(["--data-urlencode", field]);
    }
    let answer = process::output(curl.arg(&links[0])).unwrap();
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.contains("\"password-set\""), "{answer}");
}

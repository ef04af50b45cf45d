use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};

use super::*;

/// Writes a certificate for a host and its key with OpenSSL, which is not what reads them.
pub(in crate::server) fn write_pair(folder: &Path, name: &str, host: &str, days: u32) -> settings::Tls {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
        ])
        .args([format!("/CN={name}"), "-days".into(), days.to_string(), "-addext".into()])
        .args([
            format!("subjectAltName=DNS:{host}"),
            "-addext".into(),
            "basicConstraints=critical,CA:FALSE".into(),
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    settings::Tls { certificate, key }
}

fn problem(settings: &settings::Tls) -> String {
    Tls::load(settings).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn files_that_cannot_be_used_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let one = write_pair(folder.path(), "one", "one.example.org", 30);
    let other = write_pair(folder.path(), "other", "other.example.org", 30);
    assert_eq!(problem(&one), "");

    let mixed = settings::Tls { key: other.key.clone(), ..one.clone() };
    assert!(problem(&mixed).contains("does not belong to the first certificate"), "{}", problem(&mixed));
    let swapped = settings::Tls { certificate: one.key.clone(), key: one.key.clone() };
    assert!(problem(&swapped).contains("holds no certificate"), "{}", problem(&swapped));
    std::fs::set_permissions(&one.certificate, std::fs::Permissions::from_mode(0o600)).unwrap();
    let swapped = settings::Tls { certificate: one.certificate.clone(), key: one.certificate.clone() };
    assert!(problem(&swapped).contains("holds no private key"), "{}", problem(&swapped));
    let missing = settings::Tls { certificate: folder.path().join("nothing"), ..one.clone() };
    let told = problem(&missing);
    assert!(told.contains("setpass.tls.certificate") && told.contains("nothing"), "{told}");
    for (mode, refused) in [(0o600, false), (0o640, false), (0o400, false), (0o644, true), (0o660, true)] {
        std::fs::set_permissions(&one.key, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(problem(&one).contains("chmod 600"), refused, "{mode:o}");
    }
}

#[test]
fn a_pair_that_was_replaced_is_taken_up_and_half_of_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let used = write_pair(folder.path(), "used", "one.example.org", 30);
    let next = write_pair(folder.path(), "next", "one.example.org", 30);
    let tls = Tls::load(&used).unwrap();
    let first = tls.current();
    assert!(Arc::ptr_eq(&first, &tls.current()), "nothing has changed");
    std::fs::rename(&next.certificate, &used.certificate).unwrap();
    assert!(Arc::ptr_eq(&first, &tls.current()), "the key is still the old one");
    std::fs::rename(&next.key, &used.key).unwrap();
    let second = tls.current();
    assert!(!Arc::ptr_eq(&first, &second));
    std::fs::write(&used.certificate, "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
    assert!(Arc::ptr_eq(&second, &tls.current()));
    std::fs::remove_file(&used.key).unwrap();
    assert!(Arc::ptr_eq(&second, &tls.current()));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "OpenSSL makes the certificate valid from the present moment on"
)]
fn a_certificate_for_another_host_or_another_time_is_remarked_upon() {
    let folder = tempfile::tempdir().unwrap();
    let pair = write_pair(folder.path(), "one", "*.example.org", 30);
    let remark = |host: &str, days: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(1);
        examine(&pair, Some(host), &Clock::manual(at)).unwrap()
    };
    assert_eq!(remark("setpass.example.org", 0), Remark::None);
    assert_eq!(remark("example.org", 0), Remark::OtherHost);
    let now = Clock::manual(Timestamp::now() + SignedDuration::from_mins(1));
    assert_eq!(examine(&pair, None, &now).unwrap(), Remark::None, "nobody is sent here by a name");
    assert_eq!(remark("setpass.example.org", -1), Remark::NotYet);
    assert_eq!(remark("setpass.example.org", 20), Remark::EndsSoon);
    assert_eq!(remark("setpass.example.org", 30), Remark::Ended);
}

//! Changes that end.

use std::process::Command;

use serde_json::json;
use usher_tests::{process, workspace};

use super::Quotas;
use crate::stage::{entries, expect_status, expect_words};

impl Quotas {
    /// Moves the end of the temporary change: as if time had passed.
    fn end_in(&self, seconds: i64) {
        let script = "
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
moved = database.execute('UPDATE quota_decision SET ends = ? WHERE ends IS NOT NULL AND ended IS NULL',
                         (int((time.time() + int(sys.argv[2])) * 1000),))
assert moved.rowcount == 1
database.commit()
";
        let mut command = Command::new(workspace::python_packages().join("bin/python"));
        command
            .args(["-c", script])
            .arg(self.site.folder().join("state/usher.sqlite"))
            .arg(seconds.to_string());
        let output = process::output(&mut command).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_temporary_change_is_announced_and_undone_unless_it_was_changed_meanwhile() {
    let quotas = Quotas::new("temporary");
    let mut row = quotas.row(&[("instances", "20"), ("cores", "40"), ("floating", "60")]);
    row.set(9, "temporary").set(10, "12/31/2099");
    quotas.write(&[row]);
    expect_status(&quotas.apply(), 0);
    quotas.expect(&[("instances", 20), ("cores", 40), ("floating_ips", 60)]);
    let expire = |more: &[&str]| {
        let mut arguments = vec!["run", "expire-quotas"];
        arguments.extend(more);
        quotas.site.usher(&arguments).unwrap()
    };
    let run = expire(&[]);
    expect_status(&run, 0);
    expect_words(&run, &["0 ended, 0 announced, 0 failed"]);

    quotas.end_in(2 * 24 * 60 * 60);
    expect_words(&expire(&["--dry-run"]), &["0 ended, 1 announced", "Nothing was changed"]);
    assert_eq!(quotas.stage.mail.received().unwrap().len(), 1);
    for announced in ["1 announced", "0 announced"] {
        let run = expire(&[]);
        expect_status(&run, 0);
        expect_words(&run, &[announced]);
        assert_eq!(quotas.stage.mail.received().unwrap().len(), 2, "it is told once");
    }
    assert_eq!(quotas.stage.mail.received().unwrap()[1].to, [quotas.requester.as_str()]);

    // Somebody raises the cores in the meantime.
    let cores = json!({ "quota_set": { "cores": 64 } });
    let path = format!("/os-quota-sets/{}", quotas.project_id);
    let identity = quotas.stage.cloud.identity().unwrap();
    identity.call_service("compute", "PUT", &path, Some(&cores)).unwrap();
    quotas.end_in(-60);
    let dry = expire(&["--dry-run", "--json"]).json().unwrap();
    assert_eq!(entries(&dry["ended"]).len(), 1, "{dry}");
    quotas.expect(&[("instances", 20), ("floating_ips", 60)]);
    let run = expire(&[]);
    expect_status(&run, 0);
    expect_words(&run, &["1 ended", "64, changed meanwhile and kept"]);
    quotas.expect(&[("instances", 10), ("cores", 64), ("floating_ips", 50)]);
    let mails = quotas.stage.mail.received().unwrap();
    assert_eq!(mails.len(), 3);
    let text = mails[2].text.as_deref().unwrap();
    assert!(text.contains("64") && text.contains("changed meanwhile"), "{text}");
    let again = expire(&[]);
    expect_words(&again, &["0 ended, 0 announced, 0 failed"]);
    assert_eq!(quotas.stage.mail.received().unwrap().len(), 3);
}

#[test]
fn a_temporary_change_ends_also_below_what_is_in_use() {
    let quotas = Quotas::new("below");
    let identity = quotas.stage.cloud.identity().unwrap();
    let path = format!("/v2.0/quotas/{}", quotas.project_id);
    let limit = json!({ "quota": { "network": 1 } });
    identity.call_service("network", "PUT", &path, Some(&limit)).unwrap();
    let mut row = quotas.row(&[("networks", "4"), ("volumes", "12")]);
    row.set(9, "temporary").set(10, "12/31/2099");
    quotas.write(&[row]);
    expect_status(&quotas.apply(), 0);
    for name in ["one", "two", "three"] {
        let network = json!({ "network": { "name": name, "project_id": quotas.project_id } });
        identity.call_service("network", "POST", "/v2.0/networks", Some(&network)).unwrap();
    }
    quotas.end_in(-60);
    expect_status(&quotas.site.usher(&["run", "expire-quotas"]).unwrap(), 0);
    quotas.expect(&[("networks", 1), ("volumes", 10)]);
}

#[test]
fn what_is_asked_for_again_while_it_lasts_does_not_go_back() {
    let quotas = Quotas::new("again");
    let mut first = quotas.row(&[("instances", "20"), ("cores", "40")]);
    first.set(9, "temporary").set(10, "12/31/2099");
    quotas.write(&[first]);
    expect_status(&quotas.apply(), 0);
    let mut again = quotas.row(&[("instances", "20")]);
    again.set(3, "3/16/2018 15:48:48");
    quotas.write(&[again]);
    let run = quotas.apply();
    expect_status(&run, 0);
    assert_eq!((quotas.waiting(), quotas.processed()), (0, 2));
    quotas.end_in(-60);
    expect_status(&quotas.site.usher(&["run", "expire-quotas"]).unwrap(), 0);
    quotas.expect(&[("instances", 20), ("cores", 20)]);
    // Asked for once more, there is nothing to be set, and nobody is told that there was.
    let mut more = quotas.row(&[("instances", "20")]);
    more.set(3, "3/17/2018 15:48:48");
    quotas.write(&[more]);
    let mails = quotas.stage.mail.received().unwrap().len();
    let run = quotas.apply();
    expect_status(&run, 1);
    expect_words(&run, &["in force already"]);
    assert_eq!(quotas.stage.mail.received().unwrap().len(), mails);
}

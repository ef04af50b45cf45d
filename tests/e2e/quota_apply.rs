//! The quota sheet against the real services: what is granted, refused, and undone; checked with the stock command
//! line.

mod begun;
mod temporary;

use std::fs;

use serde_json::json;
use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};
use usher_tests::google_sheets::GoogleSheets;
use usher_tests::sheet::{self, QuotaRow};
use usher_tests::site::{Run, Site};

use crate::stage::{Stage, expect_schema, expect_status, expect_words, records};

/// A site whose quota sheet is about a project of its own, with a requester, a member who has an address, one who has
/// none, and one who is a member through a group.
struct Quotas {
    stage: Stage,
    site: Site,
    project: String,
    project_id: String,
    requester: String,
}

impl Quotas {
    /// `name` is the test's own.
    fn new(name: &str) -> Self {
        let stage = Stage::new();
        let identity = stage.cloud.identity().unwrap();
        let project = format!("Quotas {name}");
        let project_id = identity.create_project(&project, "A project of the tests").unwrap();
        let address = |who: &str| format!("{who}@{name}.example.org");
        for who in ["requester", "colleague"] {
            let id = identity.create_user(&address(who), "a password of theirs").unwrap();
            identity.grant(&id, &project_id, "member").unwrap();
        }
        let silent = json!({ "user": { "name": format!("silent.{name}"), "domain_id": "default" } });
        let silent = identity.call("POST", "/users", Some(&silent)).unwrap();
        identity.grant(silent["user"]["id"].as_str().unwrap(), &project_id, "member").unwrap();
        let group = json!({ "group": { "name": format!("group.{name}"), "domain_id": "default" } });
        let group = identity.call("POST", "/groups", Some(&group)).unwrap();
        let group = group["group"]["id"].as_str().unwrap().to_owned();
        let through_group = identity.create_user(&address("grouped"), "a password of theirs").unwrap();
        identity.call("PUT", &format!("/groups/{group}/users/{through_group}"), None).unwrap();
        let roles = identity.call("GET", "/roles?name=member", None).unwrap();
        let role = roles["roles"][0]["id"].as_str().unwrap();
        identity.call("PUT", &format!("/projects/{project_id}/groups/{group}/roles/{role}"), None).unwrap();
        let site = stage.site(&[]);
        let quotas = Self { requester: address("requester"), stage, site, project, project_id };
        quotas.write(&[]);
        quotas
    }

    /// An approved request of the requester.
    fn row(&self, limits: &[(&str, &str)]) -> QuotaRow {
        QuotaRow::new(&self.requester, &self.project, limits)
    }

    fn write(&self, rows: &[QuotaRow]) {
        sheet::write_quota(&self.site.quota(), rows).unwrap();
    }

    fn apply(&self) -> Run {
        self.site.usher(&["quota", "apply", "--all"]).unwrap()
    }

    /// Limits as the stock command line shows them, of these resources.
    #[track_caller]
    fn expect(&self, expected: &[(&str, i64)]) {
        let limits = self.stage.limits(&self.project);
        for (resource, limit) in expected {
            assert_eq!(limits.get(*resource), Some(limit), "{resource}: {limits:?}");
        }
    }

    fn waiting(&self) -> usize {
        self.site.quota_requests().unwrap().len() - 1
    }

    fn processed(&self) -> usize {
        self.site.quota_done().unwrap().len() - 1
    }
}

#[test]
fn a_request_is_applied_mailed_to_all_members_and_moved_once() {
    let quotas = Quotas::new("granted");
    quotas.expect(&[("instances", 10), ("networks", 100), ("volumes", 10)]);
    quotas.write(&[quotas.row(&[
        ("instances", "20"),
        ("cores", "40"),
        ("ram", "80"),
        ("floating", "8"),
        ("volumes", "15"),
        ("gigabytes", "2000"),
    ])]);
    let before = (quotas.stage.limits(&quotas.project), quotas.site.quota_requests().unwrap());

    let dry = quotas.site.usher(&["quota", "apply", "--all", "--dry-run"]).unwrap();
    expect_status(&dry, 0);
    expect_words(
        &dry,
        &["instances 10 -> 20", "ram 51200 -> 81920", "colleague@granted.example.org", "Nothing was changed"],
    );
    assert_eq!((quotas.stage.limits(&quotas.project), quotas.site.quota_requests().unwrap()), before);
    assert!(quotas.stage.mail.received().unwrap().is_empty());

    expect_status(&quotas.apply(), 0);
    quotas.expect(&[
        ("instances", 20),
        ("cores", 40),
        ("ram", 81920),
        ("floating_ips", 8),
        ("volumes", 15),
        ("gigabytes", 2000),
        // Not asked for.
        ("networks", 100),
        ("snapshots", 10),
        ("key-pairs", 100),
    ]);
    assert_eq!((quotas.waiting(), quotas.processed()), (0, 1));
    let mails = quotas.stage.mail.received().unwrap();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mut to = mails[0].to.clone();
    to.sort();
    let members = ["colleague", "grouped", "requester"].map(|who| format!("{who}@granted.example.org"));
    assert_eq!(to, members);
    assert_eq!(mails[0].header_to.as_deref(), Some(quotas.requester.as_str()));
    let (text, html) = (mails[0].text.as_deref().unwrap(), mails[0].html.as_deref().unwrap());
    for words in ["instances", "10", "20", "ram", "51200", "81920", "gigabytes"] {
        assert!(text.contains(words) && html.contains(words), "{words}: {text} {html}");
    }
    assert!(html.contains("<table"), "{html}");

    let records = records(&quotas.site);
    let again = quotas.apply();
    expect_status(&again, 0);
    expect_words(&again, &["no rows, 0 rows moved, 0 mails sent"]);
    assert_eq!(crate::stage::records(&quotas.site), records);
}

#[test]
fn ports_follow_instances_and_what_others_hold() {
    let quotas = Quotas::new("ports");
    let identity = quotas.stage.cloud.identity().unwrap();
    let network = json!({ "network": { "name": "of-the-ports", "project_id": quotas.project_id } });
    let network = identity.call_service("network", "POST", "/v2.0/networks", Some(&network)).unwrap();
    for _ in 0..2 {
        let port =
            json!({ "port": { "network_id": network["network"]["id"], "project_id": quotas.project_id } });
        identity.call_service("network", "POST", "/v2.0/ports", Some(&port)).unwrap();
    }
    let limit = json!({ "quota": { "port": 20 } });
    let path = format!("/v2.0/quotas/{}", quotas.project_id);
    identity.call_service("network", "PUT", &path, Some(&limit)).unwrap();
    // One for each of 30 instances, 2 that no instance holds, and 5.
    quotas.write(&[quotas.row(&[("instances", "30")])]);
    expect_status(&quotas.apply(), 0);
    quotas.expect(&[("instances", 30), ("ports", 37)]);
}

#[test]
fn a_denied_request_stays_with_its_reason_and_the_requester_is_told_once() {
    let quotas = Quotas::new("denied");
    quotas.site.change_settings("quota = \"quota\"\n", "quota = \"quota\"\nwrite_errors = true\n").unwrap();
    let identity = quotas.stage.cloud.identity().unwrap();
    for name in ["one", "two"] {
        let network = json!({ "network": { "name": name, "project_id": quotas.project_id } });
        identity.call_service("network", "POST", "/v2.0/networks", Some(&network)).unwrap();
    }
    let before = quotas.stage.limits(&quotas.project);
    quotas.write(&[quotas.row(&[("networks", "1"), ("instances", "50")])]);
    for _ in 0..2 {
        let run = quotas.apply();
        expect_status(&run, 1);
        expect_words(&run, &["row 2: refused", "network: a limit of 1 was requested", "2 are in use"]);
        assert_eq!(quotas.stage.limits(&quotas.project), before, "nothing of it is set");
        let rows = quotas.site.quota_requests().unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows[1].last().unwrap().contains("2 are in use"), "the reason is beside the row: {rows:?}");
        let mails = quotas.stage.mail.received().unwrap();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!(mails[0].to, [quotas.requester.as_str()]);
        assert!(mails[0].text.as_deref().unwrap().contains("2 are in use"));
    }
    // The approvers correct the row, and it is decided anew.
    quotas.write(&[quotas.row(&[("networks", "120"), ("instances", "50")])]);
    expect_status(&quotas.apply(), 0);
    quotas.expect(&[("networks", 120), ("instances", 50)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (0, 1));
    assert_eq!(quotas.stage.mail.received().unwrap().len(), 2);
}

#[test]
fn a_service_that_is_down_is_told_and_the_next_run_finishes() {
    let quotas = Quotas::new("down");
    let proxy = FaultProxy::start(&quotas.stage.cloud).unwrap();
    quotas.site.use_proxy(&quotas.stage.cloud, &proxy).unwrap();
    quotas.write(&[quotas.row(&[("instances", "20"), ("floating", "9"), ("volumes", "20")])]);
    proxy.calm();
    let kind = "PUT /network/v2.0/quotas/*".to_owned();
    proxy.fault(Fault { kind, nth: 1, always: true, trouble: Trouble::Unavailable });
    let run = quotas.apply();
    expect_status(&run, 1);
    expect_words(&run, &["1 failed, 0 rows moved, 0 mails sent", "503"]);
    // Compute has its part, network and volume do not, and nobody says that it is done.
    quotas.expect(&[("instances", 20), ("floating_ips", 50), ("volumes", 10)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (1, 0));
    assert!(quotas.stage.mail.received().unwrap().is_empty());
    // An edit would make two requests of one.
    let edited = quotas.row(&[("instances", "25"), ("floating", "9"), ("volumes", "20")]);
    let original = quotas.site.quota_requests().unwrap();
    quotas.write(&[edited]);
    proxy.calm();
    let conflict = quotas.apply();
    expect_status(&conflict, 1);
    expect_words(&conflict, &["conflict", "change the row back"]);
    sheet::write(&quotas.site.quota().join(format!("{}.csv", sheet::REQUESTS)), &original).unwrap();

    expect_status(&quotas.apply(), 0);
    quotas.expect(&[("instances", 20), ("floating_ips", 9), ("volumes", 20)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (0, 1));
    let mails = quotas.stage.mail.received().unwrap();
    assert_eq!(mails.len(), 1);
    // The values of before, although compute's was set by the first run.
    let text = mails[0].text.as_deref().unwrap();
    assert!(text.contains("10") && text.contains("20"), "{text}");
}

#[test]
fn what_one_service_refuses_for_good_is_taken_back_from_the_others() {
    let quotas = Quotas::new("refused");
    let proxy = FaultProxy::start(&quotas.stage.cloud).unwrap();
    quotas.site.use_proxy(&quotas.stage.cloud, &proxy).unwrap();
    let before = quotas.stage.limits(&quotas.project);
    quotas.write(&[quotas.row(&[("instances", "20"), ("floating", "9"), ("volumes", "20")])]);
    proxy.calm();
    let kind = volume_change(&proxy, &quotas);
    proxy.fault(Fault { kind, nth: 1, always: true, trouble: Trouble::Refused });
    let run = quotas.apply();
    expect_status(&run, 1);
    expect_words(&run, &["what was set before has been taken back"]);
    assert_eq!(quotas.stage.limits(&quotas.project), before);
    assert_eq!((quotas.waiting(), quotas.stage.mail.received().unwrap().len()), (1, 0));
    proxy.calm();
    expect_status(&quotas.apply(), 0);
    quotas.expect(&[("instances", 20), ("floating_ips", 9), ("volumes", 20)]);
}

/// How the proxy names the call that sets limits with Cinder, whose URL may hold the account's project.
fn volume_change(proxy: &FaultProxy, quotas: &Quotas) -> String {
    expect_status(&quotas.site.usher(&["quota", "apply", "--all", "--dry-run"]).unwrap(), 0);
    let calls = proxy.calls();
    let read = calls.iter().find(|call| call.kind.contains("/volume") && call.kind.ends_with("/defaults"));
    let path = read.unwrap().kind.trim_start_matches("GET ").trim_end_matches("/defaults");
    proxy.calm();
    format!("PUT {path}")
}

#[test]
fn a_cloud_without_cinder_gets_what_the_others_keep_with_a_notice() {
    let quotas = Quotas::new("diskless");
    let proxy = FaultProxy::start(&quotas.stage.cloud).unwrap();
    quotas.site.use_proxy(&quotas.stage.cloud, &proxy).unwrap();
    proxy.hide_service("volumev3");
    quotas.write(&[quotas.row(&[("instances", "20"), ("volumes", "20")])]);
    let run = quotas.apply();
    expect_status(&run, 0);
    expect_words(&run, &["the catalog has no volume service", "volumes is not set"]);
    quotas.expect(&[("instances", 20), ("volumes", 10)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (0, 1));
    let mails = quotas.stage.mail.received().unwrap();
    assert!(!mails[0].text.as_deref().unwrap().contains("volumes"), "nobody is told what is not so");
}

#[test]
fn past_runs_are_listed_and_shown_and_json_is_what_the_schemas_say() {
    let quotas = Quotas::new("history");
    let list = |arguments: &[&str]| quotas.site.usher(arguments).unwrap();
    expect_words(&list(&["quota", "history"]), &["There has been no quota run yet"]);
    quotas.write(&[quotas.row(&[("instances", "20")])]);
    let check = |output: &str, arguments: &[&str]| {
        let (run, schema) = (list(arguments), list(&["quota", "schema", output]));
        expect_status(&run, 0);
        expect_schema(&schema.stdout, &run.stdout);
    };
    check("plan", &["quota", "apply", "--all", "--dry-run", "--json"]);
    check("report", &["quota", "apply", "--all", "--json"]);
    check("history", &["quota", "history", "--json"]);
    check("run", &["quota", "history", "--run", "1", "--json"]);
    let shown = list(&["quota", "history", "--run", "1"]);
    expect_words(&shown, &["set-quotas:compute", "announce", "1 done, 1 row moved, 1 mail sent"]);
    let project = list(&["quota", "show", &quotas.project]);
    expect_words(&project, &["as requested"]);
    expect_status(&list(&["quota", "history", "--run", "9"]), 1);
}

#[test]
fn a_site_without_a_quota_sheet_is_told_so() {
    let quotas = Quotas::new("none");
    quotas.site.change_settings("quota = \"quota\"\n", "").unwrap();
    fs::remove_dir_all(quotas.site.quota()).unwrap();
    let run = quotas.apply();
    expect_status(&run, 2);
    expect_words(&run, &["set sheet.quota"]);
}

#[test]
fn the_quota_sheet_may_be_at_google_too() {
    let quotas = Quotas::new("at-google");
    let folder = tempfile::Builder::new().prefix("usher-google-").tempdir().unwrap();
    let google = GoogleSheets::start(folder.path()).unwrap();
    let access = google.create_access(&[], true).unwrap();
    let mut refused = quotas.row(&[("instances", "-7")]);
    refused.set(3, "3/15/2018 15:48:49");
    let rows = [quotas.row(&[("instances", "20"), ("volumes", "15")]), refused];
    let spreadsheet = google.create_quota(&rows).unwrap();
    quotas.site.use_google(&google, &access).unwrap();
    let both = format!("access = \"{access}\"\nquota = \"{spreadsheet}\"\nwrite_errors = true\n");
    quotas.site.change_settings(&format!("access = \"{access}\"\n"), &both).unwrap();

    let run = quotas.apply();
    expect_status(&run, 1);
    quotas.expect(&[("instances", 20), ("volumes", 15)]);
    let rows = |worksheet| google.rows(&spreadsheet, worksheet).unwrap().unwrap();
    assert_eq!((rows(sheet::REQUESTS).len(), rows(sheet::QUOTA_DONE).len()), (2, 2));
    let notes = google.notes(&spreadsheet, sheet::REQUESTS).unwrap();
    assert!(notes["A2"].contains("instances"), "the reason is beside the row: {notes:?}");
    google.expect_order().unwrap();
}

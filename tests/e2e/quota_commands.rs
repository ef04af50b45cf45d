//! `usher quota show`, `set` and `audit` against the real services, checked with the stock command line.
//!
//! Each test has a domain of its own, so that an audit sees no other test's projects.

use serde_json::{Value, json};
use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};
use usher_tests::identity::Identity;
use usher_tests::site::{self, Site};

use crate::stage::{
    NEW_PROJECT_LIMITS, Stage, entries, expect_status, expect_words, on_a_terminal, records, text,
};

/// A site that looks after a domain of its own.
struct Scene {
    stage: Stage,
    identity: Identity,
    site: Site,
    domain: String,
}

impl Scene {
    fn new(domain: &str) -> Self {
        let stage = Stage::new();
        let identity = stage.cloud.identity().unwrap();
        let wanted = json!({ "domain": { "name": domain, "description": "of the tests" } });
        let answer = identity.call("POST", "/domains", Some(&wanted)).unwrap();
        let domain = text(&answer["domain"], "id").to_owned();
        let site = stage.site(&[]);
        site.change_settings("[keystone]\n", &format!("[keystone]\ndomain = \"{domain}\"\nretries = 0\n"))
            .unwrap();
        Self { stage, identity, site, domain }
    }

    /// Creates a project, and answers its id.
    fn project(&self, name: &str) -> String {
        let wanted = json!({ "project": {
            "name": name, "domain_id": self.domain, "description": "of the tests",
        } });
        let answer = self.identity.call("POST", "/projects", Some(&wanted)).unwrap();
        text(&answer["project"], "id").to_owned()
    }

    /// Creates a network, so that the project uses one.
    fn network(&self, project: &str) {
        let network = json!({ "network": { "name": "quay", "project_id": project } });
        self.identity.call_service("network", "POST", "/v2.0/networks", Some(&network)).unwrap();
    }

    /// What the stock command line shows as the limit, by its own names.
    #[track_caller]
    fn limits<const N: usize>(&self, project: &str, names: [&str; N]) -> [Option<i64>; N] {
        let limits = self.stage.limits(project);
        names.map(|name| limits.get(name).copied())
    }

    fn shown(&self, project: &str) -> Value {
        let run = self.site.usher(&["quota", "show", project, "--json"]).unwrap();
        expect_status(&run, 0);
        run.json().unwrap()
    }

    fn proxy(&self) -> FaultProxy {
        let proxy = FaultProxy::start(&self.stage.cloud).unwrap();
        self.site.use_proxy(&self.stage.cloud, &proxy).unwrap();
        proxy
    }
}

/// Goes wrong each time.
fn always(kind: &str, trouble: Trouble) -> Fault {
    Fault { kind: kind.to_owned(), nth: 1, always: true, trouble }
}

/// A limit of what `usher quota show --json` printed.
#[track_caller]
fn limit<'a>(shown: &'a Value, service: &str, key: &str) -> &'a Value {
    let mut services = entries(&shown["services"]).iter();
    let found = services.find(|found| found["service"] == service).unwrap();
    let mut limits = entries(&found["limits"]).iter();
    limits.find(|limit| limit["key"] == key).unwrap_or_else(|| panic!("no {key}: {shown}"))
}

#[test]
fn quotas_are_shown_as_the_stock_command_line_shows_them() {
    let scene = Scene::new("quota-show");
    let project = scene.project("Shown");
    scene.network(&project);
    for (service, path, limits) in [
        ("compute", "/os-quota-sets", json!({ "quota_set": { "cores": 33 } })),
        ("network", "/v2.0/quotas", json!({ "quota": { "port": -1 } })),
        ("volumev3", "/os-quota-sets", json!({ "quota_set": { "gigabytes": 70 } })),
    ] {
        let path = format!("{path}/{project}");
        scene.identity.call_service(service, "PUT", &path, Some(&limits)).unwrap();
    }
    let shown = scene.shown("sHOWN");
    assert_eq!(shown["project"], json!({ "id": project, "name": "Shown" }));
    for (service, key, stock) in [
        ("compute", "cores", "cores"),
        ("compute", "instances", "instances"),
        ("compute", "ram", "ram"),
        ("compute", "key_pairs", "key-pairs"),
        ("network", "port", "ports"),
        ("network", "network", "networks"),
        ("network", "floatingip", "floating_ips"),
        ("volume", "gigabytes", "gigabytes"),
        ("volume", "snapshots", "snapshots"),
    ] {
        let limit = limit(&shown, service, key);
        assert_eq!([limit["limit"].as_i64()], scene.limits(&project, [stock]), "{key}");
    }
    let expected = json!({ "key": "cores", "limit": 33, "in_use": 0, "reserved": 0, "default": 20 });
    assert_eq!(limit(&shown, "compute", "cores"), &expected);
    assert_eq!(limit(&shown, "network", "network")["in_use"], 1);
    assert_eq!(scene.shown(&project)["project"]["name"], "Shown", "by its id");

    let plain = scene.site.usher(&["quota", "show", "Shown"]).unwrap();
    expect_status(&plain, 0);
    let line = |key: &str| plain.stdout.lines().find(|line| line.contains(key)).unwrap().to_owned();
    let numbers = |key: &str| -> Vec<String> {
        line(key)
            .split(['│', '┆'])
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    assert_eq!(numbers(" cores "), ["cores", "33", "0", "0", "20"]);
    assert_eq!(numbers(" port "), ["port", "unlimited", "0", "0", "500"]);
    assert!(!plain.stdout.contains('░'), "no bar where there is no terminal: {}", plain.said());
    let on_terminal = on_a_terminal(&scene.site, &["quota", "show", "Shown"], &[]);
    assert!(on_terminal.contains('█') && on_terminal.contains("1 %"), "{on_terminal}");

    let missing = scene.site.usher(&["quota", "show", "Nobody's"]).unwrap();
    expect_status(&missing, 1);
    expect_words(&missing, &["no project with the name or id Nobody's"]);
    let schema = scene.site.usher(&["quota", "schema", "show"]).unwrap();
    assert!(schema.json().unwrap()["properties"]["temporary"].is_object(), "{}", schema.said());
}

#[test]
fn limits_are_set_and_recorded() {
    let scene = Scene::new("quota-set");
    let project = scene.project("Set");
    let wanted = ["quota", "set", "Set", "instances=12", "ram_gb=1.5", "port=unlimited", "gigabytes=7"];
    let names = ["instances", "ram", "ports", "gigabytes"];
    // Makes the database, which reading for a dry run does not.
    expect_status(&scene.site.usher(&["mail", "list"]).unwrap(), 0);
    let (before, records_before) = (scene.limits(&project, names), records(&scene.site));
    let dry = scene.site.usher(&[&wanted[..], &["--dry-run"]].concat()).unwrap();
    expect_status(&dry, 0);
    expect_words(&dry, &["1536", "unlimited", "Nothing was changed."]);
    assert_eq!((scene.limits(&project, names), records(&scene.site)), (before, records_before));

    let set = scene.site.usher(&[&wanted[..], &["--reason", "a course in spring"]].concat()).unwrap();
    expect_status(&set, 0);
    expect_words(&set, &["Old", "New", "set and recorded"]);
    assert_eq!(scene.limits(&project, names), [Some(12), Some(1536), Some(-1), Some(7)]);
    let shown = scene.shown("Set");
    let decision = &entries(&shown["decisions"])[0];
    assert_eq!(text(decision, "approved_by"), "operator");
    assert_eq!(text(decision, "reason"), "a course in spring");
    assert!(decision["applied"].is_string(), "{decision}");
    let changes: Vec<_> = entries(&decision["changes"])
        .iter()
        .map(|change| (text(change, "key"), change["old"].as_i64().unwrap(), change["new"].as_i64().unwrap()))
        .collect();
    let [instances, ram, ports, gigabytes] = before.map(Option::unwrap);
    let expected =
        [("instances", instances, 12), ("ram", ram, 1536), ("port", ports, -1), ("gigabytes", gigabytes, 7)];
    assert_eq!(changes, expected);

    let again = scene.site.usher(&wanted).unwrap();
    expect_status(&again, 0);
    expect_words(&again, &["has these limits already"]);
    assert_eq!(entries(&scene.shown("Set")["decisions"]).len(), 1);
}

#[test]
fn what_cannot_be_set_is_refused_before_anything_is() {
    let scene = Scene::new("quota-refused");
    let project = scene.project("Refused");
    scene.network(&project);
    let names = ["cores", "networks"];
    let before = scene.limits(&project, names);
    for (wanted, status, words) in [
        (&["cores=5", "instance=5"][..], 2, &["instance", "did you mean instances?"][..]),
        (&["cores=5", "happiness=5"], 2, &["happiness", "floatingip", "gigabytes"]),
        (&["cores=5", "network=0"], 1, &["network cannot be 0: 1 is in use or reserved", "--force"]),
        (&["cores=5", "ram=1024", "ram_gb=2"], 2, &["ram is given twice"]),
        (&["cores=five"], 2, &["expected a whole number"]),
    ] {
        let run = scene.site.usher(&[&["quota", "set", "Refused"], wanted].concat()).unwrap();
        expect_status(&run, status);
        expect_words(&run, words);
        assert_eq!(scene.limits(&project, names), before, "{}", run.said());
    }
    assert!(entries(&scene.shown("Refused")["decisions"]).is_empty());

    let forced = scene.site.usher(&["quota", "set", "Refused", "cores=5", "network=0", "--force"]).unwrap();
    expect_status(&forced, 0);
    expect_words(&forced, &["Notice: network is to be 0 although 1 is in use"]);
    assert_eq!(scene.limits(&project, names), [Some(5), Some(0)]);
}

#[test]
fn a_change_that_one_service_did_not_take_is_finished_by_the_same_command() {
    let scene = Scene::new("quota-finish");
    let project = scene.project("Finish");
    let names = ["instances", "ports", "volumes"];
    let [_, _, volumes] = scene.limits(&project, names);
    let proxy = scene.proxy();
    proxy.fault(always("PUT /volumev3/v3/*/os-quota-sets/*", Trouble::Unavailable));
    let command = ["quota", "set", "Finish", "instances=3", "port=4", "volumes=5"];
    let run = scene.site.usher(&command).unwrap();
    expect_status(&run, 3);
    let outcome = |key: &str| run.stdout.lines().find(|line| line.contains(key)).unwrap();
    assert!(
        outcome(" instances ").contains(" set ") && outcome(" port ").contains(" set "),
        "{}",
        run.said()
    );
    assert!(outcome(" volumes ").contains("NOT SET"), "{}", run.said());
    expect_words(&run, &["Cinder is not available", "run again sets what is left"]);
    assert_eq!(scene.limits(&project, names), [Some(3), Some(4), volumes]);
    assert!(entries(&scene.shown("Finish")["decisions"])[0]["applied"].is_null(), "not called done");

    proxy.calm();
    let run = scene.site.usher(&command).unwrap();
    expect_status(&run, 0);
    assert_eq!(scene.limits(&project, names), [Some(3), Some(4), Some(5)]);
    let shown = scene.shown("Finish");
    let decisions = entries(&shown["decisions"]);
    assert_eq!(decisions.len(), 1, "{shown}");
    assert!(decisions[0]["applied"].is_string(), "{shown}");
    assert_eq!(proxy.calls().iter().filter(|call| call.kind.starts_with("PUT")).count(), 1);
}

#[test]
fn a_change_that_was_killed_anywhere_is_finished_by_the_same_command() {
    let scene = Scene::new("quota-killed");
    let places =
        ["quota change recorded", "quotas of compute set", "quotas of network set", "quotas of volume set"];
    for (number, place) in places.into_iter().enumerate() {
        let name = format!("Killed {number}");
        let project = scene.project(&name);
        let command = ["quota", "set", &name, "instances=3", "port=4", "volumes=5"];
        let killed =
            site::run(scene.site.command(&command).env("USHER_KILL_AT", format!("{place}#1")), None).unwrap();
        assert_eq!(killed.status, None, "{place}: {}", killed.said());
        assert!(entries(&scene.shown(&name)["decisions"])[0]["applied"].is_null(), "{place}: called done");
        expect_status(&scene.site.usher(&command).unwrap(), 0);
        assert_eq!(scene.limits(&project, ["instances", "ports", "volumes"]), [Some(3), Some(4), Some(5)]);
        let shown = scene.shown(&name);
        let decisions = entries(&shown["decisions"]);
        assert!(decisions.len() == 1 && decisions[0]["applied"].is_string(), "{place}: {shown}");
    }
    expect_status(&scene.site.usher(&["quota", "audit"]).unwrap(), 0);
}

#[test]
fn an_audit_finds_the_limits_that_nobody_has_decided() {
    let scene = Scene::new("quota-audit");
    let plain = scene.project("Plain");
    scene.project("Untouched");
    // As an import leaves it: with what the quota policy gives new projects.
    scene.project("Founded");
    let policy =
        ["instances=7", "cores=14", "ram=28672", "network=3", "port=21", "volumes=5", "gigabytes=250"];
    assert_eq!(policy.len(), NEW_PROJECT_LIMITS.len());
    expect_status(&scene.site.usher(&[&["quota", "set", "Founded"], &policy[..]].concat()).unwrap(), 0);
    std::fs::remove_file(scene.site.folder().join("state/usher.sqlite")).unwrap();
    let audit = |arguments: &[&str]| scene.site.usher(&[&["quota", "audit"], arguments].concat()).unwrap();
    let run = audit(&[]);
    expect_status(&run, 0);
    expect_words(&run, &["3 projects: every limit"]);

    // By hand, beside Usher.
    let by_hand = json!({ "quota_set": { "cores": 77 } });
    let path = format!("/os-quota-sets/{plain}");
    scene.identity.call_service("compute", "PUT", &path, Some(&by_hand)).unwrap();
    assert_eq!(scene.limits(&plain, ["cores"]), [Some(77)]);
    let run = audit(&["--json"]);
    expect_status(&run, 1);
    let found = run.json().unwrap();
    let expected = json!([{
        "project": { "id": plain, "name": "Plain" }, "service": "compute", "key": "cores", "limit": 77,
        "default": 20, "policy": 14, "recorded": null,
    }]);
    assert_eq!((&found["unexpected"], &found["failures"]), (&expected, &json!([])));
    let run = audit(&[]);
    expect_status(&run, 1);
    expect_words(&run, &["Plain", "77", "14 (for a new project), 20 (default)", "1 limit that nobody"]);

    // An operator says that it is meant; nothing has to be set for that.
    let run = scene.site.usher(&["quota", "set", "Plain", "cores=77"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["as it was"]);
    expect_status(&audit(&[]), 0);
    // What was recorded holds only for the project that it was recorded for, and only the last of it.
    expect_status(&scene.site.usher(&["quota", "set", "Plain", "cores=78"]).unwrap(), 0);
    expect_status(&audit(&[]), 0);
    scene.identity.call_service("compute", "PUT", &path, Some(&by_hand)).unwrap();
    let run = audit(&["--json"]);
    expect_status(&run, 1);
    assert_eq!(run.json().unwrap()["unexpected"][0]["recorded"], 78);
    let schema = scene.site.usher(&["quota", "schema", "audit"]).unwrap();
    assert!(schema.json().unwrap()["properties"]["unexpected"].is_object(), "{}", schema.said());
}

#[test]
fn an_audit_goes_on_past_a_project_or_a_service_that_cannot_be_looked_at() {
    let scene = Scene::new("quota-audit-faults");
    for name in ["One", "Two", "Three"] {
        let project = scene.project(name);
        let by_hand = json!({ "quota_set": { "cores": 77 } });
        let path = format!("/os-quota-sets/{project}");
        scene.identity.call_service("compute", "PUT", &path, Some(&by_hand)).unwrap();
    }
    let proxy = scene.proxy();
    let detail = "GET /compute/v2.1/os-quota-sets/*/detail";
    proxy.fault(Fault { kind: detail.to_owned(), nth: 2, always: false, trouble: Trouble::Forbidden });
    let audit = |status| {
        let run = scene.site.usher(&["quota", "audit", "--json"]).unwrap();
        expect_status(&run, status);
        run.json().unwrap()
    };
    // What was found is not hidden by what could not be looked at.
    let found = audit(1);
    let failures = entries(&found["failures"]);
    assert_eq!(failures.len(), 1, "{found}");
    assert_eq!(text(&failures[0], "service"), "compute");
    assert!(text(&failures[0], "error").contains("403"), "{found}");
    let mut projects: Vec<&str> =
        entries(&found["unexpected"]).iter().map(|limit| text(&limit["project"], "name")).collect();
    projects.push(text(&failures[0]["project"], "name"));
    projects.sort_unstable();
    assert_eq!(projects, ["One", "Three", "Two"]);
    // For each project one call to each service, and one for what each gives by default.
    let quota_calls = proxy.calls().into_iter().filter(|call| call.kind.contains("quota")).count();
    assert_eq!(quota_calls, 3 * 3 + 3);

    proxy.calm();
    proxy.fault(always("GET /volumev3/v3/*/os-quota-sets/*/defaults", Trouble::Unavailable));
    let found = audit(1);
    assert_eq!(entries(&found["unexpected"]).len(), 3, "{found}");
    let failures = entries(&found["failures"]);
    assert_eq!(failures.len(), 1, "told once: {found}");
    assert!(failures[0]["project"].is_null() && failures[0]["service"] == "volume", "{found}");
}

#[test]
fn a_service_that_does_not_answer_leaves_the_others_to_be_seen() {
    let scene = Scene::new("quota-show-faults");
    scene.project("Half");
    let proxy = scene.proxy();
    proxy.fault(always("GET /volumev3/v3/*/os-quota-sets/*", Trouble::Unavailable));
    let run = scene.site.usher(&["quota", "show", "Half"]).unwrap();
    expect_status(&run, 3);
    expect_words(&run, &["instances", "floatingip", "volume: not known: Cinder is not available"]);
    // The key may be Cinder's, so nobody can say that it is wrong.
    let run = scene.site.usher(&["quota", "set", "Half", "volumes=3"]).unwrap();
    expect_status(&run, 3);
    let run = scene.site.usher(&["quota", "set", "Half", "cores=3"]).unwrap();
    expect_status(&run, 0);
}

#[test]
fn a_cloud_without_cinder_is_looked_at_with_a_notice() {
    let scene = Scene::new("quota-no-cinder");
    let project = scene.project("Diskless");
    let proxy = scene.proxy();
    proxy.hide_service("volumev3");
    let notice = "the catalog has no volume service";
    let run = scene.site.usher(&["quota", "show", "Diskless"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &[&format!("Notice: {notice}"), "instances", "floatingip"]);
    assert!(!run.stdout.contains("gigabytes"), "{}", run.said());
    let run = scene.site.usher(&["quota", "audit"]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &[&format!("Notice: {notice}"), "1 project: "]);
    let run = scene.site.usher(&["quota", "set", "Diskless", "instances=3", "volumes=5"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &["called volumes", notice]);
    let run = scene.site.usher(&["quota", "set", "Diskless", "instances=3", "network=4"]).unwrap();
    expect_status(&run, 0);
    assert_eq!(scene.limits(&project, ["instances", "networks"]), [Some(3), Some(4)]);
}

//! Requests that wait, that were begun, and that stand beside each other.

use serde_json::json;
use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};
use usher_tests::sheet::{self, QuotaRow};

use super::Quotas;
use crate::stage::{expect_status, expect_words};

#[test]
fn a_begun_request_is_finished_for_its_project_whatever_that_is_called_now() {
    let quotas = Quotas::new("renamed");
    let proxy = FaultProxy::start(&quotas.stage.cloud).unwrap();
    quotas.site.use_proxy(&quotas.stage.cloud, &proxy).unwrap();
    quotas.write(&[quotas.row(&[("instances", "20"), ("floating", "60"), ("volumes", "15")])]);
    proxy.calm();
    let kind = "PUT /network/v2.0/quotas/*".to_owned();
    proxy.fault(Fault { kind, nth: 1, always: true, trouble: Trouble::Unavailable });
    expect_status(&quotas.apply(), 1);
    proxy.calm();
    let identity = quotas.stage.cloud.identity().unwrap();
    let name = json!({ "project": { "name": "Quotas renamed since" } });
    identity.call("PATCH", &format!("/projects/{}", quotas.project_id), Some(&name)).unwrap();
    // Another one of the old name is not it.
    identity.create_project(&quotas.project, "A project of the tests").unwrap();
    let run = quotas.apply();
    expect_status(&run, 1);
    expect_words(&run, &["conflict", "about another one now"]);
    let mut rows = quotas.site.quota_requests().unwrap();
    rows[1][8] = "Quotas renamed since".to_owned();
    sheet::write(&quotas.site.quota().join(format!("{}.csv", sheet::REQUESTS)), &rows).unwrap();
    // What somebody has set since is left at that.
    let volumes = json!({ "quota_set": { "volumes": 33 } });
    let path = format!("/os-quota-sets/{}", quotas.project_id);
    identity.call_service("volumev3", "PUT", &path, Some(&volumes)).unwrap();
    let run = quotas.apply();
    expect_status(&run, 0);
    expect_words(&run, &["volumes was changed to 33"]);
    let limits = quotas.stage.limits("Quotas renamed since");
    let found = ["instances", "floating_ips", "volumes"].map(|resource| limits[resource]);
    assert_eq!(found, [20, 60, 33]);
    assert_eq!(quotas.processed(), 1);
}

#[test]
fn a_request_that_waits_with_something_wrong_in_it_is_left_to_people() {
    let quotas = Quotas::new("unclear");
    quotas
        .site
        .change_settings(
            "[plugins.mail_templates]\n",
            "[plugins.quota_policy.settings.auto_approve.limits]\ninstances = 15\n\n[plugins.mail_templates]\n",
        )
        .unwrap();
    let mut row = quotas.row(&[("instances", "15")]);
    row.set(0, "").set(1, "").set(9, "temporary").set(10, "until christmas");
    quotas.write(&[row]);
    expect_status(&quotas.apply(), 0);
    quotas.expect(&[("instances", 10)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (1, 0));
}

#[test]
fn the_policy_may_grant_a_request_that_waits() {
    let quotas = Quotas::new("waiting");
    quotas
        .site
        .change_settings(
            "[plugins.mail_templates]\n",
            "[plugins.quota_policy.settings.auto_approve.limits]\ninstances = 15\n\n[plugins.mail_templates]\n",
        )
        .unwrap();
    let mut small = quotas.row(&[("instances", "15")]);
    small.set(0, "").set(1, "");
    let mut large = quotas.row(&[("instances", "16")]);
    large.set(0, "").set(1, "").set(3, "3/15/2018 15:48:49");
    quotas.write(&[large.clone(), small]);
    let run = quotas.apply();
    expect_status(&run, 0);
    quotas.expect(&[("instances", 15)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (1, 1));
    assert_eq!(quotas.site.quota_requests().unwrap()[1], large.0);
}

#[test]
fn two_requests_about_one_project_build_on_each_other_and_one_project_can_be_chosen() {
    let quotas = Quotas::new("two");
    let mut second = quotas.row(&[("networks", "103")]);
    second.set(3, "3/15/2018 15:48:49");
    let mut elsewhere = QuotaRow::new(&quotas.requester, "No Such Project", &[("instances", "11")]);
    elsewhere.set(3, "3/15/2018 15:48:50");
    // Networks alone: one port for each network more, and 5; of 500 ports.
    let first = quotas.row(&[("networks", "102")]);
    quotas.write(&[first, elsewhere, second]);
    let run = quotas.site.usher(&["quota", "apply", "--project", &quotas.project]).unwrap();
    expect_status(&run, 0);
    quotas.expect(&[("networks", 103), ("ports", 500 + 2 + 5 + 1 + 5)]);
    assert_eq!((quotas.waiting(), quotas.processed()), (1, 2));
    let rest = quotas.apply();
    expect_status(&rest, 1);
    expect_words(&rest, &["there is no project No Such Project"]);
    let nobody = quotas.site.usher(&["quota", "apply", "--project", "Misspelt"]).unwrap();
    expect_status(&nobody, 1);
    expect_words(&nobody, &["no row of the sheet is about the project Misspelt"]);
}

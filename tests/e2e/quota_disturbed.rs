//! A run over the quota sheet, and the end of a temporary change, killed at every place of their work and hit by every
//! fault of a call: no quota is half applied and called done, and after the next run the end is the same as if nothing
//! had happened.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};
use usher_tests::process::{self, wait_for};
use usher_tests::site;

use crate::quota_scene::{Act, QuotaScene};
use crate::scene::{Stagehand, difference, in_parallel};
use crate::stage::{announce, expect_status};

/// A fault, and what the run has to come to in which it happens.
struct Case {
    fault: Fault,
    is_made_good: bool,
}

#[test]
fn the_next_run_makes_good_whatever_a_killed_one_left_of_a_quota() {
    killed_everywhere(Act::Apply, "kills", 25);
}

#[test]
fn the_end_of_a_temporary_quota_survives_a_kill_at_every_place() {
    killed_everywhere(Act::Expire, "kills-at-end", 8);
}

#[test]
fn every_fault_of_a_quota_run_is_made_good_at_once_or_told_and_made_good_by_the_next() {
    disturbed(Act::Apply, "faults");
}

#[test]
fn every_fault_at_the_end_of_a_temporary_quota_is_made_good_at_once_or_told_and_made_good_later() {
    disturbed(Act::Expire, "faults-at-end");
}

#[test]
fn a_quota_run_finishes_its_step_at_sigterm_and_the_next_one_goes_on() {
    let hand = Stagehand::new();
    let proxy = FaultProxy::start(&hand.stage.cloud).unwrap();
    let scene = QuotaScene::new(&hand.stage, &hand.identity, Act::Apply, "sigterm");
    scene.site.use_proxy(&hand.stage.cloud, &proxy).unwrap();
    // Between a call and its answer there is time for a signal.
    proxy.answer_later(Duration::from_secs(1));
    let mut command = scene.site.command(Act::Apply.arguments());
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let set = || proxy.calls().iter().filter(|call| call.kind.starts_with("PUT ")).count();
    wait_for("the first limits to be set", Duration::from_secs(120), || Ok((set() > 0).then_some(())))
        .unwrap();
    let status = process::terminate(&mut running, Duration::from_secs(25));
    assert_eq!(
        status.and_then(|status| status.code()),
        Some(1),
        "it ends by itself, and says that something is left"
    );
    assert_eq!(set(), 1, "it goes on after its step: {:?}", proxy.calls());
    assert!(
        scene.site.quota_done().unwrap().len() <= 1,
        "the row has moved, although not all of it is in force"
    );
    proxy.answer_later(Duration::ZERO);
    expect_status(&scene.run(Act::Apply), 0);
    assert_eq!(scene.site.quota_done().unwrap().len(), 2);
    assert_eq!(set(), 3, "one call for each service: {:?}", proxy.calls());
}

fn killed_everywhere(act: Act, test: &str, at_least: usize) {
    let hand = Stagehand::new();
    let scene = QuotaScene::new(&hand.stage, &hand.identity, act, &format!("undisturbed.{test}"));
    let log = scene.site.folder().join("places");
    let mut command = scene.site.command(act.arguments());
    expect_status(&site::run(command.env("USHER_PLACES", &log), None).unwrap(), 0);
    let wanted = scene.end(&hand.stage, &hand.identity);
    let mut seen = BTreeSet::new();
    let places: Vec<String> = fs::read_to_string(log)
        .unwrap()
        .lines()
        // The ends of the steps of all services are places of their own, by their names.
        .filter(|line| line.ends_with("#1") && seen.insert((*line).to_owned()))
        .map(str::to_owned)
        .collect();
    assert!(places.len() >= at_least, "only {}: {places:?}", places.len());
    let faults = in_parallel(&places, |places| {
        let hand = Stagehand::new();
        let mut faults = Vec::new();
        for (number, place) in places {
            let mut note = |fault: String| faults.push(format!("{place}: {fault}"));
            let scene = QuotaScene::new(&hand.stage, &hand.identity, act, &format!("place{number}.{test}"));
            scene.kill_at(act, place).into_iter().for_each(&mut note);
            let run = scene.run(act);
            if run.status != Some(0) {
                note(run.said());
                continue;
            }
            let end = scene.end(&hand.stage, &hand.identity);
            difference(&wanted, &end).into_iter().for_each(&mut note);
            // A mail that the server took before that could be recorded comes twice, as one mail by its Message-ID.
            let allowed = usize::from(place.starts_with("mail ") && place.contains(" taken"));
            let doubled = scene.doubled(&hand.stage);
            if doubled != allowed {
                note(format!("{doubled} mails came twice"));
            }
            let again = scene.run(act);
            if again.status != Some(0) || scene.end(&hand.stage, &hand.identity) != end {
                note(format!("a third run changes something: {}", again.said()));
            }
        }
        faults
    });
    announce(&format!("{act:?}: killed at {} places", places.len()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn disturbed(act: Act, test: &str) {
    let hand = Stagehand::new();
    let proxy = FaultProxy::start(&hand.stage.cloud).unwrap();
    let scene = QuotaScene::new(&hand.stage, &hand.identity, act, &format!("undisturbed.{test}"));
    scene.site.use_proxy(&hand.stage.cloud, &proxy).unwrap();
    proxy.calm();
    expect_status(&scene.run(act), 0);
    let wanted = scene.end(&hand.stage, &hand.identity);
    let cases = cases(&proxy);
    let faults = in_parallel(&cases, |cases| {
        let hand = Stagehand::new();
        let proxy = FaultProxy::start(&hand.stage.cloud).unwrap();
        let mut faults = Vec::new();
        for (number, case) in cases {
            let mut note = |fault: String| faults.push(format!("{:?}: {fault}", case.fault));
            let scene = QuotaScene::new(&hand.stage, &hand.identity, act, &format!("fault{number}.{test}"));
            scene.site.use_proxy(&hand.stage.cloud, &proxy).unwrap();
            if case.fault.trouble == Trouble::SilentAfter {
                scene
                    .site
                    .change_settings("timeout = \"20s\"\n\n[sheet]", "timeout = \"2s\"\n\n[sheet]")
                    .unwrap();
            }
            proxy.calm();
            proxy.fault(case.fault.clone());
            let run = scene.run(act);
            let happened =
                proxy.calls().iter().any(|call| call.kind == case.fault.kind && call.nth == case.fault.nth);
            proxy.calm();
            if !happened {
                note("it did not happen".to_owned());
            }
            let is_done = scene.site.quota_requests().unwrap().len() == 1;
            if case.is_made_good != (run.status == Some(0)) {
                note(format!("status {:?}: {}", run.status, run.said()));
            }
            if act == Act::Apply && run.status != Some(0) && is_done {
                note("the row has moved, although not all of it is in force".to_owned());
            }
            let next = scene.run(act);
            if next.status != Some(0) {
                note(format!("the next run: {}", next.said()));
            }
            difference(&wanted, &scene.end(&hand.stage, &hand.identity)).into_iter().for_each(&mut note);
            if scene.doubled(&hand.stage) != 0 {
                note("a mail came twice".to_owned());
            }
        }
        faults
    });
    announce(&format!("{act:?}: {} faults", cases.len()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What may go wrong with each call of a run.
fn cases(proxy: &FaultProxy) -> Vec<Case> {
    use Trouble::{CutAfter, CutBefore, Refused, SilentAfter, TooMany, Unavailable};
    let mut cases = Vec::new();
    for call in proxy.calls() {
        let reads = call.kind.starts_with("GET ");
        // Reads of one kind are alike.
        if reads && call.nth > 1 {
            continue;
        }
        let mut case = |always, trouble, is_made_good| {
            let fault = Fault { kind: call.kind.clone(), nth: call.nth, always, trouble };
            cases.push(Case { fault, is_made_good });
        };
        for trouble in [Unavailable, TooMany, CutBefore, CutAfter, SilentAfter] {
            if !(reads && trouble == CutAfter) {
                case(false, trouble, true);
            }
        }
        if call.nth == 1 {
            case(true, Unavailable, false);
            if call.kind.starts_with("PUT ") {
                case(true, Refused, false);
            }
        }
    }
    cases
}

//! Requests on which nobody has decided.

use super::*;

/// Waits, on a site that allows up to 40 cores and 100 GB of RAM.
fn waiting(wanted: &[(&str, i64)]) -> Scene {
    Scene::wants(wanted)
        .waiting()
        .with(&[("auto_approve.limits.cores", number(40)), ("auto_approve.limits.ram_gb", number(100))])
}

#[test]
fn a_request_within_what_the_site_allows_is_granted() {
    let granted = waiting(&[("cores", 40), ("ram", 102_400)]).granted();
    assert_eq!(limits(&granted), [("cores", 40), ("ram", 102_400)]);
    assert_eq!(granted.limits[0].reason, "as requested; this site allows it without approval");
}

#[test]
fn everything_else_is_left_to_people() {
    let allowed = || waiting(&[("cores", 40)]);
    let cases = [
        ("without settings", Scene::wants(&[("cores", 40)]).waiting()),
        ("more", waiting(&[("cores", 41)])),
        ("unlimited", waiting(&[("cores", -1)])),
        ("another key besides", waiting(&[("cores", 40), ("instances", 11)])),
        // A temporary change may have put it there, which this would make last.
        ("another key as it is", waiting(&[("cores", 40), ("instances", 10)])),
        ("less than what is in force", waiting(&[("cores", 19)])),
        ("not a member", Scene { is_member: false, ..allowed() }),
        ("a disabled project", Scene { is_enabled: false, ..allowed() }),
        ("above the ceiling", allowed().with(&[("ceilings.cores", number(30))])),
        (
            "cut at the ceiling",
            allowed().with(&[("ceilings.cores", number(30)), ("over_ceiling", text("clamp"))]),
        ),
        (
            "nothing left by the ceiling",
            allowed().with(&[("ceilings.cores", number(20)), ("over_ceiling", text("clamp"))]),
        ),
        ("below use", waiting(&[("cores", 2)])),
        ("nothing", waiting(&[])),
        ("an unknown key besides", waiting(&[("cores", 40), ("core", 40)])),
        ("a size that the site does not know", allowed().size("huge")),
    ];
    for (name, scene) in cases {
        assert!(scene.is_left_to_people(), "{name}: {:?}", scene.decide());
    }
}

#[test]
fn ports_that_follow_count_too() {
    let scene = || waiting(&[("instances", 60)]).with(&[("auto_approve.limits.instances", number(60))]);
    assert!(scene().is_left_to_people());
    assert!(scene().with(&[("auto_approve.limits.port", number(72))]).is_left_to_people());
    let granted = scene().with(&[("auto_approve.limits.port", number(73))]).granted();
    assert_eq!(limits(&granted), [("instances", 60), ("port", 73)]);
}

#[test]
fn a_size_may_be_allowed_as_a_whole() {
    let settings = [
        ("sizes.small.cores", number(64)),
        ("sizes.small.instances", number(12)),
        ("sizes.large.cores", number(128)),
        ("auto_approve.sizes", Value::Texts(vec!["Small".to_owned()])),
    ];
    let scene =
        |wanted: &[(&str, i64)], size: &str| Scene::wants(wanted).waiting().size(size).with(&settings);
    assert_eq!(limits(&scene(&[], "small").granted()), [("cores", 64), ("instances", 12)]);
    assert!(scene(&[], "large").is_left_to_people());
    assert!(scene(&[("cores", 65)], "small").is_left_to_people(), "a key of the request's own");
}

#[test]
fn a_site_may_ask_that_the_change_ends_soon() {
    // It is 14 March.
    let soon = || waiting(&[("cores", 40)]).with(&[("auto_approve.temporary_days_at_most", number(30))]);
    assert_eq!(limits(&soon().until(4, 13).granted()), [("cores", 40)]);
    assert_eq!(limits(&soon().until(3, 14).granted()), [("cores", 40)]);
    assert!(soon().until(4, 14).is_left_to_people());
    assert!(soon().until(3, 13).is_left_to_people(), "it is over");
    assert!(soon().is_left_to_people(), "it never ends");
    assert_eq!(limits(&waiting(&[("cores", 40)]).until(12, 31).granted()), [("cores", 40)]);
    assert!(waiting(&[("cores", 40)]).until(3, 13).is_left_to_people());
}

#[test]
fn settings_that_cannot_be_read_allow_nothing() {
    for (key, value, part) in [
        ("auto_approve", Value::Boolean(true), "`auto_approve` has to be a table"),
        ("auto_approve.days", number(3), "`auto_approve.days` is unknown"),
        ("auto_approve.temporary_days", number(3), "did you mean"),
        ("auto_approve.temporary_days_at_most", text("30"), "has to be a whole number"),
        ("auto_approve.temporary_days_at_most", number(-1), "has to be 0 or more"),
        ("auto_approve.limits.cores", text("40"), "people decide on requests for it"),
        ("auto_approve.sizes.small", number(3), "`auto_approve.sizes.small` is unknown"),
    ] {
        let scene = waiting(&[("cores", 40)]).with(&[(key, value)]);
        assert!(scene.is_left_to_people(), "{key}");
        let notices = Scene { approval: Approval::Approved, ..scene }.granted().notices;
        assert!(notices.len() == 1 && notices[0].contains(part), "{notices:?}");
    }
}

#[test]
fn one_entry_that_cannot_be_read_leaves_the_others_alone() {
    for (key, value, part) in [
        ("auto_approve.limits.instance", number(40), "did you mean `instances`?"),
        ("auto_approve.limits.ram", text("much"), "people decide on requests for it"),
        ("auto_approve.sizes", number(4), "people decide on requests for sizes"),
        ("auto_approve.sizes", text("tiny"), "there is no size `tiny`"),
    ] {
        let granted = waiting(&[("cores", 40)]).with(&[(key, value)]).granted();
        assert_eq!(limits(&granted), [("cores", 40)]);
        assert!(granted.notices.len() == 1 && granted.notices[0].contains(part), "{granted:?}");
    }
    let ram = waiting(&[("ram", 51_200)]);
    assert_eq!(limits(&ram.granted()), [("ram", 51_200)]);
    assert!(ram.with(&[("auto_approve.limits.ram", number(51_200))]).is_left_to_people(), "in both units");
}

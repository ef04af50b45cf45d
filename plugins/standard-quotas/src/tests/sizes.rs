//! Requests that name a size.

use super::*;

fn sizes() -> [(&'static str, Value); 3] {
    [
        ("sizes.large.cores", number(64)),
        ("sizes.large.ram_gb", number(256)),
        ("sizes.small.cores", number(16)),
    ]
}

#[test]
fn a_size_gives_its_limits() {
    let granted = Scene::wants(&[]).size("Large ").with(&sizes()).granted();
    assert_eq!(limits(&granted), [("cores", 64), ("ram", 262_144)]);
    assert_eq!(granted.limits[0].reason, "size large, as requested");
}

#[test]
fn keys_of_the_request_win_over_its_size() {
    let granted = Scene::wants(&[("cores", 40), ("network", 3)]).size("large").with(&sizes()).granted();
    assert_eq!(limits(&granted), [("cores", 40), ("network", 3), ("ram", 262_144), ("port", 56)]);
    assert_eq!(granted.limits[0].reason, "as requested");
}

#[test]
fn ports_follow_a_size_unless_it_has_them() {
    let with = |entries: &[(&'static str, Value)]| Scene::wants(&[]).size("large").with(entries).granted();
    assert_eq!(limits(&with(&[("sizes.large.instances", number(60))])), [("instances", 60), ("port", 73)]);
    let both = with(&[("sizes.large.instances", number(60)), ("sizes.large.port", number(55))]);
    assert_eq!(limits(&both), [("instances", 60), ("port", 55)]);
}

#[test]
fn an_unknown_size_is_refused_with_those_there_are() {
    let scene = Scene::wants(&[("cores", 40)]).size("huge").with(&sizes());
    assert_eq!(scene.denied(), "there is no size `huge`; there are large, small");
    assert!(scene.waiting().is_left_to_people());
}

#[test]
fn a_blank_size_is_none() {
    assert_eq!(limits(&Scene::wants(&[("cores", 40)]).size(" ").granted()), [("cores", 40)]);
}

#[test]
fn a_size_below_use_is_refused() {
    let scene = Scene::wants(&[]).size("tiny").with(&[("sizes.tiny.cores", number(2))]);
    assert!(scene.denied().contains("cores: a limit of 2 was requested, and 12 are in use"));
}

#[test]
fn a_size_that_cannot_be_read_is_not_granted_in_part() {
    let broken = [("sizes.large.gigabites", number(9))];
    let scene = Scene::wants(&[]).size("large").with(&sizes()).with(&broken);
    assert!(scene.denied().contains("the size large cannot be granted until"), "{}", scene.denied());
    let other = Scene::wants(&[]).size("small").with(&sizes()).with(&broken).granted();
    assert_eq!(limits(&other), [("cores", 16)]);
    assert!(other.notices[0].contains("did you mean `gigabytes`?"), "{other:?}");
}

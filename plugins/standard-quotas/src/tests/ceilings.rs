//! Requests that meet the site's ceilings.

use super::*;

fn clamp() -> (&'static str, Value) {
    ("over_ceiling", text("clamp"))
}

#[test]
fn a_request_for_more_is_refused_with_what_would_be_granted() {
    let ceilings = [("ceilings.cores", number(64)), ("ceilings.ram_gb", number(100))];
    let scene = |wanted: &[(&str, i64)]| Scene::wants(wanted).with(&ceilings);
    assert_eq!(
        scene(&[("cores", 100), ("ram", -1), ("instances", 10)]).denied(),
        "cores: a limit of 100 was requested, and 64 is the most that this project can get; that or less can be \
         granted; ram: no limit at all was requested, and 102400 MB (100 GB) is the most that this project can get; \
         that or less can be granted"
    );
    let granted = scene(&[("cores", 64), ("ram", 102_400)]).granted();
    assert_eq!(limits(&granted), [("cores", 64), ("ram", 102_400)]);
}

#[test]
fn a_site_may_have_requests_for_more_get_the_ceiling() {
    let scene =
        Scene::wants(&[("cores", 100), ("ram", 30_720)]).with(&[("ceilings.cores", number(64)), clamp()]);
    let granted = scene.granted();
    assert_eq!(limits(&granted), [("cores", 64), ("ram", 30_720)]);
    let words = "a limit of 100 was requested, and 64 is the most that this project can get";
    assert_eq!(granted.limits[0].reason, words);
    assert_eq!(granted.notices, [format!("cores: {words}")]);
    let unlimited = Scene::wants(&[("cores", -1)]).with(&[("ceilings.cores", number(64)), clamp()]).granted();
    assert_eq!(limits(&unlimited), [("cores", 64)]);
}

#[test]
fn a_size_meets_the_ceilings_too() {
    let settings = [("sizes.large.cores", number(64)), ("ceilings.cores", number(40))];
    let scene = || Scene::wants(&[]).size("large").with(&settings);
    assert!(scene().denied().contains("40 is the most"));
    assert_eq!(limits(&scene().with(&[clamp()]).granted()), [("cores", 40)]);
}

#[test]
fn what_is_in_force_above_the_ceiling_is_not_lowered() {
    // 20 cores are in force.
    let ceiling = ("ceilings.cores", number(16));
    let denied = Scene::wants(&[("cores", 40)]).with(std::slice::from_ref(&ceiling)).denied();
    assert!(denied.contains("and 20 is the most that this project can get"), "{denied}");
    let clamped = Scene::wants(&[("cores", 40), ("ram", 30_720)]).with(&[ceiling.clone(), clamp()]).granted();
    assert_eq!(limits(&clamped), [("ram", 30_720)]);
    assert!(clamped.notices[0].contains("20 is the most that this project can get, and it stays at that"));
    // To lower it is nobody's business but the requester's.
    assert_eq!(limits(&Scene::wants(&[("cores", 18)]).with(&[ceiling]).granted()), [("cores", 18)]);
}

#[test]
fn a_request_of_which_nothing_is_left_is_refused() {
    let scene = Scene::wants(&[("cores", 40)]).with(&[("ceilings.cores", number(20)), clamp()]);
    assert!(scene.denied().contains("20 is the most that this project can get, and it stays at that"));
}

#[test]
fn a_ceiling_below_use_is_not_granted() {
    // 2 are in force, and 5 are in use: somebody lowered the limit.
    let scene = || Scene::wants(&[("floatingip", 9)]);
    assert_eq!(limits(&scene().granted()), [("floatingip", 9)]);
    for over in [("over_ceiling", text("deny")), clamp()] {
        let denied = scene().with(&[("ceilings.floatingip", number(4)), over]).denied();
        assert!(
            denied.ends_with("4 is the most that this project can get, fewer than the 5 in use"),
            "{denied}"
        );
    }
    assert_eq!(
        limits(&scene().with(&[("ceilings.floatingip", number(5)), clamp()]).granted()),
        [("floatingip", 5)]
    );
}

#[test]
fn ports_that_follow_end_at_their_ceiling() {
    let with = |ceiling: i64| {
        Scene::wants(&[("instances", 60)]).with(&[("ceilings.port", number(ceiling))]).granted()
    };
    let granted = with(60);
    assert_eq!(limits(&granted), [("instances", 60), ("port", 60)]);
    assert!(granted.limits[1].reason.contains("need 73, and 60 is the most"), "{granted:?}");
    assert_eq!(granted.notices.len(), 1);
    // 50 are in force: there is nothing to raise.
    let granted = with(40);
    assert_eq!(limits(&granted), [("instances", 60)]);
    assert!(granted.notices[0].contains("need 73, and 50 is the most"), "{granted:?}");
    assert_eq!(limits(&with(-1)), [("instances", 60), ("port", 73)]);
}

#[test]
fn ports_follow_what_is_granted_not_what_is_asked_for() {
    let scene = Scene::wants(&[("instances", 600)]).with(&[("ceilings.instances", number(60)), clamp()]);
    assert_eq!(limits(&scene.granted()), [("instances", 60), ("port", 73)]);
}

#[test]
fn a_ceiling_that_cannot_be_read_lets_no_raise_through() {
    for (key, value) in [
        ("ceilings.cores", text("64")),
        ("ceilings.core", number(64)),
        ("ceilings.cores_in_total", number(64)),
        ("ceilings", number(64)),
        ("ceiling.cores", number(64)),
    ] {
        for over in [("over_ceiling", text("deny")), clamp()] {
            let broken = [(key, value.clone()), over];
            let denied = Scene::wants(&[("cores", 40)]).with(&broken).denied();
            assert!(denied.starts_with("cores: it cannot be raised until"), "{key}: {denied}");
            // What needs no ceiling goes on.
            assert_eq!(
                limits(&Scene::wants(&[("cores", 16)]).with(&broken).granted()),
                [("cores", 16)],
                "{key}"
            );
        }
    }
    let broken = [("ceilings.port", text("64"))];
    let granted = Scene::wants(&[("instances", 60)]).with(&broken).granted();
    assert_eq!(limits(&granted), [("instances", 60)]);
    assert!(granted.notices.iter().any(|notice| notice.contains("it stays at 50")), "{granted:?}");
}

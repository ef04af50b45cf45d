//! Requests by key, without bounds of the site's.

use super::*;

#[test]
fn grants_what_is_asked_for_and_ports() {
    let granted = Scene::wants(&[("instances", 60), ("cores", 40)]).granted();
    assert_eq!(limits(&granted), [("cores", 40), ("instances", 60), ("port", 73)]);
    assert_eq!(granted.limits[0].reason, "as requested");
    assert!(granted.limits[2].reason.contains("need these ports"));
}

#[test]
fn ports_asked_for_are_taken_as_they_are() {
    let granted = Scene::wants(&[("instances", 60), ("network", 9), ("port", 55)]).granted();
    assert_eq!(limits(&granted), [("instances", 60), ("network", 9), ("port", 55)]);
    // Also where they are asked for as they are.
    let granted = Scene::wants(&[("instances", 60), ("port", 50)]).granted();
    assert_eq!(limits(&granted), [("instances", 60), ("port", 50)]);
}

#[test]
fn what_is_in_force_already_is_confirmed() {
    let granted = Scene::wants(&[("instances", 10), ("cores", 40)]).granted();
    assert_eq!(limits(&granted), [("cores", 40), ("instances", 10)]);
    assert_eq!(granted.limits[1].reason, "in force already");
}

#[test]
fn an_unknown_key_is_left_out_with_a_notice() {
    let granted = Scene::wants(&[("core", 40), ("instances", 11)]).granted();
    assert_eq!(limits(&granted), [("instances", 11)]);
    assert_eq!(granted.notices, ["no service has a quota `core` (did you mean `cores`?); it is left out"]);
}

#[test]
fn a_request_for_nothing_is_refused() {
    assert_eq!(Scene::wants(&[]).denied(), "nothing is requested: no limit and no size");
    assert_eq!(
        Scene::wants(&[("core", 40)]).denied(),
        "nothing that could be granted is requested: no service has a quota `core` (did you mean `cores`?)"
    );
}

#[test]
fn refuses_what_is_below_use_and_what_is_reserved() {
    let reason = Scene::wants(&[("instances", 5), ("cores", 12), ("network", 0), ("ram", 1024)]).denied();
    assert_eq!(
        reason,
        "instances: a limit of 5 was requested, and 6 are in use; 6 or more can be granted, or fewer once some are \
         deleted; network: a limit of 0 was requested, and 1 are in use; 1 or more can be granted, or fewer once \
         some are deleted; ram: a limit of 1024 MB (1 GB) was requested, and 8192 MB (8 GB) are in use; 8192 MB (8 \
         GB) or more can be granted, or fewer once some are deleted"
    );
    assert!(Scene::wants(&[("volumes", -2)]).denied().contains("-2 is not a limit"));
    assert_eq!(limits(&Scene::wants(&[("instances", 6)]).granted()), [("instances", 6)]);
    assert_eq!(limits(&Scene::wants(&[("cores", -1)]).granted()), [("cores", -1)]);
}

#[test]
fn what_is_wrong_with_the_settings_is_said_with_each_decision() {
    let granted = Scene::wants(&[("cores", 40)]).with(&[("new_project.core", number(4))]).granted();
    assert!(
        granted.notices.len() == 1 && granted.notices[0].contains("did you mean `cores`?"),
        "{granted:?}"
    );
}

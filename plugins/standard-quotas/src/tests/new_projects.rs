//! What a new project gets.

use super::*;

fn decide_with(entries: &[(&str, Value)]) -> GrantedLimits {
    let project = QuotaProject {
        id: None,
        name: "First Project".to_owned(),
        description: String::new(),
        enabled: true,
        members: 0,
    };
    let context = QuotaContext {
        occasion: QuotaOccasion::NewProject,
        project,
        current: vec![],
        ports_not_held_by_instances: 0,
    };
    match crate::decide(&context, &settings(entries)) {
        QuotaDecision::Granted(granted) => granted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_settings_are_the_limits() {
    let granted = decide_with(&[
        ("new_project.instances", number(10)),
        ("new_project.ram_gb", Value::Number(1.5)),
        ("new_project.floatingip", number(0)),
        ("new_project.gigabytes", number(-1)),
    ]);
    let limits: Vec<_> = granted.limits.iter().map(|l| (l.service, l.key.as_str(), l.limit)).collect();
    assert_eq!(
        limits,
        [
            (QuotaService::Network, "floatingip", 0),
            (QuotaService::Volume, "gigabytes", -1),
            (QuotaService::Compute, "instances", 10),
            (QuotaService::Compute, "ram", 1536),
        ]
    );
    assert_eq!(granted.notices, [""; 0]);
}

#[test]
fn without_settings_nothing_is_set() {
    assert_eq!(decide_with(&[]), GrantedLimits { limits: vec![], notices: vec![] });
}

#[test]
fn a_size_is_the_base_on_which_the_table_wins() {
    let granted = decide_with(&[
        ("new_project_size", text("Small")),
        ("new_project.cores", number(6)),
        ("sizes.small.cores", number(4)),
        ("sizes.small.ram_gb", number(8)),
        ("sizes.large.cores", number(64)),
        ("ceilings.cores", number(2)),
    ]);
    assert_eq!(limits(&granted), [("cores", 6), ("ram", 8192)]);
    assert_eq!(granted.notices, [""; 0]);
}

#[test]
fn what_cannot_be_used_is_a_notice_and_leaves_the_rest_alone() {
    for (key, value, part) in [
        ("new_project.instance", number(1), "did you mean `instances`?"),
        ("new_project.ram_gb", Value::Boolean(true), "has to be a number, and is true or false"),
        ("new_project_size", text("tiny"), "there is no size `tiny`"),
        ("new_project_size", number(4), "`new_project_size` has to be a text"),
        ("new_project_size.x", number(4), "`new_project_size.x` is unknown"),
    ] {
        let granted = decide_with(&[(key, value), ("new_project.cores", number(4))]);
        assert_eq!(limits(&granted), [("cores", 4)]);
        assert!(granted.notices.len() == 1 && granted.notices[0].contains(part), "{granted:?}");
    }
}

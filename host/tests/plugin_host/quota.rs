//! The bundled policy, asked by the host.

use jiff::civil::{Date, date};
use usher::plugin::{
    CurrentLimit, Decision, QuotaContext, QuotaOccasion, QuotaPolicy, QuotaProject, RequestedChange,
};
use usher::registration::{QuotaRequest, QuotaService};
use usher::settings::plugins::Limits;

use crate::fixture::{configured, host};

const SETTINGS: &str = r#"
    new_project_size = "small"
    new_project = { instances = 3 }
    sizes = { small = { cores = 4, ram_gb = 8 }, large = { cores = 64 } }
    ceilings = { cores = 100 }
    auto_approve = { sizes = ["large"], temporary_days_at_most = 30 }
"#;

async fn policy() -> QuotaPolicy {
    host(Limits::default()).quota_policy(&configured("standard-quotas", &[], SETTINGS)).await.unwrap()
}

/// A request of a project with 20 cores, of which 10 are in use and 2 reserved. It is 14 March.
fn context(size: Option<&str>, cores: Option<i64>, until: Option<Date>, is_approved: bool) -> QuotaContext {
    let request = QuotaRequest {
        email: "user@example.org".to_owned(),
        first_name: "New".to_owned(),
        last_name: "User".to_owned(),
        organisation: String::new(),
        project: "First Project".to_owned(),
        until,
        size: size.map(str::to_owned),
        limits: cores.map(|limit| ("cores".to_owned(), limit)).into_iter().collect(),
        comment: "More".to_owned(),
        notes: String::new(),
    };
    let change =
        RequestedChange { request, is_approved, requester_is_member: true, today: date(2018, 3, 14) };
    QuotaContext {
        occasion: QuotaOccasion::Request(Box::new(change)),
        project: QuotaProject {
            id: Some("p1".to_owned()),
            name: "First Project".to_owned(),
            description: String::new(),
            enabled: true,
            members: 2,
        },
        current: vec![CurrentLimit {
            service: QuotaService::Compute,
            key: "cores".to_owned(),
            limit: 20,
            in_use: 10,
            reserved: 2,
            default: Some(20),
        }],
        ports_not_held_by_instances: 0,
    }
}

/// The limits that are granted.
fn granted(decision: Decision) -> Vec<(String, i64)> {
    match decision {
        Decision::Granted { limits, notices } => {
            assert_eq!(notices, [""; 0]);
            limits.into_iter().map(|limit| (limit.key, limit.limit)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_tables_of_the_settings_reach_the_policy() {
    let decision = policy().await.decide(&QuotaContext::new_project("First Project", "")).await.unwrap();
    let expected = [("cores", 4), ("instances", 3), ("ram", 8192)];
    assert_eq!(granted(decision), expected.map(|(key, limit)| (key.to_owned(), limit)));
}

/// With the lines that are commented out, too.
#[tokio::test]
async fn the_policy_knows_every_setting_of_the_example() {
    let example = include_str!("../../../settings.example.toml");
    let uncommented = example.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting,
        _ => line,
    });
    let below = uncommented.skip_while(|line| *line != "[plugins.quota_policy.settings]").skip(1);
    let section: Vec<&str> = below.take_while(|line| *line != "# Words the mails.").collect();
    let section = section.join("\n").replace("[plugins.quota_policy.settings.", "[");
    for table in ["[new_project]", "[sizes.large]", "[ceilings]", "[auto_approve]"] {
        assert!(section.contains(table), "{section}");
    }
    let plugin = configured("standard-quotas", &[], &section);
    let policy = host(Limits::default()).quota_policy(&plugin).await.unwrap();
    let limits = granted(policy.decide(&QuotaContext::new_project("First Project", "")).await.unwrap());
    assert!(limits.contains(&("ram".to_owned(), 51_200)), "{limits:?}");
    let denied = policy.decide(&context(None, Some(401), None, true)).await.unwrap();
    assert!(matches!(&denied, Decision::Denied(reason) if reason.contains("400 is the most")), "{denied:?}");
    let soon = Some(date(2018, 4, 13));
    let allowed = policy.decide(&context(None, Some(40), soon, false)).await.unwrap();
    assert_eq!(granted(allowed), [("cores".to_owned(), 40)]);
}

/// Whether a comment is a setting or a table that is commented out, and not words.
fn is_setting(comment: &str) -> bool {
    let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    comment.starts_with('[') || comment.split_once(" = ").is_some_and(|(key, _)| is_key(key))
}

#[tokio::test]
async fn the_policy_is_told_everything_that_it_decides_on() {
    let policy = policy().await;
    let decide = async |size, cores, until, is_approved| {
        policy.decide(&context(size, cores, until, is_approved)).await.unwrap()
    };
    let cores = |limit| vec![("cores".to_owned(), limit)];
    assert_eq!(granted(decide(Some("Large"), None, None, true).await), cores(64));
    assert_eq!(granted(decide(Some("large"), Some(40), None, true).await), cores(40));
    let soon = Some(date(2018, 4, 13));
    assert_eq!(granted(decide(Some("large"), None, soon, false).await), cores(64));
    for (cores, until) in [(Some(40), soon), (None, Some(date(2018, 4, 14))), (None, None)] {
        let decision = decide(Some("large"), cores, until, false).await;
        assert_eq!(decision, Decision::LeftToPeople, "{cores:?} {until:?}");
    }
    for (size, cores, words) in [
        (None, Some(11), "cores: a limit of 11 was requested, and 12 are in use"),
        (None, Some(101), "100 is the most that this project can get"),
        (Some("huge"), None, "there are large, small"),
        (None, None, "nothing is requested"),
    ] {
        let Decision::Denied(reason) = decide(size, cores, None, true).await else { panic!("{words}") };
        assert!(reason.contains(words), "{reason}");
        assert_eq!(decide(size, cores, soon, false).await, Decision::LeftToPeople, "{words}");
    }
}

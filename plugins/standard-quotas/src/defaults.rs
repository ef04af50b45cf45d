//! The quotas of a new project.

use usher_plugin::settings::{SettingError, Settings, Value};
use usher_plugin::types::{DecidedLimit, GrantedLimits};

use crate::keys;

const TABLE: &str = "new_project";
const REASON: &str = "this site's default for new projects";
const MB_PER_GB: f64 = 1024.0;

/// The site's defaults. What cannot be used is left at OpenStack's own default, with a notice.
pub fn decide(settings: &Settings) -> GrantedLimits {
    let mut decision = GrantedLimits { limits: Vec::new(), notices: Vec::new() };
    for (key, value) in settings.table(TABLE) {
        match limit(key, value) {
            Ok(limit) if decision.limits.iter().any(|other| other.key == limit.key) => {
                decision.notices.push(format!(
                    "the plugin's settings have both `{TABLE}.ram` and `{TABLE}.ram_gb`: `ram` counts"
                ));
            }
            Ok(limit) => decision.limits.push(limit),
            Err(problem) => {
                decision.notices.push(format!("{problem}; new projects keep OpenStack's default for it"));
            }
        }
    }
    let table = format!("{TABLE}.");
    for (key, _) in settings.iter().filter(|(key, _)| !key.starts_with(&table)) {
        decision
            .notices
            .push(format!("the plugin's setting `{key}` is unknown; quotas belong into `{TABLE}`"));
    }
    decision
}

fn limit(key: &str, value: &Value) -> Result<DecidedLimit, String> {
    let setting = format!("{TABLE}.{key}");
    let wrong = |expected| SettingError::new(&setting, expected, value).to_string();
    let (key, limit) = match (key, value) {
        ("ram_gb", Value::Integer(-1)) => ("ram", -1),
        // A size in GB is far below 2^53, from which on a float would round.
        ("ram_gb", Value::Integer(gb)) => ("ram", megabytes(*gb as f64, &setting)?),
        ("ram_gb", Value::Number(gb)) => ("ram", megabytes(*gb, &setting)?),
        ("ram_gb", _) => return Err(wrong("a number")),
        (key, Value::Integer(limit)) => (key, *limit),
        _ => return Err(wrong("a whole number")),
    };
    let service =
        keys::service(key).map_err(|unknown| format!("the plugin's setting `{setting}`: {unknown}"))?;
    if limit < -1 {
        return Err(format!(
            "the plugin's setting `{setting}` is {limit}, and has to be -1 (unlimited) or more"
        ));
    }
    Ok(DecidedLimit { service, key: key.to_owned(), limit, reason: REASON.to_owned() })
}

fn megabytes(gb: f64, setting: &str) -> Result<i64, String> {
    let mb = gb * MB_PER_GB;
    if mb.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&mb) {
        Ok(mb as i64)
    } else {
        Err(format!("the plugin's setting `{setting}` is {gb}, which is not a whole number of MB"))
    }
}

#[cfg(test)]
mod tests {
    use usher_plugin::types::QuotaService;

    use super::*;

    fn decide_with(entries: &[(&str, Value)]) -> GrantedLimits {
        decide(&entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn the_settings_are_the_limits() {
        let decision = decide_with(&[
            ("new_project.instances", Value::Integer(10)),
            ("new_project.ram_gb", Value::Number(1.5)),
            ("new_project.floatingip", Value::Integer(0)),
            ("new_project.gigabytes", Value::Integer(-1)),
        ]);
        let limits: Vec<_> = decision.limits.iter().map(|l| (l.service, l.key.as_str(), l.limit)).collect();
        assert_eq!(
            limits,
            [
                (QuotaService::Network, "floatingip", 0),
                (QuotaService::Volume, "gigabytes", -1),
                (QuotaService::Compute, "instances", 10),
                (QuotaService::Compute, "ram", 1536),
            ]
        );
        assert_eq!(decision.notices, [""; 0]);
    }

    #[test]
    fn without_settings_nothing_is_set() {
        assert_eq!(decide(&Settings::default()), GrantedLimits { limits: vec![], notices: vec![] });
    }

    #[test]
    fn what_cannot_be_used_is_a_notice() {
        for (key, value, part) in [
            ("new_project.instance", Value::Integer(1), "did you mean `instances`?"),
            ("new_project.cores", Value::Text("4".into()), "has to be a whole number, and is a text"),
            ("new_project.cores", Value::Integer(-2), "has to be -1 (unlimited) or more"),
            ("new_project.ram_gb", Value::Number(0.0001), "not a whole number of MB"),
            ("new_project.ram_gb", Value::Boolean(true), "has to be a number, and is true or false"),
            ("cores", Value::Integer(4), "`cores` is unknown; quotas belong into `new_project`"),
        ] {
            let decision = decide_with(&[(key, value)]);
            assert!(decision.limits.is_empty() && decision.notices.len() == 1, "{decision:?}");
            assert!(decision.notices[0].contains(part), "{decision:?}");
        }
    }

    #[test]
    fn ram_in_both_units_is_a_notice() {
        let decision = decide_with(&[
            ("new_project.ram", Value::Integer(512)),
            ("new_project.ram_gb", Value::Integer(4)),
        ]);
        assert_eq!(decision.limits[0].limit, 512);
        assert!(decision.notices[0].contains("`ram` counts"));
    }
}

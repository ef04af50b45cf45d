//! The quotas that somebody asks for.

use std::collections::BTreeMap;

use usher_plugin::types::{
    CurrentLimit, DecidedLimit, Denial, GrantedLimits, QuotaContext, QuotaRequest, QuotaService,
};

use crate::keys;
use crate::ports::{self, Growth};

const ASKED_FOR: &str = "as requested";

/// Grants what is asked for, and the ports that go with it.
///
/// # Errors
/// A denial, where a limit would be below what is in use.
pub fn decide(request: &QuotaRequest, context: &QuotaContext) -> Result<GrantedLimits, Denial> {
    let mut notices = Vec::new();
    let mut wanted: BTreeMap<&str, (QuotaService, i64)> = BTreeMap::new();
    for limit in &request.limits {
        match keys::service(&limit.key) {
            Ok(service) => _ = wanted.insert(&limit.key, (service, limit.limit)),
            Err(unknown) => notices.push(format!("{unknown}; it is left out")),
        }
    }
    let current = |service: QuotaService, key: &str| {
        context.current.iter().find(|limit| limit.service == service && limit.key == key)
    };
    let refusals: Vec<String> = wanted
        .iter()
        .filter_map(|(key, &(service, limit))| refusal(key, limit, current(service, key)))
        .collect();
    if !refusals.is_empty() {
        return Err(Denial { reason: refusals.join("; ") });
    }
    let ports = ports(&wanted, context, &current);
    let decided = |(&key, &(service, limit)): (&&str, &(QuotaService, i64))| DecidedLimit {
        service,
        key: key.to_owned(),
        limit,
        reason: ASKED_FOR.to_owned(),
    };
    let limits = wanted.iter().map(decided).chain(ports).collect();
    Ok(GrantedLimits { limits, notices })
}

fn refusal(key: &str, limit: i64, current: Option<&CurrentLimit>) -> Option<String> {
    if limit < -1 {
        return Some(format!("{key}: {limit} is not a limit; -1 stands for unlimited, 0 for none"));
    }
    let current = current?;
    let used = current.in_use.saturating_add(current.reserved);
    (limit >= 0 && limit < used).then(|| {
        format!(
            "{key}: a limit of {limit} was requested, and {used} are in use; {used} or more can be granted, or fewer \
             once some are deleted"
        )
    })
}

/// The limit of ports, where the request raises networks or instances and leaves the ports to us.
fn ports<'a>(
    wanted: &BTreeMap<&str, (QuotaService, i64)>,
    context: &QuotaContext,
    current: &impl Fn(QuotaService, &str) -> Option<&'a CurrentLimit>,
) -> Option<DecidedLimit> {
    let asked_for = |key: &str| wanted.get(key).map(|&(_, limit)| limit);
    if asked_for("port").is_some() {
        return None;
    }
    // A service that is not there has nothing to raise: unlimited says so.
    let limit = |service, key| current(service, key).map_or(-1, |limit| limit.limit);
    let growth = Growth {
        ports: limit(QuotaService::Network, "port"),
        networks: limit(QuotaService::Network, "network"),
        wanted_networks: asked_for("network"),
        instances: limit(QuotaService::Compute, "instances"),
        wanted_instances: asked_for("instances"),
        ports_of_others: i64::try_from(context.ports_not_held_by_instances).unwrap_or(i64::MAX),
    };
    let limit = ports::follow(&growth)?;
    Some(DecidedLimit {
        service: QuotaService::Network,
        key: "port".to_owned(),
        limit,
        reason: "the networks and instances requested need these ports".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use usher_plugin::types::{
        Approval, QuotaDecision, QuotaOccasion, QuotaProject, QuotaTerm, RequestedChange, WantedLimit,
    };

    use super::*;

    fn decide_on(wanted: &[(&str, i64)]) -> Result<GrantedLimits, Denial> {
        let current = |service, key: &str, limit, in_use| CurrentLimit {
            service,
            key: key.to_owned(),
            limit,
            in_use,
            reserved: 0,
            default: None,
        };
        let limits = wanted.iter().map(|&(key, limit)| WantedLimit { key: key.to_owned(), limit }).collect();
        let request = QuotaRequest {
            email: "user@example.org".to_owned(),
            first_name: "New".to_owned(),
            last_name: "User".to_owned(),
            organisation: String::new(),
            project: "First Project".to_owned(),
            term: QuotaTerm::Permanent,
            size: None,
            limits,
            comment: "More".to_owned(),
            notes: String::new(),
        };
        let context = QuotaContext {
            occasion: QuotaOccasion::Request(RequestedChange {
                request,
                approval: Approval::Approved,
                requester_is_member: true,
                today: usher_plugin::types::LocalDate { year: 2018, month: 3, day: 14 },
            }),
            project: QuotaProject {
                id: Some("p1".to_owned()),
                name: "First Project".to_owned(),
                description: String::new(),
                enabled: true,
                members: 2,
            },
            current: vec![
                current(QuotaService::Compute, "instances", 10, 6),
                current(QuotaService::Compute, "cores", 20, 12),
                current(QuotaService::Network, "network", 2, 1),
                current(QuotaService::Network, "port", 50, 14),
            ],
            ports_not_held_by_instances: 8,
        };
        match crate::decide(&context, &usher_plugin::settings::Settings::default()) {
            QuotaDecision::Granted(granted) => Ok(granted),
            QuotaDecision::Denied(denial) => Err(denial),
            QuotaDecision::LeftToPeople => panic!("it is approved"),
        }
    }

    fn limits(decision: &GrantedLimits) -> Vec<(&str, i64)> {
        decision.limits.iter().map(|limit| (limit.key.as_str(), limit.limit)).collect()
    }

    #[test]
    fn grants_what_is_asked_for_and_ports() {
        let decision = decide_on(&[("instances", 60), ("cores", 40)]).unwrap();
        assert_eq!(limits(&decision), [("cores", 40), ("instances", 60), ("port", 73)]);
        assert_eq!(decision.limits[0].reason, "as requested");
        assert!(decision.limits[2].reason.contains("need these ports"));
    }

    #[test]
    fn ports_asked_for_are_taken_as_they_are() {
        let decision = decide_on(&[("instances", 60), ("network", 9), ("port", 55)]).unwrap();
        assert_eq!(limits(&decision), [("instances", 60), ("network", 9), ("port", 55)]);
    }

    #[test]
    fn an_unknown_key_is_left_out_with_a_notice() {
        let decision = decide_on(&[("core", 40)]).unwrap();
        assert!(decision.limits.is_empty());
        assert_eq!(
            decision.notices,
            ["no service has a quota `core` (did you mean `cores`?); it is left out"]
        );
    }

    #[test]
    fn refuses_what_is_below_use() {
        let denial = decide_on(&[("instances", 5), ("cores", 12), ("network", 0)]).unwrap_err();
        assert!(
            denial.reason.contains("instances: a limit of 5 was requested, and 6 are in use"),
            "{denial:?}"
        );
        assert!(denial.reason.contains("network: a limit of 0"), "{denial:?}");
        assert!(!denial.reason.contains("cores"), "{denial:?}");
        assert!(decide_on(&[("volumes", -2)]).is_err());
        assert!(decide_on(&[("instances", -1)]).is_ok());
    }
}

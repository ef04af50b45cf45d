//! Whole decisions, from a context and the site's settings.

use usher_plugin::settings::Value;
use usher_plugin::types::{
    CurrentLimit, LocalDate, QuotaProject, QuotaRequest, QuotaService, QuotaTerm, WantedLimit,
};

use super::*;

// Named in full, because the file that this is part of is found by a path itself.
#[path = "tests/auto_approve.rs"]
mod auto_approve;
#[path = "tests/ceilings.rs"]
mod ceilings_of_requests;
#[path = "tests/new_projects.rs"]
mod new_projects;
#[path = "tests/requests.rs"]
mod requests_granted_and_refused;
#[path = "tests/sizes.rs"]
mod sizes_of_requests;

/// A request of a project with 10 instances, 20 cores, 20 GB of RAM, 2 networks and 50 ports, most of it free.
struct Scene {
    request: QuotaRequest,
    approval: Approval,
    is_member: bool,
    is_enabled: bool,
    settings: Vec<(&'static str, Value)>,
}

impl Scene {
    fn wants(wanted: &[(&str, i64)]) -> Self {
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
        Self {
            request,
            approval: Approval::Approved,
            is_member: true,
            is_enabled: true,
            settings: Vec::new(),
        }
    }

    fn size(mut self, name: &str) -> Self {
        self.request.size = Some(name.to_owned());
        self
    }

    fn waiting(mut self) -> Self {
        self.approval = Approval::Waiting;
        self
    }

    fn until(mut self, month: u8, day: u8) -> Self {
        self.request.term = QuotaTerm::Temporary(LocalDate { year: 2018, month, day });
        self
    }

    fn with(mut self, entries: &[(&'static str, Value)]) -> Self {
        self.settings.extend(entries.iter().cloned());
        self
    }

    fn decide(&self) -> QuotaDecision {
        let current = |service, key: &str, limit, in_use, reserved| CurrentLimit {
            service,
            key: key.to_owned(),
            limit,
            in_use,
            reserved,
            default: None,
        };
        let context = QuotaContext {
            occasion: QuotaOccasion::Request(RequestedChange {
                request: self.request.clone(),
                approval: self.approval,
                requester_is_member: self.is_member,
                today: LocalDate { year: 2018, month: 3, day: 14 },
            }),
            project: QuotaProject {
                id: Some("p1".to_owned()),
                name: "First Project".to_owned(),
                description: String::new(),
                enabled: self.is_enabled,
                members: 2,
            },
            current: vec![
                current(QuotaService::Compute, "instances", 10, 5, 1),
                current(QuotaService::Compute, "cores", 20, 12, 0),
                current(QuotaService::Compute, "ram", 20_480, 8_192, 0),
                current(QuotaService::Network, "network", 2, 1, 0),
                current(QuotaService::Network, "port", 50, 14, 0),
                current(QuotaService::Network, "floatingip", 2, 5, 0),
            ],
            ports_not_held_by_instances: 8,
        };
        crate::decide(&context, &settings(&self.settings))
    }

    fn granted(&self) -> GrantedLimits {
        match self.decide() {
            QuotaDecision::Granted(granted) => granted,
            other => panic!("{other:?}"),
        }
    }

    fn denied(&self) -> String {
        match self.decide() {
            QuotaDecision::Denied(Denial { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn is_left_to_people(&self) -> bool {
        matches!(self.decide(), QuotaDecision::LeftToPeople)
    }
}

fn limits(granted: &GrantedLimits) -> Vec<(&str, i64)> {
    granted.limits.iter().map(|limit| (limit.key.as_str(), limit.limit)).collect()
}

/// Settings as the host hands them out.
pub fn settings(entries: &[(&str, Value)]) -> Settings {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn number(number: i64) -> Value {
    Value::Integer(number)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

//! The limits of the projects that an import would create, as the quota policy decides them.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::App;
use crate::batch::BatchError;
use crate::plugin::{Decision, QuotaContext, QuotaPolicy};
use crate::registration::{
    Body, DecidedLimit, Outcome, ParsedRow, ProjectChoice, QuotaService, Request, Stage, fold,
};

/// Asks the quota policy about every project that a ready row would create.
pub(super) async fn decide(
    app: &App,
    rows: &[ParsedRow],
    notices: &mut Vec<String>,
) -> Result<BTreeMap<String, Result<Vec<DecidedLimit>, String>>, BatchError> {
    let projects: BTreeMap<String, (&str, &str)> =
        rows.iter().filter_map(new_project).map(|project| (fold(project.0), project)).collect();
    let mut decided = BTreeMap::new();
    if projects.is_empty() {
        return Ok(decided);
    }
    let policy: QuotaPolicy = app.quota_policy().await?;
    let services = app.quotas.services().await?;
    for (folded, (name, description)) in projects {
        let context = QuotaContext::new_project(name.trim(), description.trim());
        let limits = match policy.decide(&context).await {
            // A component that fails for one project leaves the others alone.
            Err(error) => Err(error.to_string()),
            Ok(Decision::LeftToPeople) => Err("the quota policy does not decide".to_owned()),
            Ok(Decision::Denied(reason)) => Err(format!("the quota policy refuses: {reason}")),
            Ok(Decision::Granted { limits, notices: said }) => {
                said.into_iter().for_each(|notice| note(notices, notice));
                Ok(known_services(limits, &services, notices))
            }
        };
        decided.insert(folded, limits);
    }
    Ok(decided)
}

/// Name and description of the project that a ready row would create.
fn new_project(row: &ParsedRow) -> Option<(&str, &str)> {
    match &row.outcome {
        Outcome::Request(Request { stage: Stage::Ready, body: Body::Access(access), .. }) => {
            match &access.project {
                ProjectChoice::Create { name, description, .. } => Some((name, description)),
                ProjectChoice::Join { .. } => None,
            }
        }
        _ => None,
    }
}

/// Leaves out limits of services that the cloud does not have, with a notice.
fn known_services(
    limits: Vec<DecidedLimit>,
    services: &BTreeSet<QuotaService>,
    notices: &mut Vec<String>,
) -> Vec<DecidedLimit> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        limits.into_iter().partition(|limit| services.contains(&limit.service));
    for service in unknown.iter().map(|limit| limit.service.name()).collect::<BTreeSet<_>>() {
        note(notices, format!("the catalog has no {service} service: its quotas are not set"));
    }
    known
}

/// The same is said once, however many projects it concerns.
fn note(notices: &mut Vec<String>, notice: String) {
    if !notices.contains(&notice) {
        notices.push(notice);
    }
}

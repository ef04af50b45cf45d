//! The limits of a project with all services, of which some may be missing or not answer.

use futures::future::join_all;

use crate::quotas::{Limit, QuotaError, Quotas};
use crate::registration::QuotaService;

/// What the services say, each by itself: one that fails leaves the others' limits to be seen.
pub(super) struct Reading {
    /// The services that answered, with their limits.
    pub(super) read: Vec<(QuotaService, Vec<Limit>)>,
    /// The services that the catalog does not have.
    pub(super) absent: Vec<QuotaService>,
    /// The services that did not answer, and why.
    pub(super) failed: Vec<(QuotaService, QuotaError)>,
}

impl Reading {
    /// Every limit that was read.
    pub(super) fn limits(&self) -> Vec<Limit> {
        self.read.iter().flat_map(|(_, limits)| limits.clone()).collect()
    }
}

/// Reads the limits of a project with their usage and defaults.
pub(super) async fn read(quotas: &Quotas, project_id: &str) -> Reading {
    let outcomes = QuotaService::ALL.map(async |service| (service, quotas.get(project_id, service).await));
    let mut reading = Reading { read: Vec::new(), absent: Vec::new(), failed: Vec::new() };
    for (service, outcome) in join_all(outcomes).await {
        match outcome {
            Ok(limits) => reading.read.push((service, limits)),
            Err(QuotaError::Absent(service)) => reading.absent.push(service),
            Err(error) => reading.failed.push((service, error)),
        }
    }
    reading
}

/// How an absent service is told.
pub(super) fn notice_of_absence(service: QuotaService) -> String {
    format!("the catalog has no {} service: its quotas are left out", service.name())
}

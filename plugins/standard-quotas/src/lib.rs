//! Decides quotas: a new project gets the site's defaults, a request gets what it asks for.
//!
//! Knows nothing of how limits are read or set.
//!
//! Settings: the table `new_project` with any quota key of OpenStack, such as `new_project.instances = 10`;
//! `-1` means unlimited. RAM is in MB as in OpenStack (`ram`), or in GB (`ram_gb`).

#[cfg(target_family = "wasm")]
mod component;
mod defaults;
mod keys;
mod ports;
mod requests;

use usher_plugin::settings::Settings;
use usher_plugin::types::{Approval, QuotaContext, QuotaDecision, QuotaOccasion};

/// Decides which quotas a project gets.
#[must_use]
pub fn decide(context: &QuotaContext, settings: &Settings) -> QuotaDecision {
    match &context.occasion {
        QuotaOccasion::NewProject => QuotaDecision::Granted(defaults::decide(settings)),
        QuotaOccasion::Request(change) if change.approval == Approval::Waiting => QuotaDecision::LeftToPeople,
        QuotaOccasion::Request(change) => match requests::decide(&change.request, context) {
            Ok(granted) => QuotaDecision::Granted(granted),
            Err(denial) => QuotaDecision::Denied(denial),
        },
    }
}

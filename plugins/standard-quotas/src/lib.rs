//! Decides quotas: a new project gets the site's defaults, a request what it asks for within the site's bounds,
//! and people decide on what the site does not allow without them.
//!
//! Knows nothing of how limits are read or set.
//!
//! # Settings
//! Wherever a table has quotas, its keys are OpenStack's, `-1` means unlimited, and RAM is in MB as in OpenStack
//! (`ram`) or in GB (`ram_gb`).
//!
//! - `new_project`: table of quotas, the limits of a new project. `new_project_size`: the size of a new project;
//!   the table wins over it.
//! - `sizes.NAME`: table of quotas, a bundle that a request may name. Keys that the request has win over it.
//! - `ceilings`: table of quotas, the most that a request gets. `over_ceiling`: what becomes of a request for
//!   more, `"deny"` (default) or `"clamp"`.
//! - `auto_approve.limits`: table of quotas, the highest limits that a member of the project gets without
//!   approval; every limit that changes needs one. `auto_approve.sizes`: sizes that a member gets without
//!   approval. `auto_approve.temporary_days_at_most`: only for changes that end within so many days.
//!
//! A setting that cannot be used is a notice. It never widens what is granted: a ceiling that cannot be read lets
//! no raise through, and an approval that cannot be read leaves the decision to people.

mod auto_approve;
mod ceilings;
#[cfg(target_family = "wasm")]
mod component;
mod days;
mod defaults;
mod keys;
mod limit;
mod ports;
mod requests;
mod rules;
mod similar;
mod sizes;
mod table;
mod wishes;

use usher_plugin::settings::Settings;
use usher_plugin::types::{
    Approval, Denial, GrantedLimits, QuotaContext, QuotaDecision, QuotaOccasion, RequestedChange,
};

use rules::Rules;

const WITHOUT_PEOPLE: &str = "this site allows it without approval";

/// Decides which quotas a project gets.
#[must_use]
pub fn decide(context: &QuotaContext, settings: &Settings) -> QuotaDecision {
    let mut rules = Rules::read(settings);
    let notices = std::mem::take(&mut rules.notices);
    match &context.occasion {
        QuotaOccasion::NewProject => {
            QuotaDecision::Granted(GrantedLimits { limits: rules.defaults.limits(), notices })
        }
        QuotaOccasion::Request(change) => on_request(change, context, &rules, notices),
    }
}

fn on_request(
    change: &RequestedChange,
    context: &QuotaContext,
    rules: &Rules,
    mut notices: Vec<String>,
) -> QuotaDecision {
    let draft = requests::draft(&change.request, context, rules);
    let is_waiting = change.approval == Approval::Waiting;
    let draft = match draft {
        Err(reason) if !is_waiting => return QuotaDecision::Denied(Denial { reason }),
        Err(_) => return QuotaDecision::LeftToPeople,
        Ok(draft) => draft,
    };
    let allows = |rules: &Rules| {
        rules.auto_approval.as_ref().is_some_and(|approval| approval.allows(change, &context.project, &draft))
    };
    if is_waiting && !allows(rules) {
        return QuotaDecision::LeftToPeople;
    }
    notices.extend(draft.notices);
    let limits = draft.limits.into_iter().map(|drafted| {
        let mut limit = drafted.limit;
        if is_waiting {
            limit.reason = format!("{}; {WITHOUT_PEOPLE}", limit.reason);
        }
        limit
    });
    QuotaDecision::Granted(GrantedLimits { limits: limits.collect(), notices })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

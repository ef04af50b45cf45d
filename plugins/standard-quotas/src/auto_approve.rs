//! What a site grants without asking people.

use std::collections::{BTreeMap, BTreeSet};

use usher_plugin::settings::Settings;
use usher_plugin::types::{QuotaProject, QuotaTerm, RequestedChange};

use crate::days::days_between;
use crate::limit::is_above;
use crate::requests::{Draft, Drafted};
use crate::similar::nearest;
use crate::sizes::Sizes;
use crate::table::Table;

/// The table of the settings that says what is granted without people.
pub const TABLE: &str = "auto_approve";

const LIMITS: &str = "auto_approve.limits";
const SIZES: &str = "auto_approve.sizes";
const DAYS: &str = "auto_approve.temporary_days_at_most";

/// What becomes of the settings where they cannot be read: what was meant to narrow them may be missing.
const CLOSED: &str = "until it is mended, people decide on every request";

/// What a site grants without people.
#[derive(Debug)]
pub struct AutoApproval {
    /// The highest limit by key.
    limits: BTreeMap<&'static str, i64>,
    /// Sizes, folded.
    sizes: BTreeSet<String>,
    /// In how many days a change has to end; none where it need not end at all.
    days: Option<i64>,
}

impl AutoApproval {
    /// Reads what is granted without people, which is nothing where it cannot be read. Says what is wrong.
    pub fn read(settings: &Settings, sizes: &Sizes, notices: &mut Vec<String>) -> Option<Self> {
        let mut is_closed = false;
        for problem in unknown(settings) {
            notices.push(format!("{problem}; {CLOSED}"));
            is_closed = true;
        }
        let days = settings.integer(DAYS).unwrap_or_else(|error| {
            notices.push(format!("{error}; {CLOSED}"));
            is_closed = true;
            None
        });
        if let Some(days) = days.filter(|days| *days < 0) {
            notices
                .push(format!("the plugin's setting `{DAYS}` is {days}, and has to be 0 or more; {CLOSED}"));
            is_closed = true;
        }
        let mut table = Table::read(settings, LIMITS);
        for fault in &table.faults {
            // Of two limits for the same thing neither counts.
            _ = fault.key.and_then(|key| table.limits.remove(key));
        }
        notices.extend(table.notices("until it is mended, people decide on requests for it"));
        let named = settings.texts(SIZES).unwrap_or_else(|error| {
            notices.push(format!("{error}; until it is mended, people decide on requests for sizes"));
            &[]
        });
        let mut known = BTreeSet::new();
        for name in named {
            match sizes.find(name) {
                Ok(size) => _ = known.insert(size.name.to_lowercase()),
                Err(unknown) => notices.push(format!("the plugin's setting `{SIZES}`: {unknown}")),
            }
        }
        let grants_anything = !table.limits.is_empty() || !known.is_empty();
        (grants_anything && !is_closed).then_some(Self { limits: table.limits, sizes: known, days })
    }

    /// Whether a request may have what was drafted for it without people.
    pub fn allows(&self, change: &RequestedChange, project: &QuotaProject, draft: &Draft) -> bool {
        change.requester_is_member
            && project.enabled
            && draft.is_whole
            && !draft.limits.is_empty()
            && self.allows_term(change)
            && draft.limits.iter().all(|drafted| self.allows_limit(drafted))
    }

    fn allows_term(&self, change: &RequestedChange) -> bool {
        match (change.request.term, self.days) {
            (QuotaTerm::Permanent, days) => days.is_none(),
            (QuotaTerm::Temporary(end), days) => {
                let left = days_between(change.today, end);
                left >= 0 && days.is_none_or(|days| left <= days)
            }
        }
    }

    fn allows_limit(&self, Drafted { limit, size, in_force }: &Drafted) -> bool {
        // Who wants less may be somebody who wants others to have less.
        if in_force.is_some_and(|in_force| is_above(in_force, limit.limit)) {
            return false;
        }
        size.as_ref().is_some_and(|size| self.sizes.contains(&size.to_lowercase()))
            || self.limits.get(limit.key.as_str()).is_some_and(|most| !is_above(limit.limit, *most))
    }
}

/// What is in the table and means nothing, or is not a table.
fn unknown(settings: &Settings) -> Vec<String> {
    const KNOWN: [&str; 3] = ["limits", "sizes", "temporary_days_at_most"];
    let mut problems = Vec::new();
    if settings.iter().any(|(key, _)| key == TABLE) {
        problems.push(format!("the plugin's setting `{TABLE}` has to be a table"));
    }
    for (entry, _) in settings.table(TABLE) {
        let (name, below) = entry.split_once('.').map_or((entry, None), |(name, below)| (name, Some(below)));
        if KNOWN.contains(&name) && (below.is_none() || name == "limits") {
            continue;
        }
        let meant = nearest(name, KNOWN).map_or(KNOWN.join(", "), str::to_owned);
        problems.push(format!("the plugin's setting `{TABLE}.{entry}` is unknown (did you mean {meant}?)"));
    }
    problems
}

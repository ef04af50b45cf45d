//! What a request would get, whoever decides on it.

use std::collections::BTreeMap;

use usher_plugin::types::{CurrentLimit, DecidedLimit, QuotaContext, QuotaRequest, QuotaService};

use crate::ceilings::{Ceilings, Most, Over};
use crate::limit::{is_above, shown};
use crate::ports::{self, Growth};
use crate::rules::Rules;
use crate::wishes::{self, Wish};

const PORT: &str = "port";

/// What a request would get.
#[derive(Debug, Default)]
pub struct Draft {
    /// The limits that change.
    pub limits: Vec<Drafted>,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// Whether everything that was asked for is as it was asked for.
    pub is_whole: bool,
}

/// A limit that would change.
#[derive(Debug)]
pub struct Drafted {
    /// The limit.
    pub limit: DecidedLimit,
    /// The size that it belongs to.
    pub size: Option<String>,
    /// The limit in force; none where the service does not name it.
    pub in_force: Option<i64>,
}

/// What becomes of one limit that is asked for.
enum Outcome {
    /// It is in force already.
    Unchanged,
    /// It is granted as it was asked for.
    Granted,
    /// The ceiling is granted in its place.
    Clamped(i64),
    /// The ceiling leaves it as it is.
    AtCeiling(i64),
}

/// Drafts what a request would get, with the ports that go with it.
///
/// # Errors
/// Why nothing of it can be granted, and what could be.
pub fn draft(request: &QuotaRequest, context: &QuotaContext, rules: &Rules) -> Result<Draft, String> {
    let wishes = wishes::read(request, &rules.sizes)?;
    let mut draft = Draft { is_whole: wishes.unknown.is_empty(), ..Draft::default() };
    draft.notices.extend(wishes.unknown.iter().map(|unknown| format!("{unknown}; it is left out")));
    let mut refusals = Vec::new();
    let mut at_ceiling = Vec::new();
    // What is asked for, as it will be: the ports go by that.
    let mut settled: BTreeMap<&str, i64> = BTreeMap::new();
    for (&key, wish) in &wishes.limits {
        let in_force = in_force(context, wish.service, key);
        let (limit, reason) = match judge(key, wish, in_force, &rules.ceilings) {
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
            Ok(Outcome::Unchanged) => (wish.limit, "in force already".to_owned()),
            Ok(Outcome::AtCeiling(limit)) => {
                settled.insert(key, limit);
                at_ceiling.push(format!("{key}: {}, and it stays at that", over(key, wish.limit, limit)));
                continue;
            }
            Ok(Outcome::Clamped(limit)) => {
                draft.is_whole = false;
                let reason = over(key, wish.limit, limit);
                draft.notices.push(format!("{key}: {reason}"));
                (limit, reason)
            }
            Ok(Outcome::Granted) => {
                let by_size = wish.size.as_ref().map(|size| format!("size {size}, as requested"));
                (wish.limit, by_size.unwrap_or_else(|| "as requested".to_owned()))
            }
        };
        settled.insert(key, limit);
        let limit = DecidedLimit { service: wish.service, key: key.to_owned(), limit, reason };
        let in_force = in_force.map(|in_force| in_force.limit);
        draft.limits.push(Drafted { limit, size: wish.size.clone(), in_force });
    }
    if !refusals.is_empty() {
        return Err(refusals.join("; "));
    }
    if draft.limits.is_empty() && !at_ceiling.is_empty() {
        return Err(at_ceiling.join("; "));
    }
    draft.is_whole &= at_ceiling.is_empty();
    draft.notices.append(&mut at_ceiling);
    let ports = follow(&settled, context, &rules.ceilings, &mut draft.notices);
    // They only ever follow upwards.
    draft.limits.extend(ports.map(|limit| Drafted { limit, size: None, in_force: None }));
    Ok(draft)
}

fn in_force<'a>(context: &'a QuotaContext, service: QuotaService, key: &str) -> Option<&'a CurrentLimit> {
    context.current.iter().find(|limit| limit.service == service && limit.key == key)
}

fn judge(
    key: &str,
    wish: &Wish,
    in_force: Option<&CurrentLimit>,
    ceilings: &Ceilings,
) -> Result<Outcome, String> {
    let asked = wish.limit;
    if asked < -1 {
        return Err(format!("{key}: {asked} is not a limit; -1 stands for unlimited, 0 for none"));
    }
    let limit = in_force.map(|in_force| in_force.limit);
    if limit == Some(asked) {
        return Ok(Outcome::Unchanged);
    }
    let used = in_force.map_or(0, |in_force| in_force.in_use.saturating_add(in_force.reserved));
    if (0..used).contains(&asked) {
        let used = shown(key, used);
        return Err(format!(
            "{key}: {}, and {used} are in use; {used} or more can be granted, or fewer once some are deleted",
            requested(key, asked)
        ));
    }
    let most = match ceilings.most(key, limit) {
        Most::Limit(most) if !is_above(asked, most) => return Ok(Outcome::Granted),
        Most::Limit(most) => most,
        // Less than there is needs no ceiling to be known.
        Most::Unreadable if limit.is_some_and(|limit| !is_above(asked, limit)) => {
            return Ok(Outcome::Granted);
        }
        Most::Unreadable => {
            return Err(format!(
                "{key}: it cannot be raised until this site's operator has mended the setting of its ceiling"
            ));
        }
    };
    match ceilings.over {
        _ if (0..used).contains(&most) => {
            Err(format!("{key}: {}, fewer than the {} in use", over(key, asked, most), shown(key, used)))
        }
        Over::Deny => Err(format!("{key}: {}; that or less can be granted", over(key, asked, most))),
        Over::Clamp if limit == Some(most) => Ok(Outcome::AtCeiling(most)),
        Over::Clamp => Ok(Outcome::Clamped(most)),
    }
}

fn requested(key: &str, asked: i64) -> String {
    match asked {
        -1 => "no limit at all was requested".to_owned(),
        asked => format!("a limit of {} was requested", shown(key, asked)),
    }
}

fn over(key: &str, asked: i64, most: i64) -> String {
    format!("{}, and {} is the most that this project can get", requested(key, asked), shown(key, most))
}

/// The limit of ports, where the request raises networks or instances and leaves the ports to us.
fn follow(
    settled: &BTreeMap<&str, i64>,
    context: &QuotaContext,
    ceilings: &Ceilings,
    notices: &mut Vec<String>,
) -> Option<DecidedLimit> {
    // A service that is not there has nothing to raise: unlimited says so.
    let limit = |service, key| in_force(context, service, key).map_or(-1, |limit| limit.limit);
    let ports = limit(QuotaService::Network, PORT);
    let needed = ports::follow(&Growth {
        ports,
        wanted_ports: settled.get(PORT).copied(),
        networks: limit(QuotaService::Network, "network"),
        wanted_networks: settled.get("network").copied(),
        instances: limit(QuotaService::Compute, "instances"),
        wanted_instances: settled.get("instances").copied(),
        ports_of_others: i64::try_from(context.ports_not_held_by_instances).unwrap_or(i64::MAX),
    })?;
    let mut reason = "the networks and instances requested need these ports".to_owned();
    let granted = match ceilings.most(PORT, Some(ports)) {
        Most::Limit(most) if !is_above(needed, most) => needed,
        Most::Limit(most) => {
            let (needed, most_shown) = (shown(PORT, needed), shown(PORT, most));
            reason = format!(
                "the networks and instances requested need {needed}, and {most_shown} is the most that this project \
                 can get"
            );
            notices.push(format!("{PORT}: {reason}"));
            most
        }
        Most::Unreadable => {
            notices.push(format!(
                "{PORT}: the networks and instances requested need {}, and its ceiling cannot be read; it stays at {}",
                shown(PORT, needed),
                shown(PORT, ports)
            ));
            ports
        }
    };
    is_above(granted, ports).then(|| DecidedLimit {
        service: QuotaService::Network,
        key: PORT.to_owned(),
        limit: granted,
        reason,
    })
}

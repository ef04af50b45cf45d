//! How many ports a project needs when it gets more networks or instances, and did not ask for ports.

use crate::limit::is_above;

/// Ports beyond what is counted, for routers and DHCP.
const SPARE: i64 = 5;

/// Limits of a project now, and those asked for. -1 means unlimited.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Limit of ports now.
    pub ports: i64,
    /// Limit of ports asked for, which then is what the project gets.
    pub wanted_ports: Option<i64>,
    /// Limit of networks now.
    pub networks: i64,
    /// Limit of networks asked for.
    pub wanted_networks: Option<i64>,
    /// Limit of instances now.
    pub instances: i64,
    /// Limit of instances asked for.
    pub wanted_instances: Option<i64>,
    /// Ports in use that no instance holds.
    pub ports_of_others: i64,
}

/// The limit of ports that goes with the growth; none where it stays as it is.
///
/// More networks add a port for each network added, or, where instances are asked for too, one for each of
/// today's instances on each network added; and [`SPARE`]. More instances then add what is still missing
/// for one port each, those that others hold, and [`SPARE`].
pub fn follow(growth: &Growth) -> Option<i64> {
    let Growth { ports, networks, instances, ports_of_others, .. } = *growth;
    if growth.wanted_ports.is_some() || ports < 0 {
        return None;
    }
    let more_networks = growth.wanted_networks.filter(|&wanted| is_above(wanted, networks));
    let more_instances = growth.wanted_instances.filter(|&wanted| is_above(wanted, instances));
    if more_networks.is_some_and(|wanted| wanted < 0) || more_instances.is_some_and(|wanted| wanted < 0) {
        return Some(-1);
    }
    let mut needed = ports;
    if let Some(wanted) = more_networks {
        let added = wanted - networks;
        // Unlimited instances have no number to multiply by; each network counts once, as without them.
        let each = if growth.wanted_instances.is_some() && instances >= 0 { instances } else { 1 };
        needed = needed.saturating_add(added.saturating_mul(each)).saturating_add(SPARE);
    }
    if let Some(wanted) = more_instances {
        needed = needed.max(wanted.saturating_add(ports_of_others).saturating_add(SPARE));
    }
    (needed > ports).then_some(needed.min(i64::from(i32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_networks_and_instances() {
        // A project with 50 ports, 2 networks and 10 instances.
        let cases = [
            ("neither", None, None, None, 8, None),
            ("networks only: 50 + 3 + 5", Some(5), None, None, 8, Some(58)),
            ("instances only: 60 + 8 + 5", None, Some(60), None, 8, Some(73)),
            ("instances only, ports suffice", None, Some(20), None, 8, None),
            ("instances only, ports just suffice", None, Some(37), None, 8, None),
            ("both: 50 + 3 × 10 + 5, enough for 20", Some(5), Some(20), None, 8, Some(85)),
            ("both: 50 + 3 × 10 + 5, then up to 100 + 8 + 5", Some(5), Some(100), None, 8, Some(113)),
            ("networks raised, instances asked for as they are", Some(3), Some(10), None, 8, Some(65)),
            ("networks lowered", Some(1), None, None, 8, None),
            ("instances lowered", None, Some(5), None, 60, None),
            ("unlimited networks", Some(-1), None, None, 8, Some(-1)),
            ("unlimited instances", None, Some(-1), None, 8, Some(-1)),
            ("ports given", None, None, Some(60), 8, None),
            ("ports given with networks", Some(5), None, Some(51), 8, None),
            ("ports given with instances", None, Some(60), Some(51), 8, None),
            ("ports given with both, as they are", Some(5), Some(100), Some(50), 8, None),
        ];
        for (name, wanted_networks, wanted_instances, wanted_ports, ports_of_others, expected) in cases {
            let growth = Growth {
                ports: 50,
                wanted_ports,
                networks: 2,
                wanted_networks,
                instances: 10,
                wanted_instances,
                ports_of_others,
            };
            assert_eq!(follow(&growth), expected, "{name}");
        }
    }

    #[test]
    fn unlimited_stays_unlimited() {
        let growth = Growth {
            ports: -1,
            wanted_ports: None,
            networks: 2,
            wanted_networks: Some(9),
            instances: 10,
            wanted_instances: Some(90),
            ports_of_others: 0,
        };
        assert_eq!(follow(&growth), None);
        assert_eq!(follow(&Growth { ports: 50, networks: -1, instances: -1, ..growth }), None);
        assert_eq!(follow(&Growth { ports: 50, instances: -1, ..growth }), Some(62));
    }
}

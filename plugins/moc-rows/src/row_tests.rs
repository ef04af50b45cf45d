//! Whole sheets, row by row.

use usher_plugin::types::*;

use super::*;

const ACCESS_HEADER: [&str; 21] = [
    "Approved",
    "Helpdesk notified",
    "Reminder sent",
    "Timestamp",
    "E-mail",
    "First name",
    "Last name",
    "Do you already have an account?",
    "Organization",
    "Role",
    "Phone",
    "Sponsor",
    "PIN",
    "Comment",
    "New or existing project?",
    "New project name",
    "Project description",
    "Users to add",
    "Existing project",
    "Contact name",
    "Contact e-mail",
];

const QUOTA_HEADER: [&str; 22] = [
    "Approved",
    "Notified",
    "Reminded",
    "Timestamp",
    "E-mail",
    "First name",
    "Last name",
    "Organization",
    "Project",
    "Type of increase",
    "End date",
    "Instances",
    "Cores",
    "RAM (GB)",
    "Floating IPs",
    "Networks",
    "Ports",
    "Volumes",
    "Snapshots",
    "Gigabytes",
    "Comment",
    "Notes",
];

/// A ready row of the access sheet: a new account with a new project.
const NEW_PROJECT: [&str; 18] = [
    "Approved",
    "14 Mar 2018 16:00:00",
    "",
    "3/14/2018 15:48:48",
    "User@Example.org",
    "New",
    "User",
    "No",
    "Example Society",
    "Researcher",
    "555-0100",
    "A Sponsor",
    "0412",
    "Please",
    "New project",
    "First Project",
    "Notes on the project",
    "member@example.org, Colleague@example.org,, MEMBER@example.org",
];

/// A ready row of the access sheet: an account that exists joins a project that exists.
const JOIN: [&str; 21] = [
    "approved",
    "14 Mar 2018 16:00:00",
    "",
    "3/15/2018 9:00:00",
    "member@example.org",
    "Second",
    "User",
    "Yes",
    "",
    "",
    "",
    "",
    "",
    "",
    "Existing project",
    "",
    "",
    "",
    "First Project",
    "New User",
    "user@example.org",
];

/// A ready row of the quota sheet.
const QUOTA: [&str; 22] = [
    "Approved",
    "14 Mar 2018 16:00:00",
    "",
    "3/14/2018 15:48:48",
    "user@example.org",
    "New",
    "User",
    "Society",
    "First Project",
    "Temporary",
    "12/31/2018",
    "10",
    "",
    "1.5",
    "",
    "2",
    "",
    "",
    "",
    "1000",
    "Big tables",
    "fine",
];

fn sheet(header: &[&str], rows: &[&[&str]]) -> Vec<Row> {
    let all = std::iter::once(header).chain(rows.iter().copied());
    all.zip(1..)
        .map(|(cells, number)| Row { number, cells: cells.iter().map(|&cell| cell.to_owned()).collect() })
        .collect()
}

fn parse(kind: SheetKind, rows: &[&[&str]]) -> Vec<ParsedRow> {
    let header: &[&str] = if kind == SheetKind::Access { &ACCESS_HEADER } else { &QUOTA_HEADER };
    match parse_rows(kind, &sheet(header, rows)) {
        Parsed::Rows(rows) => rows,
        Parsed::Unreadable(reason) => panic!("{reason}"),
    }
}

fn request(row: &ParsedRow) -> &Request {
    match &row.outcome {
        Outcome::Request(request) => request,
        Outcome::Rejected(rejection) => panic!("rejected: {}", rejection.reason),
    }
}

fn access(row: &ParsedRow) -> &AccessRequest {
    match &request(row).body {
        RequestBody::Access(access) => access,
        RequestBody::Quota(_) => panic!("a quota request"),
    }
}

fn quota(row: &ParsedRow) -> &QuotaRequest {
    match &request(row).body {
        RequestBody::Quota(quota) => quota,
        RequestBody::Access(_) => panic!("an access request"),
    }
}

/// The reason for which a row is rejected after some of its cells were replaced.
fn reason(kind: SheetKind, row: &[&'static str], changes: &[(usize, &'static str)]) -> String {
    match &parse(kind, &[&with(row, changes)])[0].outcome {
        Outcome::Rejected(rejection) => rejection.reason.clone(),
        Outcome::Request(request) => panic!("not rejected: {request:?}"),
    }
}

fn with(row: &[&'static str], changes: &[(usize, &'static str)]) -> Vec<&'static str> {
    let mut cells = row.to_vec();
    for &(column, text) in changes {
        cells.resize(cells.len().max(column + 1), "");
        cells[column] = text;
    }
    cells
}

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
        assert!(rows[0].warnings.is_empty());
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
    let cases: [(&[(usize, &str)], &str); 12] = [
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
        (&[(18, "Other")], "two projects"),
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
fn a_temporary_quota() {
    let rows = parse(SheetKind::Quota, &[&QUOTA]);
    let limit = |key: &str, limit| WantedLimit { key: key.to_owned(), limit };
    let expected = QuotaRequest {
        email: "user@example.org".to_owned(),
        first_name: "New".to_owned(),
        last_name: "User".to_owned(),
        organisation: "Society".to_owned(),
        project: "First Project".to_owned(),
        term: QuotaTerm::Temporary(LocalDate { year: 2018, month: 12, day: 31 }),
        limits: vec![
            limit("instances", 10),
            limit("ram", 1536),
            limit("network", 2),
            limit("gigabytes", 1000),
        ],
        comment: "Big tables".to_owned(),
        notes: "fine".to_owned(),
    };
    assert_eq!(quota(&rows[0]), &expected);
    assert!(rows[0].warnings.is_empty());
}

#[test]
fn every_limit_has_its_column() {
    let numbers: Vec<(usize, &str)> =
        (11..=19).zip(["1", "2", "3 GB", "4", "5", "6", "7.0", "-1", "9"]).collect();
    let rows = parse(SheetKind::Quota, &[&with(&QUOTA, &numbers)]);
    let limits: Vec<(&str, i64)> =
        quota(&rows[0]).limits.iter().map(|limit| (limit.key.as_str(), limit.limit)).collect();
    assert_eq!(
        limits,
        [
            ("instances", 1),
            ("cores", 2),
            ("ram", 3072),
            ("floatingip", 4),
            ("network", 5),
            ("port", 6),
            ("volumes", 7),
            ("snapshots", -1),
            ("gigabytes", 9)
        ]
    );
}

#[test]
fn a_permanent_quota_does_not_end() {
    for (word, end, warnings) in [("Permanent", "", 0), ("permanent", "12/31/2018", 1), ("", "", 1)] {
        let rows = parse(SheetKind::Quota, &[&with(&QUOTA, &[(9, word), (10, end)])]);
        assert_eq!(quota(&rows[0]).term, QuotaTerm::Permanent);
        assert_eq!(rows[0].warnings.len(), warnings, "{rows:?}");
    }
}

#[test]
fn a_quota_row_is_rejected_with_what_to_correct() {
    let blank: Vec<(usize, &str)> = (11..=19).map(|column| (column, "")).collect();
    let cases: [(&[(usize, &str)], &str); 12] = [
        (&[(8, "")], "column I (project) is blank"),
        (&[(9, "sometimes")], "column J (type of increase) holds \"sometimes\""),
        (&[(10, "")], "column K (end date) is blank"),
        (&[(10, "New Year")], "column K (end date) holds \"New Year\""),
        (&[(10, "3/13/2018")], "was over when the request came in"),
        (&[(11, "ten")], "column L (instances) holds \"ten\""),
        (&[(11, "2.5")], "column L (instances) holds \"2.5\""),
        (&[(13, "0.0001")], "column N (RAM in GB) holds \"0.0001\""),
        (&[(13, "inf")], "column N (RAM in GB) holds \"inf\""),
        (&[(19, "-2")], "column T (gigabytes) holds \"-2\""),
        (&[(12, "99999999999")], "column M (cores) holds \"99999999999\""),
        (&[(20, "")], "column U (comment) is blank"),
    ];
    for (changes, part) in cases {
        let reason = reason(SheetKind::Quota, &QUOTA, changes);
        assert!(reason.contains(part), "{changes:?}: {reason}");
    }
    assert!(reason(SheetKind::Quota, &QUOTA, &blank).contains("columns L to T are all blank"));
}

#[test]
fn a_sheet_without_text_has_no_requests() {
    for rows in [vec![], sheet(&["", ""], &[&[" "]])] {
        assert_eq!(parse_rows(SheetKind::Access, &rows), Parsed::Rows(vec![]));
    }
}

#[test]
fn a_sheet_of_another_layout_is_unreadable() {
    let rows = sheet(&["name", "mail"], &[&["New", "user@example.org"]]);
    let Parsed::Unreadable(reason) = parse_rows(SheetKind::Access, &rows) else { panic!("readable") };
    assert!(reason.contains("C (reminder sent), D (timestamp), E (e-mail)"), "{reason}");
    let rows = sheet(&["", ""], &[&JOIN]);
    let Parsed::Unreadable(reason) = parse_rows(SheetKind::Access, &rows) else { panic!("readable") };
    assert!(reason.contains("row 1 is blank"), "{reason}");
}

#[test]
fn addresses() {
    for text in ["a@example.org", "a.b+c@x-y.example.org", "o'neil@example.org", "j\u{f6}rg@example.org"] {
        assert!(is_address(text), "{text}");
    }
    for text in [
        "",
        "a",
        "@example.org",
        "a@",
        "a@b",
        "a@b..c",
        "a b@c.org",
        "a@b@c.org",
        ".a@b.org",
        "a@-b.org",
        "a@example.org\r\nBcc: x@example.org",
        "<a@example.org>",
    ] {
        assert!(!is_address(text), "{text}");
    }
}

//! Whole sheets, row by row.

use usher_plugin::types::*;

use super::*;

// Named in full, because the file that this is part of is found by a path itself.
#[path = "row_tests/access.rs"]
mod access_rows;
#[path = "row_tests/quota.rs"]
mod quota_rows;

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
    match parse_rows(kind, &sheet(header, rows), Reading::default()) {
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
fn a_sheet_without_text_has_no_requests() {
    for rows in [vec![], sheet(&["", ""], &[&[" "]])] {
        assert_eq!(parse_rows(SheetKind::Access, &rows, Reading::default()), Parsed::Rows(vec![]));
    }
}

#[test]
fn a_sheet_of_another_layout_is_unreadable() {
    let rows = sheet(&["name", "mail"], &[&["New", "user@example.org"]]);
    let Parsed::Unreadable(reason) = parse_rows(SheetKind::Access, &rows, Reading::default()) else {
        panic!("readable")
    };
    assert!(reason.contains("C (reminder sent), D (timestamp), E (e-mail)"), "{reason}");
    let rows = sheet(&["", ""], &[&JOIN]);
    let Parsed::Unreadable(reason) = parse_rows(SheetKind::Access, &rows, Reading::default()) else {
        panic!("readable")
    };
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

/// One bad row never stops the others, and each is named.
#[test]
fn timestamps_in_several_forms_are_read_or_named_row_by_row() {
    let stamped = |stamp: &'static str| with(&JOIN, &[(3, stamp)]);
    let rows =
        ["3/4/2018 09:00:00", "2018-03-04 09:00:00", "4.3.2018 9:00", "soon", "", "14/3/2018 09:00:00"];
    let rows: Vec<_> = rows.into_iter().map(stamped).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let keys = |date_order| {
        let reading = Reading { date_order, ..Reading::default() };
        let Parsed::Rows(parsed) = parse_rows(SheetKind::Access, &sheet(&ACCESS_HEADER, &rows), reading)
        else {
            panic!("unreadable")
        };
        let told = parsed.into_iter().map(|row| match row.outcome {
            Outcome::Request(request) => request.key,
            Outcome::Rejected(rejection) => rejection.reason,
        });
        told.collect::<Vec<_>>()
    };
    let month_first = keys(DateOrder::MonthFirst);
    assert_eq!(month_first[0], "2018-03-04T09:00:00 member@example.org");
    for copy in &month_first[1..3] {
        assert!(copy.contains("the same submission as row 2"), "{copy}");
    }
    for (problem, part) in month_first[3..].iter().zip(["holds \"soon\"", "is blank", "month/day/year"]) {
        assert!(problem.starts_with("column D (timestamp)") && problem.contains(part), "{problem}");
    }
    let day_first = keys(DateOrder::DayFirst);
    assert_eq!(day_first[0], "2018-04-03T09:00:00 member@example.org");
    assert_eq!(day_first[1], "2018-03-04T09:00:00 member@example.org");
    assert_eq!(day_first[5], "2018-03-14T09:00:00 member@example.org");
    assert!(day_first[3].contains("day/month/year"), "{}", day_first[3]);
}

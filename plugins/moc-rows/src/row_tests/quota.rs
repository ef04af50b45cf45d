//! The rows of the quota sheet.

use super::*;

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
        size: None,
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
fn a_form_may_ask_for_a_size() {
    let header = with(&QUOTA_HEADER, &[(22, "Size")]);
    let parse = |row: &[&str]| match parse_rows(
        SheetKind::Quota,
        &sheet(&header, &[row]),
        Reading { size_column: Some(22), ..Reading::default() },
    ) {
        Parsed::Rows(rows) => rows,
        Parsed::Unreadable(reason) => panic!("{reason}"),
    };
    let blank: Vec<(usize, &str)> = (11..=19).map(|column| (column, "")).collect();
    let only_size: Vec<(usize, &str)> = blank.iter().copied().chain([(22, " Large\n")]).collect();
    let rows = parse(&with(&QUOTA, &only_size));
    assert_eq!((quota(&rows[0]).size.as_deref(), quota(&rows[0]).limits.len()), (Some("Large"), 0));
    let rows = parse(&with(&QUOTA, &[(22, "small")]));
    assert_eq!((quota(&rows[0]).size.as_deref(), quota(&rows[0]).limits.len()), (Some("small"), 4));
    // The cell is blank, or not there at all.
    assert_eq!(quota(&parse(&with(&QUOTA, &[(22, " ")]))[0]).size, None);
    assert_eq!(quota(&parse(&QUOTA)[0]).size, None);
    let Outcome::Rejected(rejection) = &parse(&with(&QUOTA, &blank))[0].outcome else { panic!("a request") };
    assert_eq!(rejection.reason, "nothing is asked for: columns L to T and W (size) are all blank");
}

#[test]
fn without_a_column_of_sizes_no_size_is_read() {
    let rows = parse(SheetKind::Quota, &[&with(&QUOTA, &[(22, "large")])]);
    assert_eq!(quota(&rows[0]).size, None);
}

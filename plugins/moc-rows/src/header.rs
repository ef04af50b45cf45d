//! Whether a worksheet has the columns of the layout.
//!
//! The layout goes by position, as the old tools did, and the wording of a form's questions is the site's
//! own. So a heading may say anything, but it has to be there, and it must not be the well-known heading
//! of a column that is not where it belongs: that is how a sheet with an inserted or deleted column shows.

use usher_plugin::dates;
use usher_plugin::types::SheetKind;

use crate::cells::{Cells, letter, short};
use crate::row::{self, is_address};
use crate::stage;
use crate::worksheets::Reading;

/// A column: what it holds, a part of words that its heading usually has, and whether these words are so
/// much its own that they are out of place over another column.
struct Column {
    meaning: &'static str,
    words: &'static [&'static str],
    distinctive: bool,
}

const fn column(meaning: &'static str, words: &'static [&'static str]) -> Column {
    Column { meaning, words, distinctive: false }
}

const fn distinctive(meaning: &'static str, words: &'static [&'static str]) -> Column {
    Column { meaning, words, distinctive: true }
}

const ACCESS: [Column; 21] = [
    distinctive("approved", &["approv", "decision"]),
    distinctive("helpdesk notified", &["notified", "helpdesk"]),
    distinctive("reminder sent", &["remind"]),
    distinctive("timestamp", &["timestamp"]),
    column("e-mail", &["mail", "user"]),
    distinctive("first name", &["first name", "given name"]),
    distinctive("last name", &["last name", "surname", "family name"]),
    column("already have an account?", &["account"]),
    column("organisation", &["organi", "institution"]),
    column("role at the organisation", &["role", "position"]),
    distinctive("phone", &["phone"]),
    distinctive("sponsor", &["sponsor"]),
    column("PIN", &["pin"]),
    column("comment", &["comment"]),
    column("new or existing project", &["project"]),
    column("new project's name", &["project"]),
    column("new project's description", &["description", "project"]),
    column("existing users to add to the new project", &["user", "member"]),
    column("existing project's name", &["project"]),
    column("that project's contact name", &["contact", "name"]),
    column("that project's contact e-mail", &["contact", "mail"]),
];

const QUOTA: [Column; 21] = [
    distinctive("approved", &["approv", "decision"]),
    distinctive("notified", &["notified", "helpdesk"]),
    distinctive("reminded", &["remind"]),
    distinctive("timestamp", &["timestamp"]),
    column("e-mail", &["mail", "user"]),
    distinctive("first name", &["first name", "given name"]),
    distinctive("last name", &["last name", "surname", "family name"]),
    column("organisation", &["organi", "institution"]),
    column("project", &["project"]),
    column("type of increase", &["type", "temporary", "permanent"]),
    distinctive("end date", &["end date"]),
    distinctive("instances", &["instance"]),
    distinctive("cores", &["core", "vcpu"]),
    column("RAM in GB", &["ram", "memory"]),
    distinctive("floating IPs", &["floating"]),
    column("networks", &["network"]),
    column("ports", &["port"]),
    distinctive("volumes", &["volumes"]),
    distinctive("snapshots", &["snapshot"]),
    column("gigabytes", &["gigabyte", "storage", "gb"]),
    column("comment", &["comment", "reason", "why"]),
];

/// Checks the header of a worksheet, with the column in which the quota sheet's form asks for a size, if it does.
///
/// # Errors
/// What is missing or misplaced, in words for the operator.
pub fn check(kind: SheetKind, header: Cells<'_>, reading: Reading) -> Result<(), String> {
    let (name, columns) = match kind {
        SheetKind::Access => ("access", &ACCESS),
        SheetKind::Quota => ("quota", &QUOTA),
    };
    if header.are_blank() {
        return Err(format!("the {name} sheet has no header: row 1 is blank, and has to hold the headings"));
    }
    if dates::time(header.text(stage::TIMESTAMP), reading.date_order).is_some()
        || is_address(header.text(row::EMAIL))
    {
        return Err(format!(
            "the {name} sheet has no header: row 1 holds a request. Insert a row of headings above it, from {}",
            places(columns, 0..columns.len())
        ));
    }
    let missing = (0..columns.len()).filter(|&at| header.text(at).is_empty());
    let mut missing = places(columns, missing);
    // A column of sizes that is not there would read as if nobody ever asked for one.
    if let Some(at) = reading.size_column.filter(|&at| kind == SheetKind::Quota && header.text(at).is_empty())
    {
        let separator = if missing.is_empty() { "" } else { ", " };
        missing = format!("{missing}{separator}{} (size)", letter(at));
    }
    if !missing.is_empty() {
        return Err(format!("the {name} sheet lacks columns: no heading in row 1 for {missing}"));
    }
    let misplaced: Vec<String> = (0..columns.len()).filter_map(|at| misplaced(columns, at, header)).collect();
    if !misplaced.is_empty() {
        return Err(format!(
            "the {name} sheet does not have its columns where they belong: {}. Was a column inserted or deleted?",
            misplaced.join("; ")
        ));
    }
    Ok(())
}

fn misplaced(columns: &[Column], at: usize, header: Cells<'_>) -> Option<String> {
    let fits = |heading: usize, column: &Column| {
        let heading = header.text(heading).to_lowercase();
        column.words.iter().any(|word| heading.contains(word))
    };
    if fits(at, &columns[at]) {
        return None;
    }
    // A question may well use another column's word, as long as that column has its own heading.
    let other = (0..columns.len()).find(|&other| {
        let column = &columns[other];
        column.distinctive && fits(at, column) && !fits(other, column)
    })?;
    let heading = short(header.text(at));
    Some(format!(
        "column {} should be \"{}\" and is headed \"{heading}\", which belongs in column {}",
        letter(at),
        columns[at].meaning,
        letter(other)
    ))
}

fn places(columns: &[Column], at: impl IntoIterator<Item = usize>) -> String {
    let places: Vec<String> =
        at.into_iter().map(|at| format!("{} ({})", letter(at), columns[at].meaning)).collect();
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use usher_plugin::types::Row;

    use super::*;

    fn check_headings(kind: SheetKind, headings: &[&str]) -> Result<(), String> {
        let row = Row { number: 1, cells: headings.iter().map(|&heading| heading.to_owned()).collect() };
        check(kind, Cells(&row), Reading::default())
    }

    fn meanings(columns: &[Column]) -> Vec<&'static str> {
        columns.iter().map(|column| column.meaning).collect()
    }

    #[test]
    fn the_layouts_own_words_pass() {
        assert_eq!(check_headings(SheetKind::Access, &meanings(&ACCESS)), Ok(()));
        assert_eq!(check_headings(SheetKind::Quota, &meanings(&QUOTA)), Ok(()));
    }

    #[test]
    fn the_wording_is_free() {
        let headings = [
            "OK?",
            "Ticket",
            "Nagged",
            "Zeitstempel",
            "Login",
            "Vorname",
            "Nachname",
            "Registered before?",
            "Where do you work?",
            "As what?",
            "How do we reach you?",
            "Who vouches for you?",
            "Secret number",
            "Anything else?",
            "Which way?",
            "Call it",
            "What is it for?",
            "Who else?",
            "Join which?",
            "Whose?",
            "Their address",
        ];
        assert_eq!(check_headings(SheetKind::Access, &headings), Ok(()));
    }

    #[test]
    fn further_columns_are_the_sites_own() {
        let mut headings = meanings(&ACCESS);
        headings.extend(["", "Usher", "Approved by"]);
        assert_eq!(check_headings(SheetKind::Access, &headings), Ok(()));
    }

    #[test]
    fn a_question_may_use_the_word_of_another_column() {
        let mut headings = meanings(&ACCESS);
        headings[9] = "Student or sponsored researcher?";
        headings[13] = "Notes for the helpdesk, before it is approved";
        assert_eq!(check_headings(SheetKind::Access, &headings), Ok(()));
    }

    #[test]
    fn missing_columns_are_named() {
        let error = check_headings(SheetKind::Access, &meanings(&ACCESS)[..18]).unwrap_err();
        assert_eq!(
            error,
            "the access sheet lacks columns: no heading in row 1 for S (existing project's name), \
             T (that project's contact name), U (that project's contact e-mail)"
        );
        let mut headings = meanings(&QUOTA);
        headings[13] = " ";
        let error = check_headings(SheetKind::Quota, &headings).unwrap_err();
        assert_eq!(error, "the quota sheet lacks columns: no heading in row 1 for N (RAM in GB)");
    }

    #[test]
    fn a_column_of_sizes_has_a_heading_of_any_words() {
        let mut headings = meanings(&QUOTA);
        headings.extend(["Notes", "How large?"]);
        let row = |headings: &[&str]| Row {
            number: 1,
            cells: headings.iter().map(|&heading| heading.to_owned()).collect(),
        };
        let sized = Reading { size_column: Some(22), ..Reading::default() };
        assert_eq!(check(SheetKind::Quota, Cells(&row(&headings)), sized), Ok(()));
        let error = check(SheetKind::Quota, Cells(&row(&headings[..22])), sized).unwrap_err();
        assert_eq!(error, "the quota sheet lacks columns: no heading in row 1 for W (size)");
        assert_eq!(check(SheetKind::Access, Cells(&row(&meanings(&ACCESS))), sized), Ok(()));
    }

    #[test]
    fn a_sheet_without_bookkeeping_columns_is_not_read() {
        let mut headings = meanings(&ACCESS)[3..].to_vec();
        headings.extend(["Extra 1", "Extra 2", "Extra 3"]);
        let error = check_headings(SheetKind::Access, &headings).unwrap_err();
        assert!(
            error.contains(
                "column A should be \"approved\" and is headed \"timestamp\", which belongs in column D"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_request_in_place_of_the_header_is_noticed() {
        let mut headings = meanings(&ACCESS);
        headings[4] = "user@example.org";
        let error = check_headings(SheetKind::Access, &headings).unwrap_err();
        assert!(error.starts_with("the access sheet has no header: row 1 holds a request."), "{error}");
    }
}

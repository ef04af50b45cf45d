//! All rows of a worksheet: what becomes of each.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use usher_plugin::dates::{self, DateOrder};
use usher_plugin::types::{
    Outcome, Parsed, ParsedRow, Rejection, Request, RequestBody, Row, RowNumber, SheetKind, Stage,
};

use crate::cells::{Cells, first, letter, short};
use crate::worksheets::Reading;
use crate::{access, header, quota, stage};

/// Column of the requester's e-mail address.
pub const EMAIL: usize = 4;

/// No address is longer (RFC 5321).
const LONGEST_ADDRESS: usize = 254;

/// Reads all rows of a worksheet, of which the first is the header. Blank rows are skipped, and a worksheet
/// without any text has no requests.
#[must_use]
pub fn parse_rows(kind: SheetKind, rows: &[Row], reading: Reading) -> Parsed {
    let Some((head, below)) = rows.split_first() else { return Parsed::Rows(Vec::new()) };
    if rows.iter().all(|row| Cells(row).are_blank()) {
        return Parsed::Rows(Vec::new());
    }
    if let Err(missing) = header::check(kind, Cells(head), reading) {
        return Parsed::Unreadable(missing);
    }
    let mut parsed = Vec::with_capacity(below.len());
    parsed.extend(below.iter().filter(|row| !Cells(row).are_blank()).map(|row| read(kind, row, reading)));
    reject_copies(&mut parsed);
    Parsed::Rows(parsed)
}

fn read(kind: SheetKind, row: &Row, reading: Reading) -> ParsedRow {
    let cells = Cells(row);
    let mut warnings = Vec::new();
    let outcome = match key(cells, reading.date_order) {
        None => Outcome::Rejected(Rejection {
            requester: String::new(),
            reason: format!(
                "nobody can tell which request this is: columns {} (timestamp) and {} (e-mail) are both blank",
                letter(stage::TIMESTAMP),
                letter(EMAIL)
            ),
        }),
        Some(key) => request(kind, cells, reading, key, &mut warnings),
    };
    ParsedRow { number: row.number, outcome, warnings }
}

fn request(
    kind: SheetKind,
    cells: Cells<'_>,
    reading: Reading,
    key: String,
    warnings: &mut Vec<String>,
) -> Outcome {
    let stage = stage::stage(cells, reading.date_order, warnings);
    let approved = matches!(stage, Stage::Approved | Stage::Ready);
    // A quota request that waits may be granted by the policy, so what is wrong with it has to be known.
    let read_closely = approved || (kind == SheetKind::Quota && matches!(stage, Stage::Waiting(_)));
    let mut findings = Findings::default();
    if read_closely {
        check_timestamp(cells, reading.date_order, &mut findings);
        check_email(cells, &mut findings);
    }
    let body = match kind {
        SheetKind::Access => RequestBody::Access(access::read(cells, approved, &mut findings)),
        SheetKind::Quota => RequestBody::Quota(quota::read(cells, reading, read_closely, &mut findings)),
    };
    if !approved {
        warnings.append(&mut findings.problems);
    }
    if !findings.problems.is_empty() {
        let requester = first(cells.text(EMAIL), LONGEST_ADDRESS).into_owned();
        return Outcome::Rejected(Rejection { requester, reason: findings.problems.join("; ") });
    }
    warnings.append(&mut findings.warnings);
    Outcome::Request(Request { key, stage, body })
}

/// What the approvers have to hear about a row that they approved.
#[derive(Default)]
pub struct Findings {
    /// What keeps the row from being used, each with what to correct.
    pub problems: Vec<String>,
    /// What is odd and does not.
    pub warnings: Vec<String>,
}

fn check_timestamp(cells: Cells<'_>, order: DateOrder, findings: &mut Findings) {
    let text = cells.text(stage::TIMESTAMP);
    let column = letter(stage::TIMESTAMP);
    if text.is_empty() {
        findings.problems.push(format!(
            "column {column} (timestamp) is blank: enter when the request came in, such as 3/14/2018 15:48:48"
        ));
    } else if dates::time(text, order).is_none() {
        findings.problems.push(format!(
            "column {column} (timestamp) holds \"{}\": write it as {}",
            short(text),
            match order {
                DateOrder::MonthFirst => "month/day/year and time, such as 3/14/2018 15:48:48",
                DateOrder::DayFirst => "day/month/year and time, such as 14/3/2018 15:48:48",
            }
        ));
    }
}

fn check_email(cells: Cells<'_>, findings: &mut Findings) {
    let text = cells.text(EMAIL);
    let column = letter(EMAIL);
    if text.is_empty() {
        findings.problems.push(format!("column {column} (e-mail) is blank: enter the requester's address"));
    } else if !is_address(text) {
        findings.problems.push(format!(
            "column {column} (e-mail) holds \"{}\", which is not one address such as name@example.org",
            short(text)
        ));
    }
}

/// Whether a text has the form of one e-mail address. Whether mail arrives there only sending it can tell.
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_is_valid = (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    local_is_valid && text.len() <= LONGEST_ADDRESS && domain.contains('.') && domain.split('.').all(is_label)
}

/// The name of a request, as the crate's documentation says; none where the row holds nothing to name it by.
fn key(cells: Cells<'_>, order: DateOrder) -> Option<String> {
    let timestamp = cells.text(stage::TIMESTAMP);
    let email = cells.text(EMAIL);
    if timestamp.is_empty() && email.is_empty() {
        return None;
    }
    let mut key = String::with_capacity("2018-03-14T15:48:48 ".len() + email.len());
    match dates::time(timestamp, order) {
        Some(time) => {
            push_digits(&mut key, time.year.unsigned_abs(), 4);
            for (mark, part) in
                [('-', time.month), ('-', time.day), ('T', time.hour), (':', time.minute), (':', time.second)]
            {
                key.push(mark);
                push_digits(&mut key, u16::from(part), 2);
            }
        }
        // Only a row that is not approved gets here; it still needs a name of its own.
        None => key.extend(timestamp.chars().map(|c| if c.is_whitespace() { '_' } else { c })),
    }
    key.push(' ');
    if email.is_ascii() {
        key.extend(email.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
    } else {
        key.push_str(&email.to_lowercase());
    }
    Some(key)
}

/// Formatting through `write!` costs several times as much, and each row has a key.
fn push_digits(key: &mut String, number: u16, width: u32) {
    for place in (0..width).rev() {
        key.push(char::from(b'0' + (number / 10u16.pow(place) % 10) as u8));
    }
}

/// The key of an approved row.
fn approved_key(row: &ParsedRow) -> Option<&str> {
    match &row.outcome {
        Outcome::Request(Request { key, stage: Stage::Approved | Stage::Ready, .. }) => Some(key),
        _ => None,
    }
}

/// Rejects the later ones of approved rows with one and the same key: one submission, copied or sent twice.
fn reject_copies(rows: &mut [ParsedRow]) {
    // By hashes, because comparing keys, which mostly begin alike, is slow in a component.
    let mut hashed: Vec<(u64, usize)> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        if let Some(key) = approved_key(row) {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            hashed.push((hasher.finish(), index));
        }
    }
    hashed.sort_unstable();
    let mut copies: Vec<(usize, RowNumber)> = Vec::new();
    for alike in hashed.chunk_by(|left, right| left.0 == right.0).filter(|alike| alike.len() > 1) {
        // Different keys may have the same hash.
        let mut firsts: Vec<usize> = Vec::new();
        for &(_, index) in alike {
            match firsts.iter().find(|&&first| approved_key(&rows[first]) == approved_key(&rows[index])) {
                Some(&first) => copies.push((index, rows[first].number)),
                None => firsts.push(index),
            }
        }
    }
    for (copy, first) in copies {
        let requester = match &rows[copy].outcome {
            Outcome::Request(Request { body: RequestBody::Access(access), .. }) => access.email.clone(),
            Outcome::Request(Request { body: RequestBody::Quota(quota), .. }) => quota.email.clone(),
            Outcome::Rejected(rejection) => rejection.requester.clone(),
        };
        let reason = format!(
            "this is the same submission as row {first} (equal timestamp and e-mail): delete one of the two, or \
             change the second of this timestamp if it is a request of its own"
        );
        rows[copy].outcome = Outcome::Rejected(Rejection { requester, reason });
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;

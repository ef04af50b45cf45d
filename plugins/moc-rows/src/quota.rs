//! The quota sheet: changed limits of a project.

use usher_plugin::dates::{self, DateOrder};
use usher_plugin::types::{LocalDate, QuotaRequest, QuotaTerm, WantedLimit};

use crate::cells::{Cells, letter, short};
use crate::row::{EMAIL, Findings};
use crate::stage;
use crate::worksheets::Reading;

const FIRST_NAME: usize = 5;
const LAST_NAME: usize = 6;
const ORGANISATION: usize = 7;
const PROJECT: usize = 8;
const TERM: usize = 9;
const END_DATE: usize = 10;
const COMMENT: usize = 20;
const NOTES: usize = 21;

/// The last column of the layout; those after it are the site's own.
pub const LAST_COLUMN: usize = NOTES;

/// Nova keeps limits in a signed column of 32 bits, and the other services do not need more.
const GREATEST_LIMIT: i64 = i32::MAX as i64;
const MB_PER_GB: i64 = 1024;

/// A column of the sheet that holds a limit.
struct LimitColumn {
    at: usize,
    name: &'static str,
    key: &'static str,
}

const LIMITS: [LimitColumn; 9] = [
    LimitColumn { at: 11, name: "instances", key: "instances" },
    LimitColumn { at: 12, name: "cores", key: "cores" },
    LimitColumn { at: 13, name: "RAM in GB", key: "ram" },
    LimitColumn { at: 14, name: "floating IPs", key: "floatingip" },
    LimitColumn { at: 15, name: "networks", key: "network" },
    LimitColumn { at: 16, name: "ports", key: "port" },
    LimitColumn { at: 17, name: "volumes", key: "volumes" },
    LimitColumn { at: 18, name: "snapshots", key: "snapshots" },
    LimitColumn { at: 19, name: "gigabytes", key: "gigabytes" },
];

/// Reads what a row asks for, with a size where the form has a column for it. Where it is to be
/// read `closely`, what cannot be worked with is found; else it is only read as far as it goes.
pub fn read(
    cells: Cells<'_>,
    Reading { size_column, date_order }: Reading,
    closely: bool,
    findings: &mut Findings,
) -> QuotaRequest {
    let mut found = Findings::default();
    let size = size_column.map(|column| cells.line(column)).filter(|size| !size.is_empty());
    let limits = limits(cells, &mut found.problems);
    let blank = LIMITS.iter().all(|column| cells.text(column.at).is_empty());
    if blank && size.is_none() {
        found.problems.push(nothing_asked_for(size_column));
    }
    let request = QuotaRequest {
        email: cells.text(EMAIL).to_owned(),
        first_name: cells.line(FIRST_NAME),
        last_name: cells.line(LAST_NAME),
        organisation: cells.line(ORGANISATION),
        project: cells.line(PROJECT),
        term: term(cells, date_order, &mut found),
        size,
        limits,
        comment: cells.text(COMMENT).to_owned(),
        notes: cells.text(NOTES).to_owned(),
    };
    if closely {
        if request.project.is_empty() {
            found.problems.push(format!("column {} (project) is blank: enter its name", letter(PROJECT)));
        }
        if request.comment.is_empty() {
            found.problems.push(format!(
                "column {} (comment) is blank: enter why the quotas are needed",
                letter(COMMENT)
            ));
        }
        findings.problems.append(&mut found.problems);
        findings.warnings.append(&mut found.warnings);
    }
    request
}

/// How long the change lasts. A word that cannot be read makes it permanent, together with a problem.
fn term(cells: Cells<'_>, order: DateOrder, found: &mut Findings) -> QuotaTerm {
    let (word, end) = (cells.text(TERM).to_lowercase(), cells.text(END_DATE));
    let (column, end_column) = (letter(TERM), letter(END_DATE));
    if word.starts_with("permanent") {
        if !end.is_empty() {
            found.warnings.push(format!(
                "column {end_column} (end date) holds \"{}\", which a permanent change does not use",
                short(end)
            ));
        }
        return QuotaTerm::Permanent;
    }
    if word.is_empty() && end.is_empty() {
        found
            .warnings
            .push(format!("column {column} (type of increase) is blank, which counts as permanent"));
        return QuotaTerm::Permanent;
    }
    if word.is_empty() {
        found.warnings.push(format!(
            "column {column} (type of increase) is blank; because of its end date the change counts as temporary"
        ));
    } else if !word.starts_with("temporary") {
        found.problems.push(format!(
            "column {column} (type of increase) holds \"{}\": write temporary or permanent",
            short(cells.text(TERM))
        ));
        return QuotaTerm::Permanent;
    }
    match end_date(cells, order, end, &end_column) {
        Ok(date) => QuotaTerm::Temporary(date),
        Err(problem) => {
            found.problems.push(problem);
            QuotaTerm::Permanent
        }
    }
}

fn end_date(cells: Cells<'_>, order: DateOrder, text: &str, column: &str) -> Result<LocalDate, String> {
    let (form, sample) = match order {
        DateOrder::MonthFirst => ("month/day/year", "12/31/2018"),
        DateOrder::DayFirst => ("day/month/year", "31/12/2018"),
    };
    if text.is_empty() {
        return Err(format!(
            "column {column} (end date) is blank, and a temporary change needs it: enter {form}"
        ));
    }
    let Some(end) = dates::date(text, order) else {
        return Err(format!(
            "column {column} (end date) holds \"{}\": write it as {form}, such as {sample}",
            short(text)
        ));
    };
    match dates::date(cells.text(stage::TIMESTAMP), order) {
        Some(sent) if (end.year, end.month, end.day) < (sent.year, sent.month, sent.day) => Err(format!(
            "column {column} (end date) holds \"{}\", which was over when the request came in",
            short(text)
        )),
        _ => Ok(end),
    }
}

fn limits(cells: Cells<'_>, problems: &mut Vec<String>) -> Vec<WantedLimit> {
    let mut limits = Vec::new();
    for column in LIMITS {
        let text = cells.text(column.at);
        if text.is_empty() {
            continue;
        }
        let limit = if column.key == "ram" { ram(text) } else { whole(text) };
        match limit {
            Some(limit) => limits.push(WantedLimit { key: column.key.to_owned(), limit }),
            None => problems.push(format!(
                "column {} ({}) holds \"{}\": enter a whole number such as 20, or -1 for no limit, or clear \
                 the cell to leave the limit as it is",
                letter(column.at),
                column.name,
                short(text)
            )),
        }
    }
    limits
}

fn nothing_asked_for(size_column: Option<usize>) -> String {
    let first = letter(LIMITS[0].at);
    let last = letter(LIMITS[LIMITS.len() - 1].at);
    match size_column {
        None => format!("nothing is asked for: columns {first} to {last} are all blank"),
        Some(size) => {
            let size = letter(size);
            format!("nothing is asked for: columns {first} to {last} and {size} (size) are all blank")
        }
    }
}

/// A whole number from -1 on. Spreadsheets may show it with a blank fraction, as `20.0`.
fn whole(text: &str) -> Option<i64> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    digits.parse().ok().filter(|limit| (-1..=GREATEST_LIMIT).contains(limit))
}

/// RAM in MB, from a number of GB with or without a fraction and a unit.
fn ram(text: &str) -> Option<i64> {
    let number = match text.len().checked_sub(2).and_then(|at| text.split_at_checked(at)) {
        Some((number, unit)) if unit.eq_ignore_ascii_case("gb") => number.trim_end(),
        _ => text,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if number == "-1" {
        return Some(-1);
    }
    let gb: f64 = number.parse().ok().filter(|_| is_number)?;
    let mb = gb * MB_PER_GB as f64;
    (mb.fract() == 0.0 && mb <= GREATEST_LIMIT as f64).then_some(mb as i64)
}

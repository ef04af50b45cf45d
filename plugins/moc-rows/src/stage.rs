//! The bookkeeping columns, which both sheets share: how far a request has come.

use usher_plugin::dates::{self, DateOrder};
use usher_plugin::types::{Stage, Waiting};

use crate::cells::{Cells, letter, short};

/// Column of the approvers' decision.
pub const APPROVED: usize = 0;
/// Column of the time at which the helpdesk was notified.
pub const NOTIFIED: usize = 1;
/// Column of the time of the last reminder.
pub const REMINDED: usize = 2;
/// Column of the form's timestamp.
pub const TIMESTAMP: usize = 3;

/// The stage of a row. A mark that cannot be read adds a warning.
pub fn stage(cells: Cells<'_>, order: DateOrder, warnings: &mut Vec<String>) -> Stage {
    let decision = cells.text(APPROVED);
    if decision.is_empty() {
        let mark = cells.text(REMINDED);
        let reminded = dates::time(mark, order);
        if reminded.is_none() && !mark.is_empty() {
            warnings.push(format!(
                "column {} (reminded) holds \"{}\", which is not a time such as 14 Mar 2018 15:48:48: \
                 the request counts as never reminded of",
                letter(REMINDED),
                short(mark)
            ));
        }
        return Stage::Waiting(Waiting { since: dates::time(cells.text(TIMESTAMP), order), reminded });
    }
    if !decision.eq_ignore_ascii_case("approved") {
        return Stage::Denied;
    }
    if cells.text(NOTIFIED).is_empty() { Stage::Approved } else { Stage::Ready }
}

#[cfg(test)]
mod tests {
    use usher_plugin::types::{LocalTime, Row};

    use super::*;

    fn stage_of(cells: &[&str]) -> (Stage, Vec<String>) {
        let row = Row { number: 2, cells: cells.iter().map(|&cell| cell.to_owned()).collect() };
        let mut warnings = Vec::new();
        (stage(Cells(&row), DateOrder::MonthFirst, &mut warnings), warnings)
    }

    #[test]
    fn approved_and_notified_is_ready() {
        for word in ["approved", "Approved", " APPROVED ", "\u{a0}Approved\u{a0}"] {
            assert_eq!(stage_of(&[word, "14 Mar 2018 15:48:48"]).0, Stage::Ready, "{word:?}");
            assert_eq!(stage_of(&[word, " "]).0, Stage::Approved, "{word:?}");
            assert_eq!(stage_of(&[word]).0, Stage::Approved, "{word:?}");
        }
    }

    #[test]
    fn another_word_sets_the_row_aside() {
        for word in ["denied", "pending", "Approved?", "not approved", "x"] {
            assert_eq!(stage_of(&[word, "14 Mar 2018 15:48:48"]).0, Stage::Denied, "{word:?}");
        }
    }

    #[test]
    fn a_blank_decision_waits_since_the_form_was_sent() {
        let time = |day, hour| LocalTime { year: 2018, month: 3, day, hour, minute: 48, second: 48 };
        let (stage, warnings) = stage_of(&["\u{a0}", "", "16 Mar 2018 09:48:48", "3/14/2018 15:48:48"]);
        assert_eq!(stage, Stage::Waiting(Waiting { since: Some(time(14, 15)), reminded: Some(time(16, 9)) }));
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_a_warning() {
        let (stage, warnings) = stage_of(&["", "", "yesterday", "some day"]);
        assert_eq!(stage, Stage::Waiting(Waiting { since: None, reminded: None }));
        assert!(warnings[0].contains("column C (reminded) holds \"yesterday\""), "{warnings:?}");
    }
}

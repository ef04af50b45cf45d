//! What Usher writes beside a row that it could not process, and what it leaves there.
//!
//! People write in these places too. A text is Usher's own by the way it begins; others are neither
//! overwritten nor taken away.

/// The heading of the column that holds remarks where cells have no notes.
pub const COLUMN: &str = "Usher";

/// How each of Usher's remarks begins.
const OWN: &str = "Usher, ";

/// What stands between the time and the reason.
const SEPARATOR: &str = ": ";

/// How much of a reason is written, in characters.
const LONGEST_REASON: usize = 1000;

/// Why a row was not processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    when: String,
    reason: String,
}

/// What is done about one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// What is there stays, or nothing is there and nothing is to be.
    Keep,
    /// This text is put there; a blank one takes away what is there.
    Write(String),
    /// There is something to say, and somebody else's text is there.
    NotOurs,
}

impl Remark {
    /// With a time in the site's words, in which there is no colon followed by a blank.
    #[must_use]
    pub fn new(when: &str, reason: &str) -> Self {
        let words: Vec<&str> = reason
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        let line = words.join(" ");
        let mut reason: String = line.chars().take(LONGEST_REASON).collect();
        if reason.len() < line.len() {
            reason.push('\u{2026}');
        }
        Self { when: when.to_owned(), reason }
    }

    fn text(&self) -> String {
        format!("{OWN}{}{SEPARATOR}{}", self.when, self.reason)
    }
}

impl Decision {
    /// What to do where this text is.
    pub(super) fn of(there: &str, wanted: Option<&Remark>) -> Self {
        let there = there.trim();
        match wanted {
            Some(wanted) if there.is_empty() => Self::Write(wanted.text()),
            // A remark that has not changed keeps its time, so that nothing is written run after run.
            Some(wanted) if is_own(there) => {
                if reason(there) == Some(wanted.reason.as_str()) {
                    Self::Keep
                } else {
                    Self::Write(wanted.text())
                }
            }
            Some(_) => Self::NotOurs,
            None if is_own(there) => Self::Write(String::new()),
            None => Self::Keep,
        }
    }
}

/// Whether a text is one of Usher's.
pub(super) fn is_own(text: &str) -> bool {
    text.trim_start().starts_with(OWN)
}

fn reason(own: &str) -> Option<&str> {
    own.split_once(SEPARATOR).map(|(_, reason)| reason)
}

/// The column of the remarks in a worksheet with this header, if it has one.
pub(super) fn column(header: &[String]) -> Option<usize> {
    header.iter().rposition(|heading| heading.trim() == COLUMN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usher_replaces_and_takes_away_only_what_is_its_own() {
        let remark = Remark::new("2026-11-24 14:03", "the\n PIN\u{a0}is: blank");
        let text = "Usher, 2026-11-24 14:03: the PIN is: blank";
        let write = |text: &str| Decision::Write(text.to_owned());
        assert_eq!(Decision::of("", Some(&remark)), write(text));
        assert_eq!(Decision::of("Usher, 2026-11-23 09:00: something else", Some(&remark)), write(text));
        assert_eq!(Decision::of("Usher, 2026-11-23 09:00: the PIN is: blank", Some(&remark)), Decision::Keep);
        assert_eq!(Decision::of("Ask Ann", Some(&remark)), Decision::NotOurs);
        assert_eq!(Decision::of("Ask Ann", None), Decision::Keep);
        assert_eq!(Decision::of("", None), Decision::Keep);
        assert_eq!(Decision::of(text, None), write(""));
    }

    #[test]
    fn a_long_reason_is_cut_and_still_known_again() {
        let remark = Remark::new("2026-11-24 14:03", &"\u{1f98a} ".repeat(5000));
        assert_eq!(remark.text().chars().count(), "Usher, 2026-11-24 14:03: ".len() + LONGEST_REASON + 1);
        assert_eq!(Decision::of(&remark.text(), Some(&remark)), Decision::Keep);
    }

    #[test]
    fn the_column_is_found_by_its_heading() {
        let header = |headings: &[&str]| headings.iter().map(|&h| h.to_owned()).collect::<Vec<_>>();
        assert_eq!(column(&header(&["E-mail", " Usher ", ""])), Some(1));
        assert_eq!(column(&header(&["Usher's opinion"])), None);
    }
}

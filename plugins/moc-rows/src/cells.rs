//! The cells of one row. A row may be shorter than the header: what is missing is blank.

use std::borrow::Cow;

use usher_plugin::types::Row;

/// How much of a cell a reason repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// The cells of one row by column, counted from 0.
#[derive(Clone, Copy)]
pub struct Cells<'a>(pub &'a Row);

impl<'a> Cells<'a> {
    /// The text of a cell without the blanks around it, where blanks include those that are not seen.
    pub fn text(self, column: usize) -> &'a str {
        self.0.cells.get(column).map_or("", |cell| trim(cell))
    }

    /// The text of a cell as one line: tabs, line breaks and no-break spaces inside become spaces.
    pub fn line(self, column: usize) -> String {
        let text = self.text(column);
        // Nearly every cell is plain already, and copying is most of what a parser does.
        if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            return text.to_owned();
        }
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        words.fold(String::with_capacity(text.len()), |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line
        })
    }

    /// Whether the row holds nothing. The same rule as the host's, which expects an answer for all others.
    pub fn are_blank(self) -> bool {
        self.0.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// Takes blanks off both ends: white space, no-break spaces, and the marks without width that come along
/// when an address is copied from a mail or a web page.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

/// A text as it is repeated in a reason: of a long one the beginning, because a cell can hold 50,000 characters.
pub fn short(text: &str) -> Cow<'_, str> {
    first(text, LONGEST_QUOTE)
}

/// The beginning of a text that is longer than so many characters.
pub fn first(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}\u{2026}", &text[..end])),
    }
}

/// How the spreadsheet names a column: A for 0, Z for 25, AA for 26.
pub fn letter(column: usize) -> String {
    let last = char::from(b'A' + (column % 26) as u8);
    match column / 26 {
        0 => last.to_string(),
        more => letter(more - 1) + &last.to_string(),
    }
}

/// The column of a letter, as [`letter`] writes it, in either case; none for any other text, and beyond ZZZ, where
/// no spreadsheet has a column.
pub fn column_of(letters: &str) -> Option<usize> {
    let is_column =
        (1..=3).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    let digit = |byte: u8| usize::from(byte.to_ascii_uppercase() - b'A') + 1;
    is_column.then(|| letters.bytes().fold(0, |column, byte| column * 26 + digit(byte)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        Row { number: 2, cells: cells.iter().map(|&cell| cell.to_owned()).collect() }
    }

    #[test]
    fn trims_what_is_not_seen() {
        let row = row(&["\u{a0}\u{feff} user@example.org\u{200b}\u{a0}\n"]);
        assert_eq!(Cells(&row).text(0), "user@example.org");
    }

    #[test]
    fn a_missing_cell_is_blank() {
        assert_eq!(Cells(&row(&[])).text(20), "");
    }

    #[test]
    fn a_line_has_no_line_breaks() {
        let row = row(&["New\u{a0} User\r\nBcc: x@example.org\t"]);
        assert_eq!(Cells(&row).line(0), "New User Bcc: x@example.org");
    }

    #[test]
    fn a_reason_repeats_the_beginning_of_a_long_text() {
        assert_eq!(short("2018-03-14"), "2018-03-14");
        let long = short(&"\u{5d9}".repeat(50_000)).into_owned();
        assert_eq!((long.chars().count(), long.ends_with('\u{2026}')), (81, true));
    }

    #[test]
    fn columns_have_the_letters_of_a_spreadsheet() {
        assert_eq!([0, 20, 25, 26, 51, 52].map(letter), ["A", "U", "Z", "AA", "AZ", "BA"]);
        for column in [0, 20, 25, 26, 51, 52, 701, 702] {
            assert_eq!(column_of(&letter(column)), Some(column));
        }
        assert_eq!(
            (column_of("w"), column_of(""), column_of("5"), column_of("ABCD")),
            (Some(22), None, None, None)
        );
    }
}

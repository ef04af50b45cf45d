//! How a worksheet is named in a range (A1 notation).

use url::Url;

/// The range that is a whole worksheet, as a part of a URL's path: it is escaped here, because the client library
/// puts it into the path as it is.
pub(super) fn range(worksheet: &str) -> String {
    let range = quoted(worksheet);
    let mut url = Url::parse("http://localhost").expect("it is a URL");
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().push(&range);
    }
    url.path()[1..].to_owned()
}

/// The range that is one whole column of a worksheet, counted from 0.
pub(super) fn column(worksheet: &str, column: usize) -> String {
    let letters = letters(column);
    format!("{}!{letters}:{letters}", quoted(worksheet))
}

/// In quotes, or a name such as `A1` would be a cell.
fn quoted(worksheet: &str) -> String {
    format!("'{}'", worksheet.replace('\'', "''"))
}

/// How the spreadsheet names a column: A for 0, Z for 25, AA for 26.
pub(super) fn letters(column: usize) -> String {
    let last = char::from(b'A' + u8::try_from(column % 26).unwrap_or_default());
    match column / 26 {
        0 => last.to_string(),
        more => letters(more - 1) + &last.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_worksheet() {
        assert_eq!(range("Form Responses 1"), "'Form%20Responses%201'");
        assert_eq!(range("A1"), "'A1'");
        assert_eq!(range("Founder's list!B2"), "'Founder''s%20list!B2'");
        assert_eq!(range("2026/27? #1 100%"), "'2026%2F27%3F%20%231%20100%25'");
    }

    #[test]
    fn columns_have_the_letters_of_a_spreadsheet() {
        assert_eq!(column("Form Responses 1", 0), "'Form Responses 1'!A:A");
        assert_eq!(column("It's", 26), "'It''s'!AA:AA");
        assert_eq!([25, 51, 52, 701, 702].map(letters), ["Z", "AZ", "BA", "ZZ", "AAA"]);
    }
}

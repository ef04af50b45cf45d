//! How a worksheet is named in a range (A1 notation).

use url::Url;

/// The range that is a whole worksheet, as a part of a URL's path. The name is put in quotes, or one such as `A1`
/// would be a cell; and it is escaped here, because the client library puts it into the path as it is.
pub(super) fn range(worksheet: &str) -> String {
    let range = format!("'{}'", worksheet.replace('\'', "''"));
    let mut url = Url::parse("http://localhost").expect("it is a URL");
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().push(&range);
    }
    url.path()[1..].to_owned()
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
}

//! A table in plain text: a name, two values that stand right-aligned, and words at the end.

/// The table with its headings, indented by four spaces. A last column without any words is left out; a table
/// without rows is blank.
pub fn text_table(headings: [&str; 4], rows: impl Iterator<Item = [String; 4]>) -> String {
    let rows: Vec<[String; 4]> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let has_words = rows.iter().any(|[.., words]| !words.is_empty());
    let mut all = vec![headings.map(str::to_owned)];
    all.extend(rows);
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |[name, left, right, words]: &[String; 4]| {
        let [a, b, c] = widths;
        let words = if has_words { words.as_str() } else { "" };
        format!("    {name:<a$}  {left:>b$}  {right:>c$}  {words}").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 4]) -> [String; 4] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [row(["instances", "10", "60", "as requested"]), row(["ram", "512 MB", "unlimited", ""])];
        assert_eq!(
            text_table(["Quota", "Old", "New", "Why"], rows.into_iter()),
            "    Quota         Old        New  Why\n    instances      10         60  as requested\n    \
             ram        512 MB  unlimited"
        );
    }

    #[test]
    fn a_column_without_words_has_no_heading() {
        let table = text_table(["Quota", "Old", "New", "Why"], [row(["cores", "8", "16", ""])].into_iter());
        assert_eq!(table, "    Quota  Old  New\n    cores    8   16");
        assert_eq!(text_table(["Quota", "Old", "New", "Why"], std::iter::empty()), "");
    }
}

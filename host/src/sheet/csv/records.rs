//! CSV as spreadsheets write it (RFC 4180): cells divided by commas, quoted where they hold one, rows
//! ended by CR LF, LF or CR.
//!
//! Finds where each row begins and ends, so that rows can be moved without being rewritten. Knows
//! nothing of files.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::registration::RowNumber;

/// UTF-8's byte order mark, which Excel writes and expects.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A worksheet's bytes and where its rows are in them.
#[derive(Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    rows: Vec<Span>,
    /// How this file ends its rows.
    terminator: &'static [u8],
}

/// Where a row is.
#[derive(Debug)]
struct Span {
    /// Without what ends it.
    content: Range<usize>,
    /// Where the next row begins.
    end: usize,
    cells: Vec<String>,
}

/// Why bytes are not a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub row: usize,
    pub problem: &'static str,
}

impl<'a> Table<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Damage> {
        let mut at = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let mut rows = Vec::new();
        let mut terminator: Option<&'static [u8]> = None;
        while at < bytes.len() {
            let (span, ended_by) =
                row(bytes, at).map_err(|problem| Damage { row: rows.len() + 1, problem })?;
            at = span.end;
            rows.push(span);
            terminator = terminator.or(ended_by);
        }
        if RowNumber::try_from(rows.len()).is_err() {
            return Err(Damage { row: rows.len(), problem: "there are too many rows" });
        }
        Ok(Self { bytes, rows, terminator: terminator.unwrap_or(b"\r\n") })
    }

    /// All rows with their numbers.
    pub(super) fn records(&self) -> impl Iterator<Item = (RowNumber, Vec<String>)> + '_ {
        (1..).zip(self.rows.iter().map(|span| span.cells.clone()))
    }

    /// The cells of one row.
    pub(super) fn cells(&self, number: RowNumber) -> Option<Vec<String>> {
        self.span(number).map(|span| span.cells.clone())
    }

    /// One row as it is written, without what ends it.
    pub(super) fn record(&self, number: RowNumber) -> Option<&'a [u8]> {
        self.span(number).map(|span| &self.bytes[span.content.clone()])
    }

    fn span(&self, number: RowNumber) -> Option<&Span> {
        self.rows.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// A table of the same kind with nothing but a header.
    pub(super) fn header_only(&self, record: &[u8]) -> Vec<u8> {
        let start = self.rows.first().map_or(self.bytes.len(), |header| header.content.start);
        let mut header = [&self.bytes[..start], record].concat();
        header.extend_from_slice(self.terminator);
        header
    }

    /// This table without some rows.
    pub(super) fn without(&self, numbers: &[RowNumber]) -> Vec<u8> {
        let start = self.rows.first().map_or(self.bytes.len(), |first| first.content.start);
        let mut kept = self.bytes[..start].to_vec();
        for (number, span) in (1..).zip(&self.rows) {
            if !numbers.contains(&number) {
                kept.extend_from_slice(&self.bytes[span.content.start..span.end]);
            }
        }
        kept
    }

    /// This table with rows, as they are written, at its end.
    pub(super) fn with_appended<'r>(&self, records: impl Iterator<Item = &'r [u8]>) -> Vec<u8> {
        let mut longer = self.bytes.to_vec();
        if self.rows.last().is_some_and(|last| last.content.end == last.end) {
            longer.extend_from_slice(self.terminator);
        }
        for record in records {
            longer.extend_from_slice(record);
            longer.extend_from_slice(self.terminator);
        }
        longer
    }

    /// This table with other cells in some rows.
    pub(super) fn with_replaced(&self, rows: &BTreeMap<RowNumber, Vec<String>>) -> Vec<u8> {
        let mut replaced = Vec::with_capacity(self.bytes.len());
        let mut at = 0;
        for (number, cells) in rows {
            let Some(span) = self.span(*number) else { continue };
            replaced.extend_from_slice(&self.bytes[at..span.content.start]);
            replaced.extend(write(cells));
            at = span.content.end;
        }
        replaced.extend_from_slice(&self.bytes[at..]);
        replaced
    }

    /// How many columns are filled in at least one row.
    pub(super) fn width(&self) -> usize {
        let filled = |span: &Span| span.cells.iter().rposition(|cell| !cell.is_empty());
        self.rows.iter().filter_map(filled).max().map_or(0, |last| last + 1)
    }
}

/// Writes one row, without what ends it.
pub(super) fn write(cells: &[String]) -> Vec<u8> {
    let mut row = String::new();
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            row.push(',');
        }
        let blank_at_end = cell.starts_with([' ', '\t']) || cell.ends_with([' ', '\t']);
        // A row of one empty cell would be an empty line, which some programs skip.
        if cell.contains(['"', ',', '\r', '\n']) || blank_at_end || (cell.is_empty() && cells.len() == 1) {
            row.push('"');
            row.push_str(&cell.replace('"', "\"\""));
            row.push('"');
        } else {
            row.push_str(cell);
        }
    }
    row.into_bytes()
}

/// Reads the row that begins at `start`.
fn row(bytes: &[u8], start: usize) -> Result<(Span, Option<&'static [u8]>), &'static str> {
    let mut at = start;
    let mut cells = Vec::new();
    loop {
        let cell = if bytes.get(at) == Some(&b'"') {
            quoted_cell(bytes, &mut at)?
        } else {
            let from = at;
            while !matches!(bytes.get(at), None | Some(b',' | b'\r' | b'\n')) {
                at += 1;
            }
            bytes[from..at].to_vec()
        };
        cells.push(
            String::from_utf8(cell).map_err(|_| "the text is not UTF-8; save the file as CSV in UTF-8")?,
        );
        if bytes.get(at) != Some(&b',') {
            break;
        }
        at += 1;
    }
    let content = start..at;
    let ended_by: Option<&'static [u8]> = match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some(b"\r\n"),
        (Some(b'\r'), _) => Some(b"\r"),
        (Some(_), _) => Some(b"\n"),
        (None, _) => None,
    };
    if content.is_empty() {
        cells.clear();
    }
    let end = at + ended_by.map_or(0, <[u8]>::len);
    Ok((Span { content, end, cells }, ended_by))
}

/// Reads a cell that begins with a quotation mark, and stops behind the one that ends it.
fn quoted_cell(bytes: &[u8], at: &mut usize) -> Result<Vec<u8>, &'static str> {
    let mut cell = Vec::new();
    *at += 1;
    loop {
        match (bytes.get(*at), bytes.get(*at + 1)) {
            (None, _) => return Err("a cell begins with a quotation mark and has none at its end"),
            (Some(b'"'), Some(b'"')) => {
                cell.push(b'"');
                *at += 2;
            }
            (Some(b'"'), None | Some(b',' | b'\r' | b'\n')) => {
                *at += 1;
                return Ok(cell);
            }
            (Some(b'"'), Some(_)) => {
                return Err(
                    "a cell goes on behind its closing quotation mark; marks within a cell are doubled",
                );
            }
            (Some(byte), _) => {
                cell.push(*byte);
                *at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        Table::parse(bytes).unwrap().records().map(|(_, cells)| cells).collect()
    }

    #[test]
    fn reads_what_the_csv_crate_reads() {
        for text in [
            "a,b,c\r\n1,\"2,2\",3\r\n",
            "a\nb\nc",
            "a,\"line\r\nbreak\",\"\"\"quoted\"\"\"\r\n,,\r\nx,y,z",
            "5\" pipe,ok\n",
            "a,b\rc,d\r",
            "\"\"\n\"a\"",
            "ä,ö,\u{2028}\n",
        ] {
            let mut reader =
                ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            assert_eq!(cells(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_rows_as_spreadsheets_do() {
        let table = Table::parse(b"\xEF\xBB\xBFhead\n\n\"two\nlines\"\nlast").unwrap();
        let rows: Vec<_> = table.records().collect();
        assert_eq!(rows[0], (1, vec!["head".to_owned()]), "the byte order mark is not part of the header");
        assert_eq!(rows[1], (2, Vec::new()));
        assert_eq!(rows[2], (3, vec!["two\nlines".to_owned()]));
        assert_eq!(rows[3], (4, vec!["last".to_owned()]));
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for row in
            [vec!["", "a,b", "say \"hi\"", "two\r\nlines", " blank ", "=1+1", "ü"], vec![""], vec!["", ""]]
        {
            let row: Vec<String> = row.into_iter().map(str::to_owned).collect();
            assert_eq!(cells(&write(&row)), vec![row]);
        }
    }

    #[test]
    fn says_in_which_row_the_damage_is() {
        let damage = |bytes: &[u8]| Table::parse(bytes).unwrap_err();
        assert_eq!(damage(b"a\n\"b").row, 2);
        assert_eq!(damage(b"a\n\"b\"c\n").row, 2);
        assert_eq!(damage(b"a\nb\nM\xFCller\n").row, 3);
        assert!(damage(b"\xFF\xFEa\0").problem.contains("UTF-8"));
    }

    #[test]
    fn other_rows_keep_their_bytes() {
        let bytes = b"\xEF\xBB\xBFh1,h2\r\n\"a\",1\r\nb,\"2\"\r\nc,3";
        let table = Table::parse(bytes).unwrap();
        assert_eq!(table.without(&[3]), b"\xEF\xBB\xBFh1,h2\r\n\"a\",1\r\nc,3");
        assert_eq!(table.header_only(b"h1,h2"), b"\xEF\xBB\xBFh1,h2\r\n");
        let replaced = BTreeMap::from([
            (2, vec!["a".to_owned()]),
            (3, vec!["b".to_owned(), "x,y".to_owned()]),
            (9, Vec::new()),
        ]);
        assert_eq!(table.with_replaced(&replaced), b"\xEF\xBB\xBFh1,h2\r\na\r\nb,\"x,y\"\r\nc,3");
        assert_eq!(table.with_replaced(&BTreeMap::new()), bytes);
        assert_eq!(table.width(), 2);
        let longer = table.with_appended([b"d,4".as_slice()].into_iter());
        assert_eq!(longer, b"\xEF\xBB\xBFh1,h2\r\n\"a\",1\r\nb,\"2\"\r\nc,3\r\nd,4\r\n");
        assert_eq!(Table::parse(b"").unwrap().with_appended([b"a".as_slice()].into_iter()), b"a\r\n");
        assert_eq!(Table::parse(b"a\n").unwrap().with_appended([b"b".as_slice()].into_iter()), b"a\nb\n");
    }
}

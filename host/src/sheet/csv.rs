//! A spreadsheet kept as a folder with one CSV file for each worksheet: `Form Responses 1.csv`.
//!
//! Files are UTF-8, with a byte order mark or without, with CR LF or LF; each keeps its own way. Row
//! numbers are those that a spreadsheet program shows: a cell that holds line breaks is still in one row,
//! and an empty line is a row. Rows that do not change keep their bytes.
//!
//! A file is replaced as a whole and never written in place, so that a reader sees the old one or the new
//! one. Usher's processes keep out of each other's way by a lock (flock(2)) on the folder. Other programs
//! do not know that lock: what they save is noticed before a file is replaced, except within the
//! moment of replacing it.
//!
//! Cells are kept as they are. In a CSV file nothing is a formula; but a spreadsheet program that opens one
//! may evaluate cells that begin with `=`, `+`, `-` or `@`, so import the columns as text there.

mod folder;
mod records;
mod redo;
mod remarks;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::registration::{Row, RowNumber};
use crate::sheet::remark::Remark;
use crate::sheet::{SheetError, Snapshot, same_cells};
use folder::Folder;
use records::Table;
use redo::{Move, Replacement};

/// A spreadsheet kept as a folder of CSV files.
#[derive(Clone, Debug)]
pub struct CsvSheet {
    folder: Arc<Folder>,
}

impl CsvSheet {
    /// The spreadsheet in a folder. Looks at nothing yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder: Arc::new(Folder::new(folder)) }
    }

    /// See [`super::Sheet::check`].
    pub(super) async fn check(&self) -> Result<Vec<String>, SheetError> {
        self.in_background(|folder| {
            let _lock = folder.lock()?;
            redo::worksheets(folder)
        })
        .await
    }

    /// See [`super::Sheet::finish`].
    pub(super) async fn finish(&self) -> Result<(), SheetError> {
        self.in_background(|folder| {
            let _lock = folder.lock()?;
            redo::finish(folder)
        })
        .await
    }

    /// See [`super::Sheet::read`].
    pub(super) async fn read(&self, worksheet: &str) -> Result<Snapshot, SheetError> {
        let worksheet = worksheet.to_owned();
        self.in_background(move |folder| {
            let _lock = folder.lock()?;
            let bytes = redo::read(folder, &worksheet)?;
            let table = parse(folder, &worksheet, &bytes)?;
            let rows = table.records().map(|(number, cells)| Row { number, cells }).collect();
            Ok(Snapshot { worksheet, rows, version: redo::version(&bytes) })
        })
        .await
    }

    /// See [`super::Sheet::move_rows`].
    pub(super) async fn move_rows(
        &self,
        from: &Snapshot,
        rows: &[RowNumber],
        to: &str,
    ) -> Result<(), SheetError> {
        let (source, version, to) = (from.worksheet.clone(), from.version.clone(), to.to_owned());
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        self.in_background(move |folder| {
            let _lock = folder.lock()?;
            redo::finish(folder)?;
            match prepare(folder, &source, &version, &rows, &to)? {
                Some(prepared) => prepared.perform(folder),
                None => Ok(()),
            }
        })
        .await
    }

    /// See [`super::Sheet::mark`].
    pub(super) async fn mark(
        &self,
        worksheet: &str,
        expected: &Row,
        column: u32,
        text: &str,
    ) -> Result<(), SheetError> {
        let (worksheet, expected, text) = (worksheet.to_owned(), expected.clone(), text.to_owned());
        self.in_background(move |folder| {
            let _lock = folder.lock()?;
            redo::finish(folder)?;
            let bytes = folder.read(&worksheet)?;
            let table = parse(folder, &worksheet, &bytes)?;
            let changed = || SheetError::Changed { worksheet: worksheet.clone() };
            let mut cells = table.cells(expected.number).ok_or_else(changed)?;
            if !same_cells(&cells, &expected.cells) {
                return Err(changed());
            }
            let column = column as usize;
            if cells.len() <= column {
                cells.resize(column + 1, String::new());
            }
            cells[column] = text;
            let replaced = BTreeMap::from([(expected.number, cells)]);
            folder.replace(&worksheet, &bytes, &table.with_replaced(&replaced))
        })
        .await
    }

    /// See [`super::Sheet::mark_cells`].
    pub(super) async fn mark_cells(
        &self,
        seen: &Snapshot,
        column: u32,
        marks: &BTreeMap<RowNumber, String>,
    ) -> Result<(), SheetError> {
        let (worksheet, version, marks) = (seen.worksheet.clone(), seen.version.clone(), marks.clone());
        self.in_background(move |folder| {
            let _lock = folder.lock()?;
            redo::finish(folder)?;
            let bytes = folder.read(&worksheet)?;
            let changed = || SheetError::Changed { worksheet: worksheet.clone() };
            if redo::version(&bytes) != version {
                return Err(changed());
            }
            let table = parse(folder, &worksheet, &bytes)?;
            let column = column as usize;
            let mut replaced = BTreeMap::new();
            for (number, text) in marks {
                let mut cells = table.cells(number).filter(|_| number > 1).ok_or_else(changed)?;
                cells.resize(cells.len().max(column + 1), String::new());
                cells[column] = text;
                replaced.insert(number, cells);
            }
            if replaced.is_empty() {
                return Ok(());
            }
            folder.replace(&worksheet, &bytes, &table.with_replaced(&replaced))
        })
        .await
    }

    /// See [`super::Sheet::remark`].
    pub(super) async fn remark(
        &self,
        seen: &Snapshot,
        remarks: &BTreeMap<RowNumber, Option<Remark>>,
    ) -> Result<Vec<RowNumber>, SheetError> {
        let (worksheet, version, remarks) = (seen.worksheet.clone(), seen.version.clone(), remarks.clone());
        self.in_background(move |folder| {
            let _lock = folder.lock()?;
            redo::finish(folder)?;
            let bytes = folder.read(&worksheet)?;
            if redo::version(&bytes) != version {
                return Err(SheetError::Changed { worksheet });
            }
            let table = parse(folder, &worksheet, &bytes)?;
            let (replaced, in_the_way) = remarks::with_remarks(&table, &remarks);
            if !replaced.is_empty() {
                folder.replace(&worksheet, &bytes, &table.with_replaced(&replaced))?;
            }
            Ok(in_the_way)
        })
        .await
    }

    /// See [`super::Sheet::append`].
    pub(super) async fn append(&self, worksheet: &str, rows: &[Vec<String>]) -> Result<(), SheetError> {
        let (worksheet, rows) = (worksheet.to_owned(), rows.to_vec());
        self.in_background(move |folder| {
            let _lock = folder.lock()?;
            redo::finish(folder)?;
            let bytes = folder.read(&worksheet)?;
            let table = parse(folder, &worksheet, &bytes)?;
            let records: Vec<Vec<u8>> = rows.iter().map(|cells| records::write(cells)).collect();
            folder.replace(&worksheet, &bytes, &table.with_appended(records.iter().map(Vec::as_slice)))
        })
        .await
    }

    /// Runs what waits for disks and locks where it does not hold up anything else.
    async fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, SheetError> + Send + 'static,
    ) -> Result<T, SheetError> {
        let folder = Arc::clone(&self.folder);
        let path = folder.path().to_owned();
        match tokio::task::spawn_blocking(move || work(&folder)).await {
            Ok(done) => done,
            Err(stopped) => {
                let source = std::io::Error::other(stopped);
                Err(SheetError::Io { action: "finish the work in", file: path, source })
            }
        }
    }
}

/// Works out what both files of a move become. None where there is nothing to move.
fn prepare(
    folder: &Folder,
    source: &str,
    version: &str,
    rows: &[RowNumber],
    to: &str,
) -> Result<Option<Move>, SheetError> {
    if source == to {
        return Err(SheetError::SameWorksheet { worksheet: to.to_owned() });
    }
    let changed = || SheetError::Changed { worksheet: source.to_owned() };
    let source_bytes = folder.read(source)?;
    if redo::version(&source_bytes) != version {
        return Err(changed());
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let source_table = parse(folder, source, &source_bytes)?;
    let mut moved = Vec::with_capacity(rows.len());
    for row in rows {
        // The header stays: a row 1 that is to move is a misunderstanding about the sheet.
        let record = (*row > 1).then(|| source_table.record(*row)).flatten().ok_or_else(changed)?;
        moved.push(remarks::record_without(&source_table, *row, record));
    }
    let target_bytes = match folder.read(to) {
        Ok(bytes) => Some(bytes),
        Err(SheetError::NoSuchWorksheet { .. }) if folder::is_name(to) => None,
        Err(error) => return Err(error),
    };
    let header = remarks::header_without(&source_table);
    let header = source_table.header_only(&header);
    let target_table = parse(folder, to, target_bytes.as_deref().unwrap_or(&header))?;
    let target_after = target_table.with_appended(moved.iter().map(Cow::as_ref));
    let source_after = source_table.without(rows);
    Ok(Some(Move {
        // A row is in both worksheets for a moment, never in none.
        replacements: [
            Replacement::new(to, target_bytes.as_deref(), target_after),
            Replacement::new(source, Some(&source_bytes), source_after),
        ],
    }))
}

/// The rows of an exported worksheet, header included, or what is wrong with it.
///
/// # Errors
/// Where it is no CSV file: the row, as a spreadsheet shows it, and the problem.
pub fn exported_rows(bytes: &[u8]) -> Result<Vec<Row>, (usize, &'static str)> {
    let table = Table::parse(bytes).map_err(|damage| (damage.row, damage.problem))?;
    Ok(table.records().map(|(number, cells)| Row { number, cells }).collect())
}

fn parse<'a>(folder: &Folder, worksheet: &str, bytes: &'a [u8]) -> Result<Table<'a>, SheetError> {
    Table::parse(bytes).map_err(|damage| SheetError::Unreadable {
        file: folder.file(worksheet),
        row: damage.row,
        problem: damage.problem,
    })
}

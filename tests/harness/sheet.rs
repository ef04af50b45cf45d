//! The CSV files that stand for a sheet's worksheets.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The worksheet of the bundled layout that the form fills.
pub const REQUESTS: &str = "Form Responses 1";
/// The worksheet of the bundled layout that finished access requests move to.
pub const DONE: &str = "Current Users";

/// The worksheet of the bundled layout that finished quota requests move to.
pub const QUOTA_DONE: &str = "Processed Requests";

/// The header of the bundled layout's access sheet.
pub const HEADER: [&str; 21] = [
    "Approved",
    "Helpdesk Notified",
    "Reminder Sent",
    "Timestamp",
    "Email Address",
    "First Name",
    "Last Name",
    "Do you already have an account?",
    "Organization",
    "Role at the Organization",
    "Phone",
    "Sponsor",
    "PIN",
    "Comment",
    "New or Existing Project",
    "New Project Name",
    "New Project Description",
    "Existing Users to Add",
    "Existing Project Name",
    "Project Contact Name",
    "Project Contact Email",
];

/// A row of the access sheet that is ready to import, before it is made into something else.
#[derive(Clone, Debug)]
pub struct AccessRow(pub Vec<String>);

impl AccessRow {
    /// A new user who joins a project that exists.
    #[must_use]
    pub fn joining(email: &str, project: &str) -> Self {
        let mut row = Self(vec![String::new(); HEADER.len()]);
        row.set(0, "Approved").set(1, "14 Mar 2018 15:48:48").set(3, "3/14/2018 15:48:48").set(4, email);
        row.set(5, "Test").set(6, "Person").set(7, "No").set(12, "4821").set(18, project);
        row
    }

    /// A new user with a project of their own.
    #[must_use]
    pub fn founding(email: &str, project: &str) -> Self {
        let mut row = Self::joining(email, "");
        row.set(15, project).set(16, "A project of the tests");
        row
    }

    /// Writes a cell; columns count from 0.
    pub fn set(&mut self, column: usize, text: &str) -> &mut Self {
        text.clone_into(&mut self.0[column]);
        self
    }
}

/// The header of the bundled layout's quota sheet.
pub const QUOTA_HEADER: [&str; 22] = [
    "Approved",
    "Helpdesk Notified",
    "Reminder Sent",
    "Timestamp",
    "Email Address",
    "First Name",
    "Last Name",
    "Organization",
    "Project",
    "Type of Increase",
    "End Date",
    "Instances",
    "Cores",
    "RAM in GB",
    "Floating IPs",
    "Networks",
    "Ports",
    "Volumes",
    "Snapshots",
    "Gigabytes",
    "Comment",
    "Notes",
];

/// A row of the quota sheet that is ready, before it is made into something else.
#[derive(Clone, Debug)]
pub struct QuotaRow(pub Vec<String>);

impl QuotaRow {
    /// A permanent change of limits, each under a heading that contains, whatever the case, the word given.
    ///
    /// # Panics
    /// Where no heading does.
    #[must_use]
    pub fn new(email: &str, project: &str, limits: &[(&str, &str)]) -> Self {
        let mut row = Self(vec![String::new(); QUOTA_HEADER.len()]);
        row.set(0, "Approved").set(1, "15 Mar 2018 10:00:00").set(3, "3/15/2018 15:48:48").set(4, email);
        row.set(5, "Test").set(6, "Person").set(8, project).set(9, "permanent").set(20, "More of it");
        for (word, limit) in limits {
            let column = QUOTA_HEADER.iter().position(|heading| heading.to_lowercase().contains(word));
            row.set(column.unwrap_or_else(|| panic!("no column for {word}")), limit);
        }
        row
    }

    /// Writes a cell; columns count from 0.
    pub fn set(&mut self, column: usize, text: &str) -> &mut Self {
        text.clone_into(&mut self.0[column]);
        self
    }
}

/// Writes the worksheet of a quota sheet that the form fills; the other one stays, or gets a header.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_quota(folder: &Path, rows: &[QuotaRow]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let header: Vec<String> = QUOTA_HEADER.iter().copied().map(str::to_owned).collect();
    let done = folder.join(format!("{QUOTA_DONE}.csv"));
    if !done.exists() {
        write(&done, std::slice::from_ref(&header))?;
    }
    let all: Vec<_> = std::iter::once(header).chain(rows.iter().map(|row| row.0.clone())).collect();
    write(&folder.join(format!("{REQUESTS}.csv")), &all)
}

/// Writes both worksheets of an access sheet: the rows to import, and a header to append to.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write_access(folder: &Path, rows: &[AccessRow]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let header: Vec<String> = HEADER.iter().copied().map(str::to_owned).collect();
    let mut all = vec![header.clone()];
    all.extend(rows.iter().map(|row| row.0.clone()));
    write(&folder.join(format!("{REQUESTS}.csv")), &all)?;
    write(&folder.join(format!("{DONE}.csv")), &[header])
}

/// Writes a worksheet.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(file: &Path, rows: &[Vec<String>]) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_path(file)?;
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.flush()?)
}

/// Reads a worksheet: every record, the header first. Record N of the result is row N + 1 of the sheet.
///
/// # Errors
/// Where the file cannot be read, or is no CSV.
pub fn read(file: &Path) -> Result<Vec<Vec<String>>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_path(file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    reader.records().map(|record| Ok(record?.iter().map(str::to_owned).collect())).collect()
}

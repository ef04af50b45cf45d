//! What `tests/fixtures/README.md` says about the fixtures, and the cloud that they suppose.

use std::fs;

use anyhow::{Context, Result};

use crate::identity::Identity;
use crate::workspace;

/// Users who exist before the import.
pub const USERS: [&str; 3] = ["established@example.org", "helper@example.org", "taken@example.com"];
/// Projects that exist before the import.
pub const PROJECTS: [&str; 2] = ["Genomics", "Archive"];
/// The recipient that the mail server refuses.
pub const BOUNCED: &str = "bounced@example.org";

/// What must become of one row of the access sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The row's number, as a spreadsheet shows it.
    pub row: usize,
    /// The user's name; blank where the row cannot be read, or the name does not matter.
    pub user: String,
    /// The outcome, as in the import's JSON report.
    pub outcome: String,
    /// Whether the user is made.
    pub makes_user: bool,
    /// The project that is made; blank for none.
    pub makes_project: String,
    /// The project that the user has the member role on afterwards; blank for none.
    pub member_of: String,
    /// What the report's error or warnings say, among other words; blank for nothing.
    pub says: String,
}

/// The table in the fixtures' README.
///
/// # Errors
/// Where it cannot be read.
pub fn expected() -> Result<Vec<Expected>> {
    let text = fs::read_to_string(workspace::fixture("README.md"))?;
    let lines = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    lines.take_while(|line| line.starts_with('|')).map(line).collect()
}

fn line(line: &str) -> Result<Expected> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, row, user, _, outcome, makes_user, makes_project, member_of, says, _] = cells[..] else {
        anyhow::bail!("not a line of the table: {line}");
    };
    Ok(Expected {
        row: row.parse().with_context(|| format!("no row number: {line}"))?,
        user: user.to_owned(),
        outcome: outcome.to_owned(),
        makes_user: makes_user == "yes",
        makes_project: makes_project.to_owned(),
        member_of: member_of.to_owned(),
        says: says.to_owned(),
    })
}

/// Makes what the fixtures suppose to be in the cloud.
///
/// # Errors
/// Where Keystone refuses, for example because it is there already.
pub fn prepare(identity: &Identity) -> Result<()> {
    for user in USERS {
        identity.create_user(user, "an account from before the import")?;
    }
    for project in PROJECTS {
        identity.create_project(project, "a project from before the import")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet;

    #[test]
    fn the_table_names_every_row_that_is_not_blank() {
        let rows =
            sheet::read(&workspace::fixture("access").join(format!("{}.csv", sheet::REQUESTS))).unwrap();
        let written: Vec<usize> = rows
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()))
            .map(|(index, _)| index + 1)
            .collect();
        let described: Vec<usize> = expected().unwrap().iter().map(|expected| expected.row).collect();
        assert_eq!(described, written);
        assert_eq!(rows[0], sheet::HEADER);
    }
}

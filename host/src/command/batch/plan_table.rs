//! The rows of a plan as a table.

use comfy_table::{Cell, Color};

use crate::batch::plan::{Fate, Plan, Work};
use crate::command::say::say;
use crate::command::table::{coloured, printable, table};

/// Prints the rows that something is to be done about.
pub(in crate::command) fn print_rows<W: Work>(plan: &Plan<W>) {
    let mut shown = table(["Row", "User", "Project", "What will be done"]);
    for row in &plan.rows {
        let (mut lines, colour) = match &row.fate {
            Fate::Apply(work) => (work.describe(), Color::Green),
            Fate::Move { .. } => (vec!["nothing: it was done before".to_owned()], Color::Green),
            Fate::Conflict { reason } => (vec![format!("CONFLICT: {reason}")], Color::Red),
            Fate::Refuse { reason, work } => {
                let mut lines = vec![format!("REFUSED: {reason}")];
                lines.extend(work.describe());
                (lines, Color::Red)
            }
            Fate::Rejected { reason } => (vec![format!("REJECTED: {reason}")], Color::Red),
            Fate::Waiting | Fate::Denied | Fate::Unnotified => continue,
        };
        if matches!(row.fate, Fate::Apply(_) | Fate::Move { .. }) {
            lines.push("move the row".to_owned());
        }
        let colour = if row.warnings.is_empty() || colour == Color::Red { colour } else { Color::Yellow };
        lines.extend(row.warnings.iter().map(|warning| format!("warning: {warning}")));
        let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
        shown.add_row([
            Cell::new(row.row),
            Cell::new(printable(&row.user)),
            Cell::new(printable(&row.project)),
            coloured(&lines.join("\n"), colour),
        ]);
    }
    say!("{shown}");
}

/// What a plan does nothing about, in words.
pub(in crate::command) fn left_alone<W>(plan: &Plan<W>) -> String {
    let count = |wanted: fn(&Fate<W>) -> bool| plan.rows.iter().filter(|row| wanted(&row.fate)).count();
    format!(
        "Left alone: {} waiting for a decision, {} denied, {} with the helpdesk not notified.",
        count(|fate| matches!(fate, Fate::Waiting)),
        count(|fate| matches!(fate, Fate::Denied)),
        count(|fate| matches!(fate, Fate::Unnotified)),
    )
}

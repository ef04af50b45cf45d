//! The plan of an import as a table.

use comfy_table::{Cell, Color};

use super::print_notices;
use crate::batch::report::counted;
use crate::command::say::say;
use crate::command::table::{coloured, printable, table};
use crate::import::plan::{Action, Fate, Plan, PlannedRow, Target};
use crate::mailing_list::MailingList;

pub(super) fn print(plan: &Plan, mailing_list: Option<&MailingList>) {
    let mut shown = table(["Row", "User", "Project", "What will be done"]);
    for row in &plan.rows {
        let (mut lines, colour) = match &row.fate {
            Fate::Apply(work) => (work.actions.iter().map(Action::describe).collect(), Color::Green),
            Fate::Move { .. } => (vec!["nothing: it was done before".to_owned()], Color::Green),
            Fate::Conflict { reason } => (vec![format!("CONFLICT: {reason}")], Color::Red),
            Fate::Refuse { reason, .. } => (vec![format!("REFUSED: {reason}")], Color::Red),
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
    say!("{}", sums(plan));
    say!("{}", left_alone(&plan.rows));
    if let Some(list) = mailing_list {
        say!("{}", to_subscribe(plan, list));
    }
    print_notices(&plan.notices);
    say!("Nothing was changed.");
}

/// What the plan comes to.
fn sums(plan: &Plan) -> String {
    let actions: Vec<&Action> = plan
        .rows
        .iter()
        .filter_map(|row| match &row.fate {
            Fate::Apply(work) => Some(&work.actions),
            _ => None,
        })
        .flatten()
        .collect();
    let count = |wanted: fn(&Action) -> usize| actions.iter().map(|action| wanted(action)).sum::<usize>();
    let rows = |wanted: fn(&Fate) -> bool| plan.rows.iter().filter(|row| wanted(&row.fate)).count();
    let parts = [
        counted(count(|a| usize::from(matches!(a, Action::CreateProject { .. }))), "project", "projects"),
        counted(count(|a| usize::from(matches!(a, Action::CreateUser { .. }))), "user", "users"),
        counted(
            count(|a| usize::from(matches!(a, Action::Grant { .. } | Action::GrantMember { .. }))),
            "role",
            "roles",
        ),
        counted(
            count(|a| match a {
                Action::Announce { mails, .. } => mails.len(),
                _ => 0,
            }),
            "mail",
            "mails",
        ),
        counted(rows(|fate| matches!(fate, Fate::Conflict { .. })), "conflict", "conflicts"),
        counted(rows(|fate| matches!(fate, Fate::Rejected { .. })), "rejected row", "rejected rows"),
    ];
    format!("In sum: {}.", parts.join(", "))
}

/// Whom the import would tell the mailing list.
fn to_subscribe(plan: &Plan, list: &MailingList) -> String {
    let makes_user = |row: &&PlannedRow| matches!(&row.fate, Fate::Apply(work) if work.user == Target::Made);
    let new = plan.rows.iter().filter(makes_user).count();
    format!("To be subscribed to the {}: {}.", list.describe(), counted(new, "new user", "new users"))
}

fn left_alone(rows: &[PlannedRow]) -> String {
    let count = |wanted: fn(&Fate) -> bool| rows.iter().filter(|row| wanted(&row.fate)).count();
    format!(
        "Left alone: {} waiting for a decision, {} denied, {} with the helpdesk not notified.",
        count(|fate| matches!(fate, Fate::Waiting)),
        count(|fate| matches!(fate, Fate::Denied)),
        count(|fate| matches!(fate, Fate::Unnotified)),
    )
}

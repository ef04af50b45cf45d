//! The plan of an import as a table.

use crate::batch::report::counted;
use crate::command::batch::{left_alone, print_notices, print_rows};
use crate::command::say::say;
use crate::import::plan::{Action, Fate, Plan, PlannedRow, Target};
use crate::mailing_list::MailingList;

pub(super) fn print(plan: &Plan, mailing_list: Option<&MailingList>) {
    print_rows(plan);
    say!("{}", sums(plan));
    say!("{}", left_alone(plan));
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

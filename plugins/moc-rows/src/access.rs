//! The access sheet: accounts and projects.

use usher_plugin::types::{AccessRequest, Account, ExistingProject, NewProject, ProjectChoice};

use crate::cells::{Cells, letter, short, trim};
use crate::row::{EMAIL, Findings, is_address};

const FIRST_NAME: usize = 5;
const LAST_NAME: usize = 6;
const HAS_ACCOUNT: usize = 7;
const ORGANISATION: usize = 8;
const POSITION: usize = 9;
const PHONE: usize = 10;
const SPONSOR: usize = 11;
/// Column of the PIN.
pub const PIN: usize = 12;
const COMMENT: usize = 13;
const NEW_NAME: usize = 15;
const NEW_DESCRIPTION: usize = 16;
const NEW_MEMBERS: usize = 17;
const EXISTING_NAME: usize = 18;
const CONTACT_NAME: usize = 19;
const CONTACT_EMAIL: usize = 20;

/// Keystone keeps no longer name of a project.
const LONGEST_PROJECT_NAME: usize = 64;

/// Reads what a row asks for. Where it is `approved`, what the import cannot work with is found; else the
/// row is only read as far as it goes, and without the PIN, which nobody needs yet.
pub fn read(cells: Cells<'_>, approved: bool, findings: &mut Findings) -> AccessRequest {
    let account =
        if cells.text(HAS_ACCOUNT).eq_ignore_ascii_case("no") { Account::New } else { Account::Existing };
    let pin = cells.text(PIN);
    if approved {
        check_account(cells, account, findings);
        check_project(cells, findings);
    }
    AccessRequest {
        email: cells.text(EMAIL).to_owned(),
        first_name: cells.line(FIRST_NAME),
        last_name: cells.line(LAST_NAME),
        account,
        organisation: cells.line(ORGANISATION),
        position: cells.line(POSITION),
        phone: cells.line(PHONE),
        sponsor: cells.line(SPONSOR),
        pin: (approved && account == Account::New).then(|| pin.to_owned()),
        comment: cells.text(COMMENT).to_owned(),
        project: project(cells),
    }
}

fn project(cells: Cells<'_>) -> ProjectChoice {
    let name = cells.line(NEW_NAME);
    if name.is_empty() {
        return ProjectChoice::Join(ExistingProject {
            name: cells.line(EXISTING_NAME),
            contact_name: cells.line(CONTACT_NAME),
            contact_email: cells.text(CONTACT_EMAIL).to_owned(),
        });
    }
    let members = members(cells.text(NEW_MEMBERS));
    ProjectChoice::Create(NewProject { name, description: cells.text(NEW_DESCRIPTION).to_owned(), members })
}

/// The names in a list, each once, without regard to case. People also part names by semicolons and lines.
fn members(list: &str) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for name in list.split([',', ';', '\n']).map(trim).filter(|name| !name.is_empty()) {
        if !members.iter().any(|member| member.to_lowercase() == name.to_lowercase()) {
            members.push(name.to_owned());
        }
    }
    members
}

fn check_account(cells: Cells<'_>, account: Account, findings: &mut Findings) {
    if account == Account::Existing {
        if cells.text(HAS_ACCOUNT).is_empty() {
            findings.warnings.push(format!(
                "column {} (already have an account?) is blank, which counts as yes; enter No for a new account",
                letter(HAS_ACCOUNT)
            ));
        }
        return;
    }
    let (pin, column) = (cells.text(PIN), letter(PIN));
    // The PIN itself is a secret and stays out of the text.
    if pin.is_empty() {
        findings.problems.push(format!(
            "column {column} (PIN) is blank, and a new account needs one: ask the requester for four digits"
        ));
    } else if pin.len() != 4 || !pin.bytes().all(|byte| byte.is_ascii_digit()) {
        findings.problems.push(format!(
            "column {column} (PIN) has to hold four digits; a PIN that starts with 0 keeps it only in a column \
             formatted as plain text"
        ));
    }
    if cells.text(FIRST_NAME).is_empty() && cells.text(LAST_NAME).is_empty() {
        findings.warnings.push(format!(
            "columns {} and {} (names) are both blank: the account gets no full name",
            letter(FIRST_NAME),
            letter(LAST_NAME)
        ));
    }
}

fn check_project(cells: Cells<'_>, findings: &mut Findings) {
    let (new, existing) = (cells.text(NEW_NAME), cells.text(EXISTING_NAME));
    let (new_column, existing_column) = (letter(NEW_NAME), letter(EXISTING_NAME));
    match (new.is_empty(), existing.is_empty()) {
        (true, true) => findings.problems.push(format!(
            "no project: enter a new project's name in column {new_column} or an existing one's in column \
             {existing_column}"
        )),
        // The form has both questions, and who goes back and changes an answer leaves the other one filled.
        (false, false) => findings.warnings.push(format!(
            "two projects: the new one of column {new_column} (\"{}\") is created, and the existing one of \
             column {existing_column} (\"{}\") left alone",
            short(new),
            short(existing)
        )),
        _ => {}
    }
    for (name, column) in [(new, &new_column), (existing, &existing_column)] {
        let length = name.chars().count();
        if length > LONGEST_PROJECT_NAME {
            findings.problems.push(format!(
                "column {column} (project) is {length} characters long, and OpenStack takes at most \
                 {LONGEST_PROJECT_NAME}: shorten the name"
            ));
        }
    }
    let contact = cells.text(CONTACT_EMAIL);
    if new.is_empty() && !contact.is_empty() && !is_address(contact) {
        findings.warnings.push(format!(
            "column {} (contact e-mail) holds \"{}\", which is not an address",
            letter(CONTACT_EMAIL),
            short(contact)
        ));
    }
}

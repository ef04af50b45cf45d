//! What becomes of every kind of row.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::*;
use crate::database::{JournalRequest, RequestState};
use crate::import::directory::Directory;
use crate::keystone::{Project, User, UserOptions};
use crate::registration::{
    Account, Body, DecidedLimit, Outcome, ParsedRow, ProjectChoice, QuotaService, Request, Stage,
    UsernameRule,
};

fn user(name: &str, marker: Option<&str>) -> User {
    User {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        email: Some(name.to_owned()),
        description: None,
        enabled: true,
        default_project_id: None,
        marker: marker.map(str::to_owned),
        options: UserOptions::default(),
    }
}

fn project(name: &str, marker: Option<&str>) -> Project {
    Project {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        description: String::new(),
        enabled: true,
        marker: marker.map(str::to_owned),
    }
}

fn create(name: &str, members: &[&str]) -> ProjectChoice {
    let members = members.iter().map(|member| (*member).to_owned()).collect();
    ProjectChoice::Create { name: name.to_owned(), description: "what for".to_owned(), members }
}

fn join(name: &str) -> ProjectChoice {
    ProjectChoice::Join { name: name.to_owned(), contact_name: String::new(), contact_email: String::new() }
}

fn request(number: RowNumber, email: &str, account: Account, project: ProjectChoice) -> ParsedRow {
    let access = AccessRequest {
        email: email.to_owned(),
        first_name: "New".to_owned(),
        last_name: "Example".to_owned(),
        account,
        organisation: String::new(),
        position: String::new(),
        phone: String::new(),
        sponsor: String::new(),
        pin: (account == Account::New).then(|| SecretString::from("2468")),
        comment: String::new(),
        project,
    };
    let body = Body::Access(Box::new(access));
    let request = Request { key: format!("key-{number}"), stage: Stage::Ready, body };
    ParsedRow { number, outcome: Outcome::Request(request), warnings: Vec::new() }
}

fn journal(key: &str, state: RequestState, first_run: i64, finished: &[(&str, &str)]) -> JournalRequest {
    JournalRequest {
        id: 1,
        key: key.to_owned(),
        marker: format!("marker-{key}"),
        state,
        first_run,
        run: first_run,
        steps: finished.iter().map(|(step, id)| ((*step).to_owned(), Some((*id).to_owned()))).collect(),
    }
}

fn plan(rows: &[ParsedRow], directory: &Directory, known: Vec<JournalRequest>) -> Plan {
    plan_by(UsernameRule::Email, rows, directory, known)
}

fn plan_by(
    rule: UsernameRule,
    rows: &[ParsedRow],
    directory: &Directory,
    known: Vec<JournalRequest>,
) -> Plan {
    let journal = known.into_iter().map(|request| (request.key.clone(), request)).collect();
    let limit = |service, key: &str, limit| DecidedLimit {
        service,
        key: key.to_owned(),
        limit,
        reason: "default".to_owned(),
    };
    let limits =
        vec![limit(QuotaService::Compute, "cores", 8), limit(QuotaService::Network, "floatingip", 2)];
    let quotas = BTreeMap::from([("atoms".to_owned(), Ok(limits))]);
    build(Facts {
        rows,
        journal: &journal,
        directory,
        quotas: &quotas,
        rule,
        closed_project: Some("admin".to_owned()),
        notices: Vec::new(),
    })
}

fn work(row: &PlannedRow) -> &Work {
    match &row.fate {
        Fate::Apply(work) => work,
        other => panic!("row {} is not to be applied: {other:?}", row.row),
    }
}

fn steps(row: &PlannedRow) -> Vec<String> {
    let kind = |step: String| match Action::binds_row(&step) {
        true => step.split(':').next().unwrap().to_owned(),
        false => step,
    };
    work(row).actions.iter().map(|action| kind(action.step())).collect()
}

fn conflict(row: &PlannedRow) -> &str {
    match &row.fate {
        Fate::Conflict { reason } => reason,
        other => panic!("row {} is no conflict: {other:?}", row.row),
    }
}

#[test]
fn a_new_user_with_a_new_project_gets_every_step() {
    let rows = [request(
        2,
        "user@example.org",
        Account::New,
        create("Atoms", &["MEMBER@example.org", "other@example.org"]),
    )];
    let directory = Directory::of(vec![user("member@example.org", None)], vec![], &[]);
    let plan = plan(&rows, &directory, vec![]);
    assert_eq!(
        steps(&plan.rows[0]),
        [
            "create-project",
            "set-quotas:compute",
            "set-quotas:network",
            "create-user",
            "grant",
            "grant-member:id-of-member@example.org",
            "announce"
        ]
    );
    assert_eq!(plan.rows[0].warnings.len(), 1, "one of the two is missing: {:?}", plan.rows[0].warnings);
    let Action::Announce { mails, link, .. } = work(&plan.rows[0]).actions.last().unwrap() else { panic!() };
    assert_eq!(mails, &[Announcement::NewProject, Announcement::Welcome, Announcement::Password]);
    assert_eq!(*link, Link::New);
}

#[test]
fn a_requester_with_an_account_only_gets_the_role() {
    let rows = [request(2, "Member@Example.org", Account::Existing, join("ATOMS"))];
    let directory = Directory::of(vec![user("member@example.org", None)], vec![project("Atoms", None)], &[]);
    let plan = plan(&rows, &directory, vec![]);
    assert_eq!(steps(&plan.rows[0]), ["grant", "announce"]);
    let Action::Announce { mails, link, .. } = &work(&plan.rows[0]).actions[1] else { panic!() };
    assert!(mails.is_empty());
    assert_eq!(*link, Link::None);
}

#[test]
fn the_first_row_that_names_a_new_project_creates_it_and_the_others_join_whatever_their_case() {
    let rows = [
        request(2, "user@example.org", Account::New, create("Atoms", &[])),
        request(3, "member@example.org", Account::New, create("ATOMS", &[])),
        request(4, "other@example.org", Account::New, join("atoms")),
    ];
    let plan = plan(&rows, &Directory::default(), vec![]);
    assert_eq!(work(&plan.rows[0]).project, Target::Made);
    for row in &plan.rows[1..] {
        assert_eq!(work(row).project, Target::MadeBy(2));
        assert_eq!(work(row).after, [2]);
        assert_eq!(steps(row), ["create-user", "grant", "announce"]);
    }
}

#[test]
fn what_exists_or_is_missing_is_a_conflict_with_a_remedy() {
    let rows = [
        request(2, "member@example.org", Account::New, join("Atoms")),
        request(3, "user@example.org", Account::New, create("ATOMS", &[])),
        request(4, "other@example.org", Account::New, join("Nowhere")),
        request(5, "other@example.org", Account::Existing, join("Atoms")),
    ];
    let directory = Directory::of(vec![user("member@example.org", None)], vec![project("Atoms", None)], &[]);
    let plan = plan(&rows, &directory, vec![]);
    assert!(conflict(&plan.rows[0]).contains("exists already"), "{}", conflict(&plan.rows[0]));
    assert!(conflict(&plan.rows[1]).contains("exists already"), "{}", conflict(&plan.rows[1]));
    assert!(conflict(&plan.rows[2]).contains("there is no project Nowhere"), "{}", conflict(&plan.rows[2]));
    // Row 4 would have created the user.
    assert!(conflict(&plan.rows[3]).contains("waits for row 4"), "{}", conflict(&plan.rows[3]));
}

#[test]
fn what_could_not_be_finished_is_not_begun() {
    let mut short_pin = request(2, "user@example.org", Account::New, join("Atoms"));
    let mut two_dots = request(3, "a..b@example.org", Account::New, join("Atoms"));
    for (row, pin) in [(&mut short_pin, "12"), (&mut two_dots, "2468")] {
        let Outcome::Request(Request { body: Body::Access(access), .. }) = &mut row.outcome else { panic!() };
        access.pin = Some(SecretString::from(pin));
    }
    let rows = [short_pin, two_dots, request(4, "other@example.org", Account::New, join("Admin"))];
    let directory = Directory::of(vec![], vec![project("Atoms", None), project("admin", None)], &[]);
    let plan = plan(&rows, &directory, vec![]);
    for (row, part) in
        plan.rows.iter().zip(["PIN is 4 to 12 digits", "not one e-mail address", "administrators'"])
    {
        assert!(conflict(row).contains(part), "{}", conflict(row));
    }
}

/// The first attempt to create the project failed, and then another row created it.
#[test]
fn a_creation_that_never_took_effect_binds_the_row_to_nothing() {
    let rows = [
        request(2, "user@example.org", Account::New, create("Atoms", &[])),
        request(3, "member@example.org", Account::New, create("Atoms", &[])),
    ];
    let directory =
        Directory::of(vec![], vec![project("Atoms", Some("marker-key-3"))], &[("marker-key-3", 7)]);
    let mut begun = journal("key-2", RequestState::Open, 7, &[]);
    begun.steps.insert("create-project:atoms".to_owned(), None);
    let finished = journal("key-3", RequestState::Done, 7, &[("create-project:atoms", "id-of-Atoms")]);
    let plan = plan(&rows, &directory, vec![begun, finished]);
    assert_eq!(work(&plan.rows[0]).project, Target::Known("id-of-Atoms".to_owned()));
    assert_eq!(steps(&plan.rows[0]), ["create-user", "grant", "announce"]);
}

#[test]
fn where_names_are_parts_of_addresses_an_account_is_only_its_owners() {
    let rows = [
        request(2, "user@example.org", Account::Existing, join("Atoms")),
        request(3, "user@elsewhere.example", Account::Existing, join("Atoms")),
    ];
    let owner = User { email: Some("User@example.org".to_owned()), ..user("user", None) };
    let directory = Directory::of(vec![owner], vec![project("Atoms", None)], &[]);
    let plan = plan_by(UsernameRule::LocalPart, &rows, &directory, vec![]);
    assert_eq!(steps(&plan.rows[0]), ["grant", "announce"]);
    assert!(conflict(&plan.rows[1]).contains("another e-mail address"), "{}", conflict(&plan.rows[1]));
}

#[test]
fn the_members_of_a_project_that_cannot_be_created_are_reported_with_its_reason() {
    let rows = [
        request(2, "member@example.org", Account::New, create("Atoms", &[])),
        request(3, "user@example.org", Account::New, join("Atoms")),
    ];
    let directory = Directory::of(vec![user("member@example.org", None)], vec![], &[]);
    let plan = plan(&rows, &directory, vec![]);
    assert!(conflict(&plan.rows[1]).contains("row 2"), "{}", conflict(&plan.rows[1]));
    assert!(conflict(&plan.rows[1]).contains("member@example.org exists already"));
}

#[test]
fn twins_are_processed_once() {
    let mut twin = request(3, "user@example.org", Account::New, join("Atoms"));
    if let Outcome::Request(request) = &mut twin.outcome {
        request.key = "key-2".to_owned();
    }
    let rows = [request(2, "user@example.org", Account::New, join("Atoms")), twin];
    let directory = Directory::of(vec![], vec![project("Atoms", None)], &[]);
    let plan = plan(&rows, &directory, vec![]);
    assert_eq!(steps(&plan.rows[0]), ["create-user", "grant", "announce"]);
    assert!(conflict(&plan.rows[1]).contains("same submission as row 2"));
}

#[test]
fn an_interrupted_request_goes_on_where_it_stopped() {
    let rows = [request(2, "user@example.org", Account::New, create("Atoms", &[]))];
    let marker = Some("marker-key-2");
    let directory =
        Directory::of(vec![user("user@example.org", marker)], vec![project("Atoms", marker)], &[]);
    let known = journal(
        "key-2",
        RequestState::Open,
        1,
        &[("create-project:atoms", "p1"), ("set-quotas:compute", ""), ("set-quotas:network", "")],
    );
    let plan = plan(&rows, &directory, vec![known]);
    // The user exists with this request's marker, but its step is not finished: it is taken again.
    assert_eq!(steps(&plan.rows[0]), ["create-user", "grant", "announce"]);
}

#[test]
fn a_request_that_was_to_join_a_project_of_its_batch_still_joins_it_after_a_crash() {
    let rows = [request(3, "member@example.org", Account::New, create("Atoms", &[]))];
    let directory =
        Directory::of(vec![], vec![project("Atoms", Some("marker-of-row-2"))], &[("marker-of-row-2", 7)]);
    let same_batch = journal("key-3", RequestState::Open, 7, &[]);
    let resumed = plan(&rows, &directory, vec![same_batch]);
    assert_eq!(steps(&resumed.rows[0]), ["create-user", "grant", "announce"]);
    let later_batch = journal("key-3", RequestState::Open, 8, &[]);
    let refused = plan(&rows, &directory, vec![later_batch]);
    assert!(conflict(&refused.rows[0]).contains("exists already"));
}

#[test]
fn a_finished_request_only_moves_and_a_copy_of_a_moved_one_is_reported() {
    let rows = [
        request(2, "user@example.org", Account::New, join("Atoms")),
        request(3, "member@example.org", Account::New, join("Atoms")),
    ];
    let directory = Directory::of(
        vec![
            user("user@example.org", Some("marker-key-2")),
            user("member@example.org", Some("marker-key-3")),
        ],
        vec![project("Atoms", None)],
        &[],
    );
    let known =
        vec![journal("key-2", RequestState::Done, 1, &[]), journal("key-3", RequestState::Moved, 1, &[])];
    let plan = plan(&rows, &directory, known);
    assert!(matches!(plan.rows[0].fate, Fate::Move { .. }));
    assert!(conflict(&plan.rows[1]).contains("finished by run 1"));
}

#[test]
fn a_plan_shows_no_pin() {
    let rows = [request(2, "user@example.org", Account::New, create("Atoms", &[]))];
    let plan = plan(&rows, &Directory::default(), vec![]);
    let json = serde_json::to_string(&plan).unwrap();
    assert!(json.contains("create-user") && !json.contains("2468"), "{json}");
    assert!(!format!("{plan:?}").contains("2468"));
}

#[test]
fn the_local_part_of_an_address_can_be_the_user_name() {
    let rows = [request(2, "User@example.org", Account::New, join("Atoms"))];
    let directory = Directory::of(vec![], vec![project("Atoms", None)], &[]);
    let plan = plan_by(UsernameRule::LocalPart, &rows, &directory, vec![]);
    let Action::CreateUser { name, email, .. } = &work(&plan.rows[0]).actions[0] else { panic!() };
    assert_eq!((name.as_str(), email.as_str()), ("User", "User@example.org"));
    let Action::Announce { to, .. } = work(&plan.rows[0]).actions.last().unwrap() else { panic!() };
    assert_eq!(to, "User@example.org");
}

#[test]
fn a_row_that_was_edited_after_its_request_was_begun_is_a_conflict() {
    let begun = || {
        vec![journal(
            "key-2",
            RequestState::Open,
            1,
            &[("create-project:atoms", "p1"), ("create-user:new@example.org", "u1")],
        )]
    };
    let marker = Some("marker-key-2");
    let directory = Directory::of(
        vec![user("new@example.org", marker)],
        vec![project("Atoms", marker), project("Other", None)],
        &[],
    );
    for edited in [create("Renamed", &[]), join("Other")] {
        let rows = [
            request(2, "new@example.org", Account::New, edited),
            request(3, "second@example.org", Account::New, join("Renamed")),
        ];
        let plan = plan(&rows, &directory, begun());
        assert!(conflict(&plan.rows[0]).contains("create-project:atoms"), "{}", conflict(&plan.rows[0]));
        conflict(&plan.rows[1]);
    }
    let as_it_was = [request(2, "new@example.org", Account::New, create("ATOMS", &[]))];
    assert_eq!(steps(&plan(&as_it_was, &directory, begun()).rows[0])[0], "set-quotas:compute");
}

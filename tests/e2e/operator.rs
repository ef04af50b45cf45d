//! What operators see: the closing table, the components, and the ways to give a PIN.

use usher_tests::sheet::AccessRow;
use usher_tests::{identity, sheet, web, workspace};

use crate::newcomer;
use crate::stage::{Stage, expect_status, expect_words, on_a_terminal};

#[test]
fn an_import_of_one_user_leaves_the_other_rows_alone() {
    let stage = Stage::new();
    let (first, second) = ("first@one.operator.example.org", "second@one.operator.example.org");
    let site = stage
        .site(&[AccessRow::founding(first, "Operator One"), AccessRow::founding(second, "Operator Two")]);
    let run = site.import(&["--user", "Second@one.operator.example.org"]).unwrap();
    expect_status(&run, 0);
    assert!(!run.stdout.contains(first), "{}", run.said());
    let left = site.requests().unwrap();
    assert_eq!(left.len(), 2);
    assert_eq!(left[1][4], first);
    assert_eq!(stage.mail.received().unwrap().len(), 3);
    assert!(newcomer::links(&stage.mail, first).is_empty());
}

#[test]
fn the_closing_table_names_each_row_with_its_number_and_reason() {
    let stage = Stage::new();
    let mut without_pin = AccessRow::founding("pinless@table.operator.example.org", "Operator Table");
    without_pin.set(12, "");
    let good = AccessRow::founding("good@table.operator.example.org", "Operator Good");
    let missing = AccessRow::joining("joiner@table.operator.example.org", "Operator Missing");
    let site = stage.site(&[without_pin, good, missing]);
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    let row = |number: &str| {
        let mut lines = run.stdout.lines().filter(|line| line.contains(&format!("│ {number} ")));
        lines.next().unwrap_or_else(|| panic!("no row {number}: {}", run.said())).to_owned()
    };
    assert!(row("2").contains("pinless@table") && row("2").contains("rejected"), "{}", run.said());
    assert!(row("3").contains("good@table") && row("3").contains("done"), "{}", run.said());
    assert!(row("4").contains("joiner@table") && row("4").contains("conflict"), "{}", run.said());
    expect_words(&run, &["PIN", "Run 1: 1 done, 1 conflict, 1 rejected, 1 row moved, 3 mails sent."]);
}

/// Where an earlier run left something behind for a row that was then denied, the operator hears of it.
#[test]
fn a_begun_request_that_is_denied_is_not_forgotten() {
    let stage = Stage::new();
    let mut row = AccessRow::founding("denied@begun.operator.example.org", "Operator Begun");
    let site = stage.site(&[row.clone()]);
    // Nova takes no such number, so the request ends after its project was made.
    site.change_settings("instances = 7", "instances = 9000000000").unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_status(&run, 1);
    expect_words(&run, &["Nova refuses"]);
    row.set(0, "denied");
    sheet::write_access(&site.access(), &[row]).unwrap();
    let run = site.import(&["--all"]).unwrap();
    expect_words(&run, &["began the request", "approve it again", "usher_request"]);
}

#[test]
fn the_components_are_listed_checked_and_tried() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let list = site.usher(&["plugin", "list"]).unwrap();
    expect_status(&list, 0);
    expect_words(&list, &["row_parser", "quota_policy", "mail_templates", "moc-rows.wasm"]);
    let has_digest = list.stdout.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 64);
    assert!(has_digest, "{}", list.said());

    let component = |name| workspace::component(name).unwrap().display().to_string();
    let check = site.usher(&["plugin", "check", &component("moc-rows")]).unwrap();
    expect_status(&check, 0);
    expect_words(&check, &["row-parser", "usher:plugin/settings"]);
    let check = site.usher(&["plugin", "check", &component("busy-job")]).unwrap();
    expect_status(&check, 0);
    expect_words(&check, &["job", "grants = [", "keystone-admin", "sheet", "token"]);
    let no_component = site.settings().display().to_string();
    let check = site.usher(&["plugin", "check", &no_component]).unwrap();
    assert_ne!(check.status, Some(0), "{}", check.said());
    expect_words(&check, &[&no_component]);

    let rows = workspace::fixture("access").join(format!("{}.csv", sheet::REQUESTS)).display().to_string();
    let run = site.usher(&["plugin", "run", &component("moc-rows"), "--rows", &rows]).unwrap();
    expect_status(&run, 0);
    expect_words(&run, &["founder@example.org", "rejected", "same submission as row 26"]);
}

#[test]
fn a_pin_typed_on_a_terminal_is_not_shown() {
    let stage = Stage::new();
    let user = "typist@reset.operator.example.org";
    stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = stage.site(&[]);
    let shown =
        on_a_terminal(&site, &["password", "reset", user], &["PIN: ", "7359", "PIN once more: ", "7350"]);
    assert!(shown.contains("the two PINs are not the same") && !shown.contains("735"), "{shown}");
    let shown =
        on_a_terminal(&site, &["password", "reset", user], &["PIN: ", "7359", "PIN once more: ", "7359"]);
    assert!(shown.contains("a link was mailed") && !shown.contains("7359"), "{shown}");
    let link = newcomer::links(&stage.mail, user).remove(0);
    let serving = site.serve().unwrap();
    assert_eq!(newcomer::choose(&serving, &link, "7359", "the next password").status, 200);
}

/// Somebody who forgot the password asks on setpass's own page, with a PIN of their choice; the helpdesk gets
/// the case's number, and makes a link for that PIN without ever seeing it.
#[test]
fn a_case_becomes_a_link_for_the_pin_that_the_user_chose() {
    let stage = Stage::new();
    let user = "case@reset.operator.example.org";
    stage.cloud.identity().unwrap().create_user(user, "the old password").unwrap();
    let site = stage.site(&[]);
    let serving = site.serve().unwrap();
    let form = [("name", "Test Person"), ("email", user), ("pin", "830274")];
    let answer = web::request("POST", &format!("{}/reset", serving.url())).form(&form).send().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let ticket = stage.mail.wait_for(1).unwrap().remove(0);
    assert_eq!(ticket.to, ["helpdesk@example.org"]);
    let text = format!("{} {}", ticket.subject, ticket.text.unwrap());
    assert!(!text.contains("830274"), "{text}");
    let run = site.usher(&["password", "reset", user, "--case", "1"]).unwrap();
    expect_status(&run, 0);
    let again = site.usher(&["password", "reset", user, "--case", "1"]).unwrap();
    expect_status(&again, 2);
    expect_words(&again, &["no open reset case 1"]);
    let link = newcomer::links(&stage.mail, user).remove(0);
    assert_eq!(newcomer::choose(&serving, &link, "111222", "the next password").status, 403);
    assert_eq!(newcomer::choose(&serving, &link, "830274", "the next password").status, 200);
    let keystone = stage.cloud.keystone_url().unwrap();
    assert_eq!(identity::authenticate(&keystone, user, "the next password", None).unwrap().status, 201);
}

//! Another layout, read by a component in Python: one changed line of the settings, and no build of the host.

use std::fs;

use usher_tests::{process, sheet, workspace};

use crate::stage::{Stage, entries, expect_status, text};

const HEADER: [&str; 13] = [
    "Status",
    "Notified",
    "Reminded",
    "Comment",
    "E-mail",
    "Submitted",
    "Last name",
    "First name",
    "Project",
    "New project",
    "Description",
    "New account",
    "PIN",
];

fn row(cells: [&str; 13]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[test]
fn swapping_the_parser_is_one_changed_line() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let (first, second) = ("first@python.example.org", "second@python.example.org");
    let (notified, description) = ("2018-03-15T09:00:00", "A project of the tests");
    let ready = |email, submitted, names: [&'static str; 2], new_project| {
        let [given, family] = names;
        let project = "Python Project";
        row([
            "approved",
            notified,
            "",
            "",
            email,
            submitted,
            family,
            given,
            project,
            new_project,
            description,
            "yes",
            "4821",
        ])
    };
    let mut broken = ready("third@python.example.org", "2018-03-14T17:00:00", ["No", "Pin"], "no");
    broken[12] = "none".to_owned();
    let rows = [
        row(HEADER),
        ready(first, "2018-03-14T15:48:48", ["First", "Person"], "yes"),
        ready(second, "2018-03-14T16:02:10", ["Second", "Person"], "no"),
        broken,
    ];
    sheet::write(&site.access().join("Sign-ups.csv"), &rows).unwrap();
    sheet::write(&site.access().join("Members.csv"), &[row(HEADER)]).unwrap();

    let before = fs::read_to_string(site.settings()).unwrap();
    let program = fs::read(workspace::usher().unwrap()).unwrap();
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    assert!(stage.mail.received().unwrap().is_empty(), "the bundled parser reads other worksheets");

    let old = before.lines().find(|line| line.contains("moc-rows.wasm")).unwrap();
    let python = workspace::component("python-rows").unwrap();
    site.change_settings(old, &format!("component = \"{}\"", python.display())).unwrap();
    let after = fs::read_to_string(site.settings()).unwrap();
    let changed = before.lines().zip(after.lines()).filter(|(before, after)| before != after).count();
    assert_eq!((changed, before.lines().count()), (1, after.lines().count()));

    let run = site.import(&["--all", "--json"]).unwrap();
    expect_status(&run, 1);
    let report = run.json().unwrap();
    let outcomes: Vec<_> = entries(&report["rows"]).iter().map(|row| text(row, "outcome")).collect();
    assert_eq!(outcomes, ["done", "done", "rejected"], "{report}");

    let left = sheet::read(&site.access().join("Sign-ups.csv")).unwrap();
    assert_eq!(left, [rows[0].clone(), rows[3].clone()]);
    assert_eq!(sheet::read(&site.access().join("Members.csv")).unwrap(), rows[..3]);
    let user = stage.cloud.openstack(&["user", "show", first]).unwrap();
    assert_eq!(text(&user, "description"), "First Person");
    assert_eq!(text(&user, "email"), first);
    let assignments = stage
        .cloud
        .openstack(&["role", "assignment", "list", "--names", "--project", "Python Project"])
        .unwrap();
    let users: Vec<_> = entries(&assignments).iter().map(|entry| text(entry, "User")).collect();
    assert_eq!(users.len(), 2, "{users:?}");
    assert_eq!(stage.mail.received().unwrap().len(), 3 + 2);
    assert_eq!(fs::read(workspace::usher().unwrap()).unwrap(), program, "the host was built meanwhile");
}

/// The same through `usher plugin run`, which touches nothing.
#[test]
fn a_parser_can_be_tried_on_an_exported_sheet() {
    let stage = Stage::new();
    let site = stage.site(&[]);
    let rows = workspace::fixture("access").join(format!("{}.csv", sheet::REQUESTS));
    let component = workspace::component("moc-rows").unwrap();
    let mut command = site.command(&["plugin", "run"]);
    let output = process::output(command.arg(component).arg("--rows").arg(rows).arg("--json")).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("founder@example.org") && said.contains("rejected"), "{said}");
    assert!(!said.contains("4821"), "a PIN was printed");
}

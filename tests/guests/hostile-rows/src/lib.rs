//! A row parser that misbehaves as its setting `mode` says. Without one it is a good one.
//!
//! With the setting `only`, it misbehaves only when a row's first cell is that text.

use std::sync::atomic::{AtomicU32, Ordering};

use usher_plugin::log;
use usher_plugin::row_parser::{self, RowParser};
use usher_plugin::settings::Settings;
use usher_plugin::types::{
    AccessRequest, Account, ExistingProject, Layout, LocalTime, Outcome, Parsed, ParsedRow, ProjectChoice,
    Request, RequestBody, Row, SheetKind, SheetLayout, Stage, Waiting,
};

/// Would count the calls, if they shared anything.
static CALLS: AtomicU32 = AtomicU32::new(0);

struct HostileRows;

impl RowParser for HostileRows {
    fn describe() -> Layout {
        let mode = mode();
        let done = if mode == "same-worksheet" { "Requests" } else { "Done" };
        let access = SheetLayout {
            requests: "Requests".to_owned(),
            done: done.to_owned(),
            notified_column: 1,
            reminded_column: 2,
            pin_column: None,
        };
        Layout { access, quota: None }
    }

    fn parse_rows(_kind: SheetKind, rows: Vec<Row>) -> Parsed {
        let settings = Settings::load();
        let only = settings.text("only").ok().flatten();
        let below_header = rows.iter().skip(1);
        let triggered = only.is_none_or(|text| {
            below_header.clone().any(|row| row.cells.first().is_some_and(|cell| cell == text))
        });
        let mode = if triggered { mode() } else { String::new() };
        let calls = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
        match mode.as_str() {
            "loop" => endless_loop(),
            "memory" => drop(all_memory()),
            "trap" => panic!("a guest that gives up, with a secret: {:?}", rows.last()),
            "recursion" => drop(descend(calls)),
            "host-calls" => (0..u32::MAX).for_each(|_| drop(Settings::load())),
            "log" => (0..5_000).for_each(|number| log::info(&format!("line {number}"))),
            "long-line" => log::info(&"x".repeat(64 * 1024 * 1024)),
            "unreadable" => return Parsed::Unreadable("the column E-mail is missing".to_owned()),
            _ => {}
        }
        let mut parsed: Vec<_> = below_header
            .filter(|row| row.cells.iter().any(|cell| !cell.trim().is_empty()))
            .map(|row| read(row, &mode))
            .collect();
        match mode.as_str() {
            "left-out" => drop(parsed.pop()),
            "twice" => parsed.extend(rows.last().map(|row| read(row, &mode))),
            _ => {}
        }
        if let Some(first) = parsed.first_mut() {
            first.warnings.push(format!("call {calls}"));
        }
        Parsed::Rows(parsed)
    }
}

fn mode() -> String {
    Settings::load().text("mode").ok().flatten().unwrap_or_default().to_owned()
}

fn read(row: &Row, mode: &str) -> ParsedRow {
    let cell = |index: usize| row.cells.get(index).cloned().unwrap_or_default();
    let since = (mode == "bad-date").then_some(LocalTime {
        year: 2026,
        month: 13,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
    });
    let request = AccessRequest {
        email: cell(0),
        first_name: "New".to_owned(),
        last_name: "Example".to_owned(),
        account: Account::New,
        organisation: String::new(),
        position: String::new(),
        phone: String::new(),
        sponsor: String::new(),
        pin: Some("1793".to_owned()),
        comment: if mode == "answer" { "x".repeat(1024 * 1024) } else { String::new() },
        project: ProjectChoice::Join(ExistingProject {
            name: "shared".to_owned(),
            contact_name: String::new(),
            contact_email: String::new(),
        }),
    };
    let key = if mode == "no-key" { String::new() } else { format!("key of {}", cell(0)) };
    ParsedRow {
        number: row.number,
        outcome: Outcome::Request(Request {
            key,
            stage: Stage::Waiting(Waiting { since, reminded: None }),
            body: RequestBody::Access(request),
        }),
        warnings: Vec::new(),
    }
}

fn endless_loop() {
    while std::hint::black_box(true) {}
}

fn all_memory() -> Vec<Vec<u8>> {
    let mut taken = Vec::new();
    loop {
        taken.push(std::hint::black_box(vec![1; 1024 * 1024]));
    }
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn descend(depth: u32) -> [u32; 64] {
    let mut below = descend(std::hint::black_box(depth) + 1);
    below[0] = std::hint::black_box(below[1]) + depth;
    below
}

row_parser::export!(HostileRows);

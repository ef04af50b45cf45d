//! Which faults there are, and what has to come of each.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use usher_tests::fault_proxy::{self, Call, Trouble};
use usher_tests::mail_server::{self, Received};
use usher_tests::site::Run;

/// The call of Google's API that changes a spreadsheet.
const CHANGE: &str = "sheets.spreadsheets.batchUpdate";

/// One fault.
pub struct Case {
    pub name: String,
    pub what: What,
    pub expected: Expected,
}

pub enum What {
    /// A call to Keystone, Nova, Neutron or Cinder.
    Cloud(fault_proxy::Fault),
    /// A call to Google, as the emulator takes faults.
    Sheet(Value),
    /// A step of the conversation with the mail server, and the how manieth.
    Mail(mail_server::Fault, usize),
    /// Nobody listens where the mail server should be.
    NoMailServer,
}

/// What the import in which the fault happens has to come to.
pub enum Expected {
    /// It finishes everything, and the exit status is 0.
    MadeGood,
    /// It does not, with this exit status and these words.
    Told(i32, &'static str),
}

impl Expected {
    pub fn what_is_wrong(&self, run: &Run) -> Option<String> {
        let right = match self {
            Self::MadeGood => run.status == Some(0),
            Self::Told(status, words) => {
                run.status == Some(*status) && (run.stdout.contains(words) || run.stderr.contains(words))
            }
        };
        (!right).then(|| match self {
            Self::MadeGood => format!("was not made good: {}", run.said()),
            Self::Told(status, words) => {
                format!("status {status} and {words:?} were to come: {}", run.said())
            }
        })
    }
}

impl Case {
    /// Whether a mail is put off, so that the next import has to wait until it is due.
    pub fn puts_mail_off(&self) -> bool {
        matches!(self.what, What::Mail(..) | What::NoMailServer)
    }

    /// How many mails may come twice, with the same Message-ID: the one that the server took before the
    /// connection ended, of which nobody can know.
    pub fn doubled_mails(&self) -> usize {
        usize::from(matches!(self.what, What::Mail(mail_server::Fault::Taken, _)))
    }
}

/// All faults of an import that made these calls and sent these mails.
pub fn all(cloud: &[Call], sheet: &[String], mails: &[Received]) -> Vec<Case> {
    let mut cases = sheet_cases(sheet);
    cases.extend(mail_cases(mails));
    cases.extend(cloud_cases(cloud));
    cases
}

fn cloud_cases(calls: &[Call]) -> Vec<Case> {
    let mut cases = Vec::new();
    for call in calls {
        let reads = call.kind.starts_with("GET ");
        // Reads of one kind are alike.
        if reads && call.nth > 1 {
            continue;
        }
        let mut case = |always, trouble, expected| {
            let fault = fault_proxy::Fault { kind: call.kind.clone(), nth: call.nth, always, trouble };
            let when = if always { "and all after it" } else { "once" };
            cases.push(Case {
                name: format!("{call} {when}, {trouble:?}"),
                what: What::Cloud(fault),
                expected,
            });
        };
        for trouble in [
            Trouble::Unavailable,
            Trouble::TooMany,
            Trouble::CutBefore,
            Trouble::CutAfter,
            Trouble::SilentAfter,
        ] {
            if !(reads && trouble == Trouble::CutAfter) {
                case(false, trouble, Expected::MadeGood);
            }
        }
        if call.nth == 1 {
            // What is asked before anything is done keeps the whole import from being made.
            let before = reads || call.kind.ends_with("/auth/tokens");
            case(true, Trouble::Unavailable, Expected::Told(if before { 3 } else { 1 }, "503"));
        }
    }
    cases
}

fn sheet_cases(methods: &[String]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for method in methods {
        let nth = 1 + seen.iter().filter(|before| *before == method).count();
        let mut case = |kind: &str, more: Value, expected| {
            let mut fault = json!({ "method": method, "nth": nth, "kind": kind });
            if let (Value::Object(fault), Value::Object(more)) = (&mut fault, more.clone()) {
                fault.extend(more);
            }
            let name = format!("{method} #{nth}, {kind} {more}");
            cases.push(Case { name, what: What::Sheet(fault), expected });
        };
        // A change whose answer is lost is not asked for again, as nobody can know whether it was made.
        let lost = || match method == CHANGE {
            true => Expected::Told(1, "not known whether Google has changed the spreadsheet"),
            false => Expected::MadeGood,
        };
        case("status", json!({ "status": 503 }), lost());
        case("cut-before", json!({}), lost());
        case("hang-after", json!({ "delay_ms": 4000 }), lost());
        if method == CHANGE {
            case("cut-after", json!({}), lost());
        }
        if method != "token" {
            case("status", json!({ "status": 429, "retry_after": 1 }), Expected::MadeGood);
            // Google asks for more patience than an import has.
            let always = json!({ "status": 429, "retry_after": 600, "times": 100 });
            let first_read = method.ends_with("values.get") && nth == 1;
            case("status", always, Expected::Told(if first_read { 3 } else { 1 }, "that the test wanted"));
        } else {
            let always = json!({ "status": 503, "times": 100 });
            case("status", always, Expected::Told(3, "token service does not answer"));
        }
        seen.push(method);
    }
    cases
}

fn mail_cases(mails: &[Received]) -> Vec<Case> {
    use mail_server::Fault::{Data, Greeting, Mail, Rcpt, Taken};
    let case = |fault, nth, expected| Case {
        name: format!("mail {nth}, {fault:?}"),
        what: What::Mail(fault, nth),
        expected,
    };
    let mut cases = vec![
        case(Greeting, 1, Expected::Told(3, "broke at the greeting")),
        Case {
            name: "no mail server".to_owned(),
            what: What::NoMailServer,
            expected: Expected::Told(3, "cannot connect to the mail server"),
        },
    ];
    // Mails of one kind are alike.
    let mut subjects = BTreeSet::new();
    for (nth, _) in (1..).zip(mails).filter(|(_, mail)| subjects.insert(&mail.subject)) {
        for fault in [Mail, Rcpt, Data] {
            cases.push(case(fault, nth, Expected::Told(1, "451")));
        }
        cases.push(case(Taken, nth, Expected::Told(3, "broke at the mail itself")));
    }
    cases
}

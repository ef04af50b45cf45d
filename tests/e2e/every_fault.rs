//! An import of which every call to the outside goes wrong, each in turn and in every way: it is made good at once
//! or told, and after the next import the end is the same as if nothing had happened.

mod cases;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use usher_tests::fault_proxy::{self, FaultProxy};
use usher_tests::google_sheets::GoogleSheets;
use usher_tests::mail_server;
use usher_tests::process;
use usher_tests::site::Run;

use self::cases::{Case, Expected, What};
use crate::scene::{Scene, Stagehand, difference, in_parallel};
use crate::stage::{announce, expect_status};

const TEST: &str = "faults";

/// How long a mail that failed waits at most before it is sent again.
const PUT_OFF: Duration = Duration::from_secs(38);

/// How long a call may take where the service is to stay silent.
const SHORT: &str = "timeout = \"2s\"";

/// What a worker has besides mail server and cloud.
struct Hand {
    hand: Stagehand,
    proxy: FaultProxy,
    google: Arc<GoogleSheets>,
    // Dropped after the emulator that writes into it.
    _folder: tempfile::TempDir,
}

/// A scene whose first import is over.
struct Begun<'a> {
    case: &'a Case,
    scene: Scene,
    ended: Instant,
    faults: Vec<String>,
}

#[test]
fn every_fault_is_made_good_at_once_or_told_and_made_good_by_the_next_import() {
    let hand = Hand::new();
    hand.hand.create_member(TEST);
    let scene = hand.scene("undisturbed");
    expect_status(&scene.import(), 0);
    let (cloud, sheet) = (hand.proxy.calls(), hand.google.calls_and_logins().unwrap());
    let wanted = scene.end(&hand.hand);
    let mails = scene.mails(&hand.hand.stage);
    assert_eq!(scene.try_links(&hand.hand.stage), None);
    drop(hand);
    // Each mail takes MAIL, RCPT and DATA, after a connection.
    let calls = cloud.len() + sheet.len() + 3 * mails.len() + 1;
    let cases = cases::all(&cloud, &sheet, &mails);

    let faults = in_parallel(&cases, |cases| {
        let hand = Hand::new();
        // All first imports come before all second ones: mail that was put off is due again by then.
        let begun: Vec<Begun<'_>> = cases.map(|(number, case)| hand.begin(number, case)).collect();
        let faults: Vec<String> = begun.into_iter().flat_map(|begun| hand.finish(begun, &wanted)).collect();
        hand.google.expect_order().unwrap();
        faults
    });
    announce(&format!("{calls} calls, {} faults", cases.len()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

impl Hand {
    fn new() -> Self {
        let hand = Stagehand::new();
        let proxy = FaultProxy::start(&hand.stage.cloud).unwrap();
        let folder = tempfile::Builder::new().prefix("usher-google-").tempdir().unwrap();
        let google = Arc::new(GoogleSheets::start(folder.path()).unwrap());
        Self { hand, proxy, google, _folder: folder }
    }

    /// A scene that nothing happens to yet.
    fn scene(&self, name: &str) -> Scene {
        let scene = Scene::at_google(&self.hand.stage, &self.google, TEST, name);
        scene.site.use_proxy(&self.hand.stage.cloud, &self.proxy).unwrap();
        self.calm();
        scene
    }

    fn calm(&self) {
        self.proxy.calm();
        self.google.calm().unwrap();
    }

    /// Runs the import with the fault.
    fn begin<'a>(&self, number: usize, case: &'a Case) -> Begun<'a> {
        let scene = self.scene(&format!("fault{number}"));
        let (run, happened) = match &case.what {
            What::Cloud(fault) => self.with_cloud_fault(&scene, fault),
            What::Sheet(fault) => self.with_sheet_fault(&scene, fault),
            What::Mail(fault, nth) => self.with_mail_fault(&scene, *fault, *nth),
            What::NoMailServer => self.without_mail_server(&scene),
        };
        self.calm();
        let mut faults: Vec<String> = case.expected.what_is_wrong(&run).into_iter().collect();
        if !happened {
            faults.push("the fault did not happen".to_owned());
        }
        Begun { case, scene, ended: Instant::now(), faults }
    }

    fn with_cloud_fault(&self, scene: &Scene, fault: &fault_proxy::Fault) -> (Run, bool) {
        if fault.trouble == fault_proxy::Trouble::SilentAfter {
            scene
                .site
                .change_settings("timeout = \"20s\"\n\n[sheet]", &format!("{SHORT}\n\n[sheet]"))
                .unwrap();
        }
        self.proxy.fault(fault.clone());
        let run = scene.import();
        let happened = self.proxy.calls().iter().any(|call| call.kind == fault.kind && call.nth == fault.nth);
        (run, happened)
    }

    fn with_sheet_fault(&self, scene: &Scene, fault: &Value) -> (Run, bool) {
        if fault["kind"] == "hang-after" {
            scene.site.change_settings("timeout = \"5s\"", SHORT).unwrap();
        }
        self.google.faults(&Value::Array(vec![fault.clone()])).unwrap();
        let run = scene.import();
        // The emulator writes a call down when it is over, which one without an answer is later than the import.
        let happened = process::wait_for("the fault", Duration::from_secs(10), || {
            Ok((self.google.faulty_calls()? > 0).then_some(()))
        });
        (run, happened.is_ok())
    }

    fn with_mail_fault(&self, scene: &Scene, fault: mail_server::Fault, nth: usize) -> (Run, bool) {
        let mail = &self.hand.stage.mail;
        mail.fault(fault, nth).unwrap();
        (scene.import(), mail.fault_is_over())
    }

    fn without_mail_server(&self, scene: &Scene) -> (Run, bool) {
        // Bound for a moment, so that nobody else listens there.
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (right, wrong) =
            (format!("port = {}\n", self.hand.stage.mail.port()), format!("port = {closed}\n"));
        scene.site.change_settings(&right, &wrong).unwrap();
        let run = scene.import();
        scene.site.change_settings(&wrong, &right).unwrap();
        (run, true)
    }

    /// Runs the import without the fault, and tells what was wrong with both.
    fn finish(&self, begun: Begun<'_>, wanted: &BTreeSet<String>) -> Vec<String> {
        let Begun { case, scene, ended, mut faults } = begun;
        if case.puts_mail_off() {
            thread::sleep((ended + PUT_OFF).saturating_duration_since(Instant::now()));
        }
        let run = scene.import();
        if run.status != Some(0) {
            faults.push(format!("the next import: {}", run.said()));
        } else if matches!(case.expected, Expected::MadeGood)
            && !run.stdout.contains(": no rows, 0 rows moved, 0 mails sent.")
        {
            faults.push(format!("the first import left something to do: {}", run.said()));
        }
        difference(wanted, &scene.end(&self.hand)).into_iter().for_each(|it| faults.push(it));
        let doubled = scene.doubled(&self.hand.stage);
        if doubled != case.doubled_mails() {
            faults.push(format!("{doubled} mails came twice"));
        }
        scene.try_links(&self.hand.stage).into_iter().for_each(|it| faults.push(it));
        faults.into_iter().map(|fault| format!("{}: {fault}", case.name)).collect()
    }
}

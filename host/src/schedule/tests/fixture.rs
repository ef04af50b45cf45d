//! Hosts that share a database, and a clock that tests move.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::database::{Database, OccasionRecord, OccasionState};
use crate::keys::Keys;
use crate::leases::{Leases, RENEWAL};
use crate::mailer::{Mailer, peer};
use crate::outbox::Outbox;
use crate::schedule::pulse::Pulse;
use crate::schedule::seen::Seen;
use crate::schedule::{Call, Failure, Job, Report, Scheduler, Work};
use crate::settings::schedule::{Missed, Schedule};
use crate::stop::Stop;

/// What hosts share.
pub(super) struct Site {
    folder: tempfile::TempDir,
    pub clock: Clock,
    pub zone: TimeZone,
    pub settings: Schedule,
    keys: Keys,
}

impl Site {
    pub(super) fn new(start: &str, zone: &str) -> Self {
        // In memory where that can be had: a simulated month writes thousands of times.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let key_file = folder.path().join("usher.key");
        Keys::create(&key_file, Timestamp::UNIX_EPOCH).unwrap();
        Self {
            keys: Keys::load(&key_file).unwrap(),
            folder,
            clock: Clock::manual(start.parse().unwrap()),
            zone: TimeZone::get(zone).unwrap(),
            settings: Schedule { alert_to: Some("ops@example.org".to_owned()), ..Schedule::default() },
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("usher.sqlite")
    }

    /// A host, with connections of its own to the database.
    pub(super) async fn host<'a>(&self, name: &str, jobs: Vec<Job<'a>>) -> Scheduler<'a> {
        let database = Database::open(&self.file()).await.unwrap();
        let mail = peer::settings(1);
        let mailer = Mailer::new(&mail).unwrap();
        Scheduler {
            pulse: Pulse::new(jobs.len()),
            jobs,
            outbox: Outbox::new(database.clone(), self.keys.clone(), self.clock.clone(), mailer, &mail),
            leases: Leases::new(database.clone(), self.clock.clone()),
            database,
            clock: self.clock.clone(),
            zone: self.zone.clone(),
            settings: self.settings.clone(),
            kept: jiff::SignedDuration::from_hours(24 * 90),
            holder: name.to_owned(),
            host: name.to_owned(),
            server: name.to_owned(),
            attended: false,
            is_gone: |_| false,
            look: Duration::from_secs(3600),
        }
    }
}

impl Scheduler<'_> {
    /// What is recorded of a job, the earliest first.
    pub(super) async fn recorded(&self, job: &str) -> Vec<OccasionRecord> {
        let mut occasions = self.database.occasions(job, u32::MAX).await.unwrap();
        occasions.reverse();
        occasions
    }

    /// The subjects of the mails to the operator.
    pub(super) async fn told(&self) -> Vec<String> {
        let mails = self.outbox.pending().await.unwrap();
        assert!(mails.iter().all(|mail| mail.to == ["ops@example.org"]));
        let what = |origin: &str| origin.rsplit_once(':').unwrap().1.to_owned();
        mails.iter().map(|mail| what(&mail.origin)).collect()
    }
}

/// A job with an hour's deadline.
pub(super) fn job<'a>(name: &str, cron: &str, work: Work<'a>) -> Job<'a> {
    Job {
        name: name.to_owned(),
        cron: Some(cron.parse().unwrap()),
        deadline: Duration::from_secs(3600),
        missed: Missed::RunOnce,
        work,
    }
}

/// Work in an async function.
pub(super) fn work<'a, F: Future<Output = Result<Report, Failure>> + 'a>(
    run: impl Fn(Call) -> F + 'a,
) -> Work<'a> {
    Box::new(move |call| Box::pin(run(call)))
}

pub(super) fn done() -> Result<Report, Failure> {
    Ok(Report { summary: "did it".to_owned(), ..Report::default() })
}

pub(super) fn failed(passing: bool) -> Result<Report, Failure> {
    Err(Failure::new("the service is away".to_owned(), passing))
}

/// Looks at the first job until there is nothing more to do at present.
pub(super) async fn look(host: &Scheduler<'_>) -> Duration {
    let (mut seen, stop) = (Seen::default(), Stop::default());
    loop {
        let wait = host.turn(&host.jobs[0], &mut seen, &stop).await.unwrap();
        if !wait.is_zero() {
            return wait;
        }
    }
}

/// Prints a figure, also where the test passes.
pub(super) fn announce(figure: &str) {
    // Not the macro, whose output the test harness keeps back.
    std::io::stderr().write_all(format!("    {figure}\n").as_bytes()).unwrap();
}

/// Waits until a condition holds, and lets others work meanwhile.
pub(super) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let limit = Duration::from_secs(30);
    assert!(tokio::time::timeout(limit, waited).await.is_ok(), "waited in vain for {what}");
}

/// Lets so much time pass, in steps as [`pass`] does, for something that ends within it.
pub(super) async fn time_passes(host: &Scheduler<'_>, job: &str, most: Duration) {
    // Whoever was asked to end just now begins to wait for the end of its grace.
    tokio::task::yield_now().await;
    let end = host.clock.ran() + most;
    while host.clock.ran() < end {
        pass(host, job).await;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    panic!("it has not ended in {most:?}");
}

/// Lets as much time pass as goes by between two renewals, and whoever runs the job renew its lease, however slow the
/// machine is.
pub(super) async fn pass(host: &Scheduler<'_>, job: &str) {
    let running = async || {
        let recorded = host.recorded(job).await;
        recorded.into_iter().find(|one| one.state == OccasionState::Running)
    };
    let renewals = async || running().await.map(|one| (one.id, one.renewals));
    let before = renewals().await;
    let is_renewed = async || before.is_none() || renewals().await != before;
    host.clock.advance(RENEWAL.try_into().unwrap());
    // Its wait for the next renewal may have begun after this step; it is not left without one for much longer.
    if tokio::time::timeout(Duration::from_millis(50), until("a renewal", is_renewed)).await.is_ok() {
        return;
    }
    let ends = running().await.and_then(|one| one.lease_ends);
    if ends.is_some_and(|ends| ends <= host.clock.now() + SignedDuration::try_from(RENEWAL).unwrap()) {
        until("the lease to be renewed", is_renewed).await;
    }
}

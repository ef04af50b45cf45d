//! Leases of hosts whose clocks differ.

use super::*;

const START: &str = "2027-05-01T12:00:00Z";

/// Hosts on one database, each with a clock of its own. Nobody can tell whether a process of another one is dead.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A host whose clock is so far ahead.
    async fn host(&self, ahead: SignedDuration) -> Leases {
        let database = Database::open(&self.folder.path().join("usher.sqlite")).await.unwrap();
        let clock = Clock::manual(START.parse::<Timestamp>().unwrap() + ahead);
        Leases { is_gone: |_| false, ..Leases::new(database, clock) }
    }
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// Wants the lease, while time passes for whoever waits and `meanwhile` is done at each of its steps.
async fn take(host: &Leases, meanwhile: impl AsyncFn()) -> Result<(), LeaseHolder> {
    let stop = Stop::default();
    let time_passes = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if host.clock.sleepers() > 0 {
                meanwhile().await;
                host.clock.advance(SignedDuration::from_secs(1));
            }
        }
    };
    tokio::select! {
        biased;
        taken = host.take("import", "waiting", &stop) => taken.unwrap(),
        () = time_passes => unreachable!(),
    }
}

async fn nothing() {}

#[tokio::test]
async fn a_dead_holder_is_in_the_way_for_as_long_as_a_lease_lasts_whatever_its_clock_has_shown() {
    for ahead in [hours(3), hours(-3)] {
        let site = Site::new();
        let (dead, host) = (site.host(ahead).await, site.host(hours(0)).await);
        dead.take("import", "dead", &Stop::default()).await.unwrap().unwrap();
        assert_eq!(take(&host, nothing).await, Ok(()));
        let ran = host.clock.ran();
        assert!(LASTS <= ran && ran <= LASTS + 2 * LOOK, "after {ran:?}, its clock {ahead} ahead");
        assert!(!dead.renew("import", "dead").await.unwrap(), "it is another one's");
        assert!(host.renew("import", "waiting").await.unwrap());
    }
}

#[tokio::test]
async fn a_living_holder_keeps_its_lease_whatever_its_clock_shows() {
    for ahead in [hours(3), hours(-3)] {
        let site = Site::new();
        let (living, host) = (site.host(ahead).await, site.host(hours(0)).await);
        living.take("import", "living", &Stop::default()).await.unwrap().unwrap();
        let renews = async || {
            if host.clock.ran() == RENEWAL - Duration::from_secs(5) {
                assert!(living.renew("import", "living").await.unwrap());
            }
        };
        let other = take(&host, renews).await.unwrap_err();
        assert_eq!((other.holder.as_str(), other.renewals), ("living", 1));
        assert!(host.clock.ran() <= RENEWAL + LOOK, "it was seen to live: {:?}", host.clock.ran());
    }
}

#[tokio::test]
async fn a_holder_of_an_earlier_version_that_moves_only_the_end_lives() {
    let site = Site::new();
    let (living, host) = (site.host(hours(-3)).await, site.host(hours(0)).await);
    living.take("import", "living", &Stop::default()).await.unwrap().unwrap();
    let file = format!("sqlite://{}", site.folder.path().join("usher.sqlite").display());
    let earlier_version = sqlx::SqlitePool::connect(&file).await.unwrap();
    let renews = async || {
        if host.clock.ran() == RENEWAL - Duration::from_secs(5) {
            let moved = sqlx::query("UPDATE lease SET expires = expires + 30000");
            moved.execute(&earlier_version).await.unwrap();
        }
    };
    assert_eq!(take(&host, renews).await.unwrap_err().holder, "living");
}

#[tokio::test]
async fn who_wants_what_is_held_in_its_time_is_told_so_at_once() {
    let site = Site::new();
    let (living, host) = (site.host(hours(0)).await, site.host(hours(0)).await);
    living.take("import", "living", &Stop::default()).await.unwrap().unwrap();
    assert_eq!(take(&host, nothing).await.unwrap_err().holder, "living");
    assert_eq!(host.clock.ran(), Duration::ZERO);
    // One that is known to be dead is in nobody's way.
    let same_machine = Leases { is_gone: |holder| holder == "living", ..host };
    assert_eq!(take(&same_machine, nothing).await, Ok(()));
    assert_eq!(same_machine.clock.ran(), Duration::ZERO);
}

#[tokio::test]
async fn a_server_that_has_watched_a_dead_holder_takes_over_at_once() {
    let site = Site::new();
    let (dead, host) = (site.host(hours(0)).await, site.host(hours(0)).await);
    dead.take("import", "dead", &Stop::default()).await.unwrap().unwrap();
    for _ in 0..4 {
        host.look().await.unwrap();
        host.clock.advance(RENEWAL.try_into().unwrap());
    }
    let job = host.without_waiting();
    assert_eq!(take(&job, nothing).await, Ok(()));
    assert_eq!(host.clock.ran(), LASTS);
    // What it has seen of one holder says nothing of the next.
    host.release("import", "waiting").await.unwrap();
    dead.take("import", "next", &Stop::default()).await.unwrap().unwrap();
    let stop = Stop::default();
    stop.ask();
    assert_eq!(host.take("import", "waiting", &stop).await.unwrap().unwrap_err().holder, "next");
}

#[tokio::test]
async fn who_is_tried_again_takes_over_then_and_does_not_wait() {
    let site = Site::new();
    let (dead, host) = (site.host(hours(3)).await, site.host(hours(0)).await);
    dead.take("import", "dead", &Stop::default()).await.unwrap().unwrap();
    let job = host.without_waiting();
    let mut tries = 0;
    while take(&job, nothing).await.is_err() {
        tries += 1;
        host.clock.advance(SignedDuration::from_secs(50));
    }
    assert_eq!((tries, host.clock.ran()), (3, Duration::from_secs(150)));
}

#[tokio::test]
async fn who_watches_a_holder_ends_when_it_is_asked_to() {
    let site = Site::new();
    let (dead, host) = (site.host(hours(3)).await, site.host(hours(0)).await);
    dead.take("import", "dead", &Stop::default()).await.unwrap().unwrap();
    let stop = Stop::default();
    let asks = async {
        while host.clock.sleepers() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.ask();
    };
    let (other, ()) = tokio::join!(host.take("import", "waiting", &stop), asks);
    assert_eq!(other.unwrap().unwrap_err().holder, "dead");
    assert_eq!(host.clock.ran(), Duration::ZERO);
}

//! One who sends at a time, whatever clocks show, and whatever becomes of the database meanwhile.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::database::MailClaim;
use crate::outbox::claims::{CLAIM, Claims, LASTS, RENEWAL};
use crate::stop::Stop;

/// A server that answers to the first of these commands when it is told to.
async fn holding(command: &'static str) -> (Peer, Arc<AtomicBool>, Sender<()>) {
    let (let_go, held) = channel();
    let (holds, held) = (Arc::new(AtomicBool::new(false)), Mutex::new(Some(held)));
    let reached = Arc::clone(&holds);
    let peer = Peer::start(move |said| {
        if said == command {
            // Only the first one finds it, and nobody waits for the lock meanwhile.
            let first = held.lock().unwrap().take();
            if let Some(held) = first {
                reached.store(true, Ordering::SeqCst);
                let _ = tokio::task::block_in_place(|| held.recv());
            }
        }
        None
    })
    .await;
    (peer, holds, let_go)
}

/// Waits until a condition holds, and lets others work meanwhile.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = async {
        while !condition().await {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    assert!(tokio::time::timeout(limit, waited).await.is_ok(), "waited in vain for {what}");
}

/// Has something happen while mail is being sent.
async fn meanwhile(sending: impl Future, happens: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = sending => panic!("the sending has come to its end"),
        () = happens => {}
    }
}

/// Lets time pass for whoever waits for it, once somebody does.
async fn pass(clock: &Clock, time: std::time::Duration) {
    until("somebody to wait", async || clock.sleepers() > 0).await;
    clock.advance(time.try_into().unwrap());
    tokio::task::yield_now().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_has_nobody_send_what_the_same_process_is_sending() {
    let site = Site::new().await;
    let (peer, is_held, let_go) = holding(CONTENT).await;
    let job = site.outbox(peer.settings());
    record(&site, &job, "a", "a@example.org").await;
    let mut sending = pin!(job.deliver_due());
    let others_look = async {
        until("the mail to be on its way", async || is_held.load(Ordering::SeqCst)).await;
        let rounds = job.clone();
        for hours in [1, -2, 30 * 24] {
            site.clock.jump(SignedDuration::from_hours(hours));
            assert_eq!(rounds.deliver_due().await.unwrap().len(), 0, "the clock was set by {hours} hours");
        }
    };
    meanwhile(&mut sending, others_look).await;
    let_go.send(()).unwrap();
    assert_eq!(sending.await.unwrap().len(), 1);
    assert_eq!(peer.counts().1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_differs_takes_over_the_mail_of_a_dead_one_and_of_no_other() {
    for ahead in [1, -1, 30 * 24] {
        let site = Site::new().await;
        let (peer, is_held, _never) = holding(CONTENT).await;
        let dies = site.outbox(peer.settings());
        let clock = Clock::manual(site.clock.now() + SignedDuration::from_hours(ahead));
        let other = Outbox {
            clock: clock.clone(),
            claims: Claims::new(clock.clone()),
            ..site.outbox(peer.settings())
        };
        record(&site, &dies, "a", "a@example.org").await;
        let time_passes = async {
            until("the mail to be on its way", async || is_held.load(Ordering::SeqCst)).await;
            for renewals in 2..30 {
                assert_eq!(other.deliver_due().await.unwrap().len(), 0, "it is being sent");
                clock.advance(RENEWAL.try_into().unwrap());
                pass(&site.clock, RENEWAL).await;
                until("the renewal", async || {
                    site.database.mail_claims().await.unwrap()[0].renewals == renewals
                })
                .await;
            }
        };
        meanwhile(dies.deliver_due(), time_passes).await;
        let death = clock.ran();
        let delivered = loop {
            match other.deliver_due().await.unwrap() {
                deliveries if deliveries.is_empty() => clock.advance(RENEWAL.try_into().unwrap()),
                deliveries => break deliveries,
            }
        };
        assert!(matches!(delivered[0].outcome, DeliveryOutcome::Sent { .. }), "{delivered:?}");
        assert_eq!(clock.ran() - death, LASTS, "its clock {ahead} hours ahead");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_fails_nobody_is_taken_for_dead_and_what_was_sent_is_recorded_afterwards() {
    let site = Site::new().await;
    let (peer, is_held, let_go) = holding(CONTENT).await;
    let (outbox, other) = (site.outbox(peer.settings()), site.outbox(peer.settings()));
    record(&site, &outbox, "a", "a@example.org").await;
    let mut sending = pin!(outbox.deliver_due());
    let fails = async {
        until("the mail to be on its way", async || is_held.load(Ordering::SeqCst)).await;
        record(&site, &outbox, "b", "b@example.org").await;
        site.break_records().await;
        while site.clock.ran() <= LASTS + RENEWAL {
            let failures = site.failures().await;
            assert!(matches!(other.deliver_due().await, Err(OutboxError::Database(_))));
            pass(&site.clock, RENEWAL).await;
            until("a renewal to fail", async || site.failures().await > failures).await;
        }
        site.mend_records().await;
        let deliveries = other.deliver_due().await.unwrap();
        let origins: Vec<_> = deliveries.iter().map(|delivery| delivery.origin.as_str()).collect();
        assert_eq!(origins, ["b"], "nobody could renew anything");
        site.break_records().await;
        let_go.send(()).unwrap();
        for times in 1..=3 {
            until("the record to fail", async || site.failures().await >= times).await;
            if times == 3 {
                site.mend_records().await;
            }
            pass(&site.clock, RENEWAL).await;
        }
    };
    meanwhile(&mut sending, fails).await;
    let deliveries = sending.await.unwrap();
    assert!(matches!(deliveries[0].outcome, DeliveryOutcome::Sent { .. }), "{deliveries:?}");
    let states: Vec<_> = outbox.mails(true).await.unwrap().iter().map(|mail| mail.state).collect();
    assert_eq!((states.as_slice(), peer.counts().1), (&["sent", "sent"][..], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_on_while_its_claim_waits_to_be_renewed() {
    let site = Site::new().await;
    let (peer, is_held, let_go) = holding("DATA").await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    let mut sending = pin!(outbox.deliver_due());
    let is_locked = async {
        until("the mail to be on its way", async || is_held.load(Ordering::SeqCst)).await;
        let lock = site.database.begin().await.unwrap();
        pass(&site.clock, RENEWAL).await;
        until("the renewal to begin", async || site.clock.sleepers() == 0).await;
        let_go.send(()).unwrap();
        until("the server to take the mail", async || peer.counts().1 == 1).await;
        lock.rollback().await.unwrap();
    };
    meanwhile(&mut sending, is_locked).await;
    assert!(matches!(sending.await.unwrap()[0].outcome, DeliveryOutcome::Sent { .. }));
}

#[tokio::test]
async fn what_waits_for_the_time_of_a_clock_that_ran_ahead_is_sent_when_that_is_put_back() {
    let site = Site::new().await;
    let busy = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&busy);
    let peer = Peer::start(move |command| {
        (command.starts_with("RCPT") && refuses.load(Ordering::SeqCst)).then_some("451 later")
    })
    .await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "tried", "a@example.org").await;
    site.clock.jump(SignedDuration::from_hours(30 * 24));
    outbox.deliver_due().await.unwrap();
    record(&site, &outbox, "new", "a@example.org").await;
    busy.store(false, Ordering::SeqCst);
    assert!(!outbox.is_due(&outbox.pending().await.unwrap()[0]), "it is to wait for half a minute");
    site.clock.jump(SignedDuration::from_hours(-30 * 24));
    let pending = outbox.pending().await.unwrap();
    assert!(pending.iter().all(|mail| outbox.is_due(mail)), "{pending:?}");
    assert_eq!(outbox.deliver_due().await.unwrap().len(), 2);
    // A clock that is put back by less than a pause holds up nothing that was never tried.
    record(&site, &outbox, "last", "a@example.org").await;
    site.clock.jump(SignedDuration::from_mins(-10));
    assert_eq!(outbox.deliver_due().await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_does_not_come_back_soon_watches_a_claim_that_seems_to_be_of_a_dead_process() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    outbox.claim("elsewhere boot namespace 7 7 which").await.unwrap().unwrap();
    let (mut deliveries, stop) = (Vec::new(), Stop::default());
    outbox.deliver_and_watch(&mut deliveries, &stop).await.unwrap();
    assert_eq!((deliveries.len(), site.clock.ran().as_secs()), (0, 0), "it seems to be alive");
    site.clock.advance(CLAIM);
    let begun = site.clock.ran();
    let time_passes = async {
        loop {
            pass(&site.clock, std::time::Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        biased;
        watched = outbox.deliver_and_watch(&mut deliveries, &stop) => watched.unwrap(),
        () = time_passes => unreachable!(),
    }
    assert_eq!((deliveries.len(), peer.counts().1), (1, 1));
    assert!(site.clock.ran() - begun <= LASTS, "after {:?}", site.clock.ran() - begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_watched_for_as_long_as_it_takes_also_after_mail_that_was_slow_to_send() {
    let site = Site::new().await;
    let (peer, is_held, let_go) = holding("DATA").await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "slow", "a@example.org").await;
    record(&site, &outbox, "left", "a@example.org").await;
    let (mut deliveries, stop) = (Vec::new(), Stop::default());
    let mut sending = Box::pin(outbox.deliver_and_watch(&mut deliveries, &stop));
    let another_dies = async {
        until("the mail to be on its way", async || is_held.load(Ordering::SeqCst)).await;
        outbox.claim("elsewhere boot namespace 7 7 which").await.unwrap().unwrap();
        let slow = LASTS + CLAIM.unsigned_abs();
        while site.clock.ran() <= slow {
            pass(&site.clock, RENEWAL).await;
        }
        let_go.send(()).unwrap();
    };
    meanwhile(&mut sending, another_dies).await;
    let time_passes = async {
        loop {
            pass(&site.clock, std::time::Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        biased;
        watched = &mut sending => watched.unwrap(),
        () = time_passes => unreachable!(),
    }
    drop(sending);
    let origins: Vec<_> = deliveries.iter().map(|delivery| delivery.origin.as_str()).collect();
    assert_eq!((origins.as_slice(), peer.counts().1), (&["slow", "left"][..], 2));
}

#[tokio::test]
async fn a_look_that_had_to_wait_for_the_database_takes_nobody_for_dead() {
    let site = Site::new().await;
    let claims = Claims::new(site.clock.clone());
    let until = site.clock.now() + CLAIM;
    let claim = MailClaim { origin: "a".to_owned(), claimant: "elsewhere".to_owned(), renewals: 1, until };
    let look = |waited: u64| {
        let begun = site.clock.ran() - std::time::Duration::from_secs(waited);
        claims.left_by_the_dead(std::slice::from_ref(&claim), begun).len()
    };
    assert_eq!(look(0), 0);
    site.clock.advance(LASTS.try_into().unwrap());
    assert_eq!(look(60), 0, "whoever has it could not renew it either");
    site.clock.advance((LASTS - RENEWAL).try_into().unwrap());
    assert_eq!(look(0), 0);
    site.clock.advance(RENEWAL.try_into().unwrap());
    assert_eq!(look(0), 1);
}

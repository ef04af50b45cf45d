//! Mail that is refused or given up: it is kept, and an operator has it sent again or drops it.

use super::*;
use crate::outbox::claims::{self, CLAIM, LASTS};
use crate::outbox::sending::FEWEST_ATTEMPTS;

#[tokio::test]
async fn a_mail_whose_link_has_ended_is_given_up_and_kept() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let outbox = site.outbox(peer.settings());
    let end = site.clock.now() + SignedDuration::from_hours(24);
    for (origin, link) in [("late", Some(link(end))), ("timeless", None)] {
        let mut transaction = site.database.begin().await.unwrap();
        let mail = Compose { link, ..to("user@example.org") };
        outbox.enqueue(&mut transaction, origin, "password", &mail).await.unwrap();
        transaction.commit().await.unwrap();
    }
    site.clock.advance(SignedDuration::from_hours(24));
    let deliveries = outbox.deliver_due().await.unwrap();
    let given_up =
        matches!(deliveries[0].outcome, DeliveryOutcome::Refused { error: OutboxError::Worthless, .. });
    assert!(given_up, "{:?}", deliveries[0]);
    assert!(matches!(deliveries[1].outcome, DeliveryOutcome::Sent { .. }), "{:?}", deliveries[1]);
    assert_eq!((peer.seen().mails.len(), site.kept().len()), (1, 1));
}

#[tokio::test]
async fn a_refused_mail_is_kept_as_it_would_have_been_sent() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.contains("<bad@").then_some("550 5.1.1 unknown")).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "request:1:password", "bad@example.org").await;
    record(&site, &outbox, "request:2:password", "good@example.org").await;
    let before = site.clock.now();
    let deliveries = outbox.deliver_due().await.unwrap();
    let DeliveryOutcome::Refused { kept_in, error } = &deliveries[0].outcome else {
        panic!("{deliveries:?}");
    };
    assert!(error.to_string().contains("550 5.1.1 unknown"), "{error}");
    assert!(matches!(deliveries[1].outcome, DeliveryOutcome::Sent { .. }), "other mails go on");
    assert_eq!(site.kept(), std::slice::from_ref(kept_in));
    let kept = std::fs::read_to_string(kept_in).unwrap();
    assert!(kept.starts_with("From: ") && kept.contains("To: bad@example.org\r\n"), "{kept}");
    assert!(kept.contains(&format!("\r\n\r\nHello,\r\n{SECRET}\r\n")), "{kept}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&site.undeliverable()), mode(kept_in)), (0o700, 0o600));
    let refused = outbox.refused(before).await.unwrap();
    assert_eq!((refused.len(), &refused[0].kept_in), (1, kept_in));
    assert!(outbox.pending().await.unwrap().is_empty());
    assert_eq!(record(&site, &outbox, "request:1:password", "bad@example.org").await, Enqueued::Already);
}

#[tokio::test]
async fn a_refused_mail_that_cannot_be_kept_stays_in_the_outbox() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.starts_with("RCPT").then_some("550 unknown")).await;
    let outbox = site.outbox(peer.settings());
    std::fs::write(site.undeliverable(), "not a folder").unwrap();
    record(&site, &outbox, "a", "a@example.org").await;
    let deliveries = outbox.deliver_due().await.unwrap();
    let DeliveryOutcome::Later { error: OutboxError::Keep { .. }, .. } = &deliveries[0].outcome else {
        panic!("{deliveries:?}");
    };
    std::fs::remove_file(site.undeliverable()).unwrap();
    site.clock.advance(SignedDuration::from_hours(2));
    let deliveries = outbox.deliver_due().await.unwrap();
    assert!(matches!(deliveries[0].outcome, DeliveryOutcome::Refused { .. }), "{deliveries:?}");
}

#[tokio::test]
async fn death_between_keeping_and_recording_keeps_the_same_file_again() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.starts_with("RCPT").then_some("550 unknown")).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    // As a process that dies right after the file was written, leaving its claim.
    let claimed = outbox.claim("dead").await.unwrap().unwrap();
    let mail = outbox.open(&claimed.payload).unwrap();
    let first = outbox.keep(&claimed.origin, &mail).await.unwrap();
    std::fs::write(first.with_extension("eml.part"), "half").unwrap();
    let bytes = std::fs::read(&first).unwrap();

    assert!(outbox.deliver_due().await.unwrap().is_empty(), "the claim still stands");
    site.clock.advance(LASTS.try_into().unwrap());
    let deliveries = outbox.deliver_due().await.unwrap();
    let DeliveryOutcome::Refused { kept_in, .. } = &deliveries[0].outcome else {
        panic!("{deliveries:?}");
    };
    assert_eq!(site.kept(), [first]);
    assert_eq!(std::fs::read(kept_in).unwrap(), bytes);
}

#[tokio::test]
async fn a_mail_is_given_up_after_five_days_and_a_days_attempts() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.starts_with("RCPT").then_some("451 later")).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    // Usher itself was off for a week: that does not count against the mail.
    for _ in 1..FEWEST_ATTEMPTS {
        // A clock that is set forward by a week is not the patience of five days either.
        site.clock.jump(SignedDuration::from_hours(7 * 24));
        let deliveries = outbox.deliver_due().await.unwrap();
        assert!(matches!(deliveries[0].outcome, DeliveryOutcome::Later { .. }), "{deliveries:?}");
    }
    site.clock.advance(SignedDuration::from_hours(2));
    let deliveries = outbox.deliver_due().await.unwrap();
    let DeliveryOutcome::Refused { error, .. } = &deliveries[0].outcome else {
        panic!("{deliveries:?}");
    };
    let error = error.to_string();
    assert!(error.contains("after 24 attempts in 154 days") && error.contains("451"), "{error}");
    assert_eq!(site.kept().len(), 1);
}

#[tokio::test]
async fn a_mail_that_was_tried_first_while_the_clock_ran_ahead_is_given_up_no_later_for_that() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.starts_with("RCPT").then_some("451 later")).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    let month = SignedDuration::from_hours(30 * 24);
    site.clock.jump(month);
    outbox.deliver_due().await.unwrap();
    site.clock.jump(-month);
    let begun = site.clock.now();
    let error = loop {
        let deliveries = outbox.deliver_due().await.unwrap();
        match &deliveries[0].outcome {
            DeliveryOutcome::Refused { error, .. } => break error.to_string(),
            DeliveryOutcome::Later { .. } => site.clock.advance(SignedDuration::from_hours(6)),
            other => panic!("{other:?}"),
        }
        assert!(site.clock.now() < begun + month, "it is still tried");
    };
    let days = site.clock.now().duration_since(begun).as_hours() / 24;
    assert_eq!(days, 5);
    assert!(error.contains("after 24 attempts in 5 days"), "{error}");
}

#[tokio::test]
async fn a_refused_mail_is_sent_once_an_operator_has_it_tried_again() {
    let site = Site::new().await;
    let refuses = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuses);
    let peer = Peer::start(move |command| {
        (command.starts_with("RCPT") && refusing.load(Ordering::SeqCst)).then_some("550 unknown")
    })
    .await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "a", "a@example.org").await;
    outbox.deliver_due().await.unwrap();
    let mails = outbox.mails(false).await.unwrap();
    assert_eq!(
        (mails.len(), mails[0].state, mails[0].to.as_slice()),
        (1, "refused", &["a@example.org".to_owned()][..])
    );
    let content = outbox.content(mails[0].number).await.unwrap();
    assert_eq!(content, std::fs::read(&site.kept()[0]).unwrap());

    outbox.retry(mails[0].number).await.unwrap();
    assert!(site.kept().is_empty(), "the outbox has it");
    outbox.deliver_due().await.unwrap();
    assert_eq!(site.kept().len(), 1, "refused again, kept again");
    refuses.store(false, Ordering::SeqCst);
    outbox.retry(mails[0].number).await.unwrap();
    let deliveries = outbox.deliver_due().await.unwrap();
    assert!(matches!(deliveries[0].outcome, DeliveryOutcome::Sent { .. }), "{deliveries:?}");
    assert_eq!((peer.seen().mails.len(), site.kept().len()), (1, 0));

    let again = outbox.retry(mails[0].number).await.unwrap_err();
    assert!(matches!(again, MailActionError::Settled { state: MailState::Sent, .. }), "{again}");
    assert!(matches!(outbox.discard(mails[0].number).await, Err(MailActionError::Settled { .. })));
    assert!(matches!(outbox.retry(99).await, Err(MailActionError::Unknown(99))));
}

#[tokio::test]
async fn a_dropped_mail_is_never_sent_and_leaves_nothing_of_what_it_said() {
    let site = Site::new().await;
    let peer = Peer::start(|command| command.contains("<bad@").then_some("550 unknown")).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "bad", "bad@example.org").await;
    outbox.deliver_due().await.unwrap();
    record(&site, &outbox, "waiting", "waiting@example.org").await;
    for mail in outbox.mails(false).await.unwrap() {
        outbox.discard(mail.number).await.unwrap();
    }
    assert!(outbox.deliver_due().await.unwrap().is_empty());
    assert!(outbox.mails(false).await.unwrap().is_empty() && site.kept().is_empty());
    let all = outbox.mails(true).await.unwrap();
    assert_eq!(all.iter().map(|mail| mail.state).collect::<Vec<_>>(), ["dropped", "dropped"]);
    assert!(matches!(outbox.retry(all[1].number).await, Err(MailActionError::Settled { .. })));
    assert_eq!(record(&site, &outbox, "waiting", "waiting@example.org").await, Enqueued::Already);
}

#[tokio::test]
async fn a_mail_that_somebody_is_sending_is_not_dropped_and_one_with_a_dead_link_not_tried_again() {
    let site = Site::new().await;
    let peer = Peer::start(|_| None).await;
    let outbox = site.outbox(peer.settings());
    record(&site, &outbox, "claimed", "a@example.org").await;
    outbox.claim(&claims::claimant()).await.unwrap().unwrap();
    assert!(matches!(outbox.discard(1).await, Err(MailActionError::UnderWay(1))));
    site.clock.advance(CLAIM);
    outbox.discard(1).await.unwrap();

    let compose = Compose { link: Some(link(after(site.clock.now(), CLAIM))), ..to("b@example.org") };
    let mut transaction = site.database.begin().await.unwrap();
    outbox.enqueue(&mut transaction, "link", "password", &compose).await.unwrap();
    transaction.commit().await.unwrap();
    site.clock.advance(CLAIM);
    assert!(matches!(outbox.retry(2).await, Err(MailActionError::LinkEnded(2))));
}

//! Mail goes out while requests are still being worked on, so that a large batch does not send thousands of mails
//! only at its end.

use std::cell::Cell;

use tokio::sync::Notify;

use crate::outbox::{Delivery, Outbox};

/// Does some work, and sends meanwhile what it records in the outbox. `news` is told when there may be something.
/// What is left when the work is over, and where the mail server cannot be used or the outbox fails, is left to
/// whoever sends after the work: that what follows on the work does not wait for mail.
pub(super) async fn alongside<T>(
    outbox: &Outbox,
    news: &Notify,
    work: impl Future<Output = T>,
) -> (T, Vec<Delivery>) {
    let over = Cell::new(false);
    let working = async {
        let result = work.await;
        over.set(true);
        news.notify_one();
        result
    };
    tokio::join!(working, deliver(outbox, news, &over))
}

async fn deliver(outbox: &Outbox, news: &Notify, over: &Cell<bool>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    loop {
        news.notified().await;
        if over.get() {
            return deliveries;
        }
        if let Err(error) = outbox.deliver_while(&mut deliveries, || !over.get()).await {
            tracing::warn!(%error, "mail is left to the end of the run");
            return deliveries;
        }
        if deliveries.last().is_some_and(Delivery::leaves_others) {
            return deliveries;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::peer::Peer;
    use crate::outbox::tests::{Site, record};

    #[tokio::test]
    async fn a_mail_goes_out_while_the_work_that_caused_it_goes_on() {
        let site = Site::new().await;
        let peer = Peer::start(|_| None).await;
        let outbox = site.outbox(peer.settings());
        let news = Notify::new();
        let work = async {
            record(&site, &outbox, "a", "a@example.org").await;
            news.notify_one();
            while peer.seen().mails.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            record(&site, &outbox, "b", "b@example.org").await;
            "over"
        };
        let (result, deliveries) = alongside(&outbox, &news, work).await;
        let rest = outbox.deliver_due().await.unwrap();
        assert_eq!((result, deliveries.len() + rest.len()), ("over", 2));
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_used_is_asked_once() {
        let site = Site::new().await;
        let peer = Peer::start(|command| command.starts_with("EHLO").then_some("421 busy")).await;
        let outbox = site.outbox(peer.settings());
        let news = Notify::new();
        let work = async {
            for name in ["a", "b", "c"] {
                record(&site, &outbox, name, "a@example.org").await;
                news.notify_one();
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let ((), deliveries) = alongside(&outbox, &news, work).await;
        assert_eq!(deliveries.len(), 1);
    }
}

//! Subscribing by a mail to Majordomo.
//!
//! The mail holds the list's password. So one that the mail server finally refuses is not kept: the next run wipes
//! it and writes its addresses into another one. A mail that an operator dropped stays dropped.

use super::{SubscribingError, Subscriptions, open, requests};
use crate::app::App;
use crate::batch::exclusive::Exclusive;
use crate::database::{DatabaseError, OpenSubscription, finish_subscriptions_in, reopen_subscriptions_in};
use crate::fail_point;
use crate::mailing_list::MailingList;
use crate::mailing_list::majordomo::Majordomo;
use crate::outbox::Compose;

/// What the mail to Majordomo is called in reports.
const KIND: &str = "mailing-list";

/// Records the mail that subscribes everybody who is not yet; none where the list is not kept by mail.
pub(in crate::batch) async fn by_mail(
    app: &App,
    list: Option<&MailingList>,
    run: i64,
    exclusive: &Exclusive,
) -> Option<Subscriptions> {
    let Some(MailingList::Majordomo(majordomo)) = list else { return None };
    let counts = Subscriptions::none(majordomo.describe());
    let ended = async {
        let open = open(app, exclusive).await?;
        write(app, run, majordomo, &open).await
    };
    Some(match ended.await {
        Ok(()) => counts,
        Err(error) => counts.stopped(&error),
    })
}

/// Names the mail of a run.
pub(super) fn origin(run: i64) -> String {
    format!("{KIND}:{run}")
}

/// Has those subscribed anew whose mail was refused, and wipes the mail, which nobody may send any more then.
pub(super) async fn reopen_refused(app: &App) -> Result<(), SubscribingError> {
    let mut transaction = app.database.begin().await?;
    let mails = app.outbox.discard_refused_in(&mut transaction, KIND).await?;
    let mut reopened = 0;
    for mail in &mails {
        let reason = SubscribingError::MailRefused.to_string();
        reopened += reopen_subscriptions_in(&mut transaction, mail, &reason).await?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    if !mails.is_empty() {
        tracing::warn!(
            mails = mails.len(),
            addresses = reopened,
            "the mail server had refused mail to Majordomo; its addresses are subscribed anew"
        );
    }
    Ok(())
}

/// Mail and record come about together, so that each address is mailed once.
async fn write(
    app: &App,
    run: i64,
    majordomo: &Majordomo,
    open: &[OpenSubscription],
) -> Result<(), SubscribingError> {
    if open.is_empty() {
        return Ok(());
    }
    let compose = Compose {
        to: vec![majordomo.address().to_owned()],
        message: majordomo.write(open.iter().map(|one| one.address.as_str())),
        link: None,
    };
    let mail = origin(run);
    let mut transaction = app.database.begin().await?;
    app.outbox.enqueue(&mut transaction, &mail, KIND, &compose).await?;
    finish_subscriptions_in(&mut transaction, &requests(open), Some(&mail), app.clock.now()).await?;
    fail_point::reached(|| "subscriptions mailed".to_owned());
    transaction.commit().await.map_err(DatabaseError::from)?;
    fail_point::reached(|| "subscriptions finished".to_owned());
    Ok(())
}

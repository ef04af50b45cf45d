//! The end of an import: new users' addresses go to the site's mailing list.
//!
//! Addresses were recorded together with the end of their requests. What cannot be subscribed stays recorded, and
//! the next run tries it again, whichever rows that one is about; so it is with what was mailed to Majordomo, where
//! the mail server finally refused that mail.

mod by_mail;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exclusive::Exclusive;
use super::report::counted;
use crate::app::App;
use crate::database::{DatabaseError, OpenSubscription, finish_subscriptions_in, refuse_subscription_in};
use crate::fail_point;
use crate::mailing_list::command::Command;
use crate::mailing_list::mailman::{Answer, Mailman};
use crate::mailing_list::{MailingList, MailingListError, plain_address};
use crate::outbox::OutboxError;

pub(super) use self::by_mail::by_mail;

/// What became of the subscriptions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Subscriptions {
    /// The list.
    pub list: String,
    /// How many addresses it has got, other than by mail.
    pub subscribed: usize,
    /// How many were mailed to Majordomo. What it made of them it tells nobody but the list's owner.
    pub mailed: usize,
    /// How many it had before.
    pub already: usize,
    /// How many wait until a moderator, or the person, has agreed.
    pub pending: usize,
    /// How many wait for the next run.
    pub waiting: usize,
    /// Those that it will never take, since the run before.
    pub refused: Vec<Refused>,
    /// Why some wait for the next run.
    pub error: Option<String>,
    /// Whether whoever keeps the list was out of reach.
    #[serde(skip)]
    pub unreachable: bool,
    /// Whether the list cannot be used as the settings say.
    #[serde(skip)]
    pub unusable: bool,
}

/// An address that the list will never take.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The address.
    pub address: String,
    /// Why.
    pub reason: String,
}

/// Why subscribing stopped.
#[derive(Debug, thiserror::Error)]
enum SubscribingError {
    /// Whoever keeps the list.
    #[error(transparent)]
    List(#[from] MailingListError),
    /// The records.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The mail to Majordomo cannot be recorded.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The mail server does not take the mail to Majordomo.
    #[error("the mail server refused the mail to Majordomo")]
    MailRefused,
    /// Another import has taken over, and subscribes them.
    #[error("stopped: this import was stalled for so long that another one has taken over")]
    TakenOver,
}

impl Subscriptions {
    fn none(list: String) -> Self {
        Self {
            list,
            subscribed: 0,
            mailed: 0,
            already: 0,
            pending: 0,
            waiting: 0,
            refused: Vec::new(),
            error: None,
            unreachable: false,
            unusable: false,
        }
    }

    fn stopped(mut self, by: &SubscribingError) -> Self {
        if let SubscribingError::List(error) = by {
            self.unreachable = error.is_unreachable();
            self.unusable = error.is_setting();
        }
        self.error.get_or_insert_with(|| by.to_string());
        self
    }

    /// What a summary says of them: how many, in words.
    pub(super) fn counts(&self) -> Vec<String> {
        let counts = [
            (self.subscribed, "user subscribed", "users subscribed"),
            (self.mailed, "address mailed to Majordomo", "addresses mailed to Majordomo"),
            (self.waiting, "subscription waits", "subscriptions wait"),
            (self.refused.len(), "subscription refused", "subscriptions refused"),
        ];
        counts
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, several)| counted(number, one, several))
            .collect()
    }

    /// What a moderator has to do.
    pub(super) fn notice(&self) -> Option<String> {
        let waiting = counted(self.pending, "subscription waits", "subscriptions wait");
        (self.pending > 0).then(|| format!("{waiting} until a moderator of the {} approves", self.list))
    }

    /// Whether every address is where it should be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.error.is_none() && self.refused.is_empty()
    }
}

/// Subscribes everybody who is not yet; none where there is no list, or it is kept by mail.
pub(super) async fn directly(
    app: &App,
    list: Option<&MailingList>,
    exclusive: &Exclusive,
) -> Option<Subscriptions> {
    let list = list?;
    let mut counts = Subscriptions::none(list.describe());
    let ended = async {
        let open = match list {
            MailingList::Majordomo(_) => Vec::new(),
            MailingList::Mailman(_) | MailingList::Command(_) => open(app, exclusive).await?,
        };
        match list {
            MailingList::Mailman(mailman) => ask(app, mailman, &open, exclusive, &mut counts).await,
            MailingList::Command(command) => run(app, command, &open, &mut counts).await,
            MailingList::Majordomo(_) => Ok(()),
        }
    };
    let counts = match ended.await {
        Ok(()) => counts,
        Err(error) => counts.stopped(&error),
    };
    fail_point::reached(|| "subscriptions finished".to_owned());
    Some(counts)
}

/// Adds what the records say: how many wait, and who was refused since the last run, whichever run it was that
/// could not tell any more.
pub(super) async fn finish(
    app: &App,
    run: i64,
    last_run: Option<Timestamp>,
    counts: Option<Subscriptions>,
) -> Option<Subscriptions> {
    let mut counts = counts?;
    let recorded = async {
        let refused = app.database.refused_subscriptions(last_run.unwrap_or(Timestamp::MIN)).await?;
        let open = app.database.open_subscriptions().await?;
        let mailed = app.database.mailed_subscriptions(&by_mail::origin(run)).await?;
        Ok::<_, DatabaseError>((open, mailed, refused))
    };
    match recorded.await {
        Ok((open, mailed, refused)) => {
            counts.waiting = open.len() + mailed.refused;
            counts.mailed = mailed.under_way;
            counts.refused = refused
                .into_iter()
                .map(|refused| Refused { address: refused.address, reason: refused.reason })
                .collect();
            Some(if mailed.refused > 0 { counts.stopped(&SubscribingError::MailRefused) } else { counts })
        }
        Err(error) => Some(counts.stopped(&error.into())),
    }
}

/// Those who are to be subscribed, with their addresses as a list gets them. Whose address no list takes is refused
/// at once.
async fn open(app: &App, exclusive: &Exclusive) -> Result<Vec<OpenSubscription>, SubscribingError> {
    if exclusive.is_lost() {
        return Err(SubscribingError::TakenOver);
    }
    by_mail::reopen_refused(app).await?;
    let mut open = Vec::new();
    for one in app.database.open_subscriptions().await? {
        match plain_address(&one.address) {
            Some(address) => open.push(OpenSubscription { address, ..one }),
            None => refuse(app, &one, "it is not an address that a mailing list takes").await?,
        }
    }
    Ok(open)
}

/// One address after the other, until Mailman cannot be used.
async fn ask(
    app: &App,
    mailman: &Mailman,
    open: &[OpenSubscription],
    exclusive: &Exclusive,
    counts: &mut Subscriptions,
) -> Result<(), SubscribingError> {
    for one in open {
        if exclusive.is_lost() {
            return Err(SubscribingError::TakenOver);
        }
        fail_point::reached(|| "subscription to begin".to_owned());
        let answer = match mailman.subscribe(&one.address).await {
            Ok(answer) => answer,
            Err(error) => {
                app.database.note_subscription_error(&[one.request], &error.to_string()).await?;
                return Err(MailingListError::from(error).into());
            }
        };
        fail_point::reached(|| "subscription taken".to_owned());
        let counted = match answer {
            Answer::Subscribed => &mut counts.subscribed,
            Answer::Already => &mut counts.already,
            Answer::Pending => &mut counts.pending,
            Answer::Refused(reason) => {
                refuse(app, one, &reason).await?;
                continue;
            }
        };
        *counted += 1;
        finish_all(app, std::slice::from_ref(one)).await?;
    }
    Ok(())
}

/// All addresses in one go.
async fn run(
    app: &App,
    command: &Command,
    open: &[OpenSubscription],
    counts: &mut Subscriptions,
) -> Result<(), SubscribingError> {
    if open.is_empty() {
        return Ok(());
    }
    let addresses: Vec<&str> = open.iter().map(|one| one.address.as_str()).collect();
    fail_point::reached(|| "subscription to begin".to_owned());
    if let Err(error) = command.run(&addresses).await {
        app.database.note_subscription_error(&requests(open), &error.to_string()).await?;
        return Err(MailingListError::from(error).into());
    }
    fail_point::reached(|| "subscription taken".to_owned());
    finish_all(app, open).await?;
    counts.subscribed = open.len();
    Ok(())
}

async fn finish_all(app: &App, done: &[OpenSubscription]) -> Result<(), DatabaseError> {
    let mut transaction = app.database.begin().await?;
    finish_subscriptions_in(&mut transaction, &requests(done), None, app.clock.now()).await?;
    Ok(transaction.commit().await?)
}

async fn refuse(app: &App, one: &OpenSubscription, reason: &str) -> Result<(), DatabaseError> {
    let mut transaction = app.database.begin().await?;
    refuse_subscription_in(&mut transaction, one.request, reason, app.clock.now()).await?;
    Ok(transaction.commit().await?)
}

fn requests(subscriptions: &[OpenSubscription]) -> Vec<i64> {
    subscriptions.iter().map(|one| one.request).collect()
}

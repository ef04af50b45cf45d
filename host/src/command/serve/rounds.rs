//! What is done again and again beside the answering of requests, each apart from the others: mail does not wait for
//! Keystone. A round that has begun when the server is about to stop goes on to its end.

use std::time::Duration;

use tokio::sync::watch;

use super::under_way::{Part, UnderWay};
use crate::app::App;
use crate::outbox::Delivery;
use crate::password_notice::PasswordNotices;
use crate::password_reset::PasswordResets;
use crate::plugin::RenderMail;

/// How long it is from the end of one round to the beginning of the next.
pub(in crate::command) const INTERVAL: Duration = Duration::from_secs(3);

/// Does all of it until the server is about to stop.
pub(super) async fn run(
    app: &App,
    render_mail: &RenderMail,
    resets: Option<&PasswordResets>,
    under_way: &UnderWay,
    stopping: &watch::Receiver<bool>,
) {
    tokio::join!(
        under_way.during(Part::Mail, send_mail(app, stopping.clone())),
        under_way.during(Part::Notices, write_notices(app, render_mail, stopping.clone())),
        under_way.during(Part::Links, answer_requests(resets, stopping.clone())),
    );
}

/// Sends the mail that is due.
async fn send_mail(app: &App, stopping: watch::Receiver<bool>) {
    again_and_again(stopping, async || {
        // A retired key must not stay in memory because nobody asks for anything.
        app.keys.refresh();
        if !app.settings.schedule.outbox.enabled {
            return;
        }
        match app.outbox.deliver_due().await {
            Ok(deliveries) => deliveries.iter().for_each(Delivery::log),
            Err(error) => tracing::error!(%error, "the outbox cannot be worked through"),
        }
    })
    .await;
}

/// Writes the mails that users are owed after a change of their password, for which Keystone is asked whose it is.
async fn write_notices(app: &App, render_mail: &RenderMail, stopping: watch::Receiver<bool>) {
    let notices = PasswordNotices {
        database: app.database.clone(),
        keystone: app.keystone.clone(),
        outbox: app.outbox.clone(),
        clock: app.clock.clone(),
        site: app.settings.site.clone(),
    };
    again_and_again(stopping, async || {
        if let Err(error) = notices.make_owed(async |content| render_mail(content).await).await {
            tracing::error!(%error, "users cannot be told of changed passwords");
        }
    })
    .await;
}

/// Works through what users ask for on the page `/reset`; not at once, so that nobody can tell from the server's load
/// what a request led to. Where the pages are on another machine, so are the requests.
async fn answer_requests(resets: Option<&PasswordResets>, stopping: watch::Receiver<bool>) {
    let Some(resets) = resets else { return };
    let told = stopping.clone();
    again_and_again(stopping, async || {
        if let Err(error) = resets.work_through(|| !*told.borrow()).await {
            tracing::error!(%error, "requests for links cannot be worked through");
        }
    })
    .await;
}

async fn again_and_again(mut stopping: watch::Receiver<bool>, round: impl AsyncFn()) {
    loop {
        round().await;
        // An error means that the sender is gone, and with it the command.
        let told = stopping.wait_for(|stopping| *stopping);
        if tokio::time::timeout(INTERVAL, told).await.is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

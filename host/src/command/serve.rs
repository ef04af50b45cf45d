//! `usher serve`: setpass over HTTP, the mail that waits, and jobs at their times.

mod by_itself;

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Exit;
use crate::app::App;
use crate::http::{Look, Services, router, without_setpass};
use crate::outbox::Delivery;
use crate::password_notice::PasswordNotices;
use crate::password_reset::PasswordResets;
use crate::plugin::RenderMail;
use crate::readiness::Readiness;
use crate::server::tls::Tls;
use crate::server::{Limits, Server};
use crate::service_manager;
use crate::settings;

/// How often the outbox, and what users ask for, is looked through.
pub(super) const DELIVERY_INTERVAL: Duration = Duration::from_secs(3);

/// How long a change of a password that Keystone has been asked for is waited for after that. Whoever ends the
/// program before leaves its outcome unknown.
const SETTLING: Duration = Duration::from_secs(60);

/// How long the answer about such a change may take on its way.
const TELLING: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT, then lets what is under way finish within `setpass.grace`, and jobs their step
/// within `schedule.grace`. A password that is being changed has longer, so that its outcome is recorded. Where the pages
/// are on another machine, what is served only tells that the program is alive.
///
/// # Errors
/// Where the mail templates, the logo or the certificate cannot be loaded, or the address cannot be listened on.
pub async fn run(app: &App) -> anyhow::Result<ExitCode> {
    let (stop, stopped) = watch::channel(false);
    let render_mail = app.mail_templates().await?.into_function();
    let setpass = &app.settings.setpass;
    let (router, resets) = match &setpass.remote {
        None => (
            router(services(app, stopped.clone())?),
            Some(PasswordResets::with(app, Arc::clone(&render_mail))),
        ),
        // The pages are there: a form that was sent here would reach nobody.
        Some(_) => (without_setpass(), None),
    };
    let server = listen(setpass).await?;
    let url = server.url().context("cannot tell the address that is listened on")?;
    // Taken before the line below is printed: who reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate()).context("cannot take SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot take SIGINT")?;
    eprintln!("listening on {url}");
    service_manager::ready();

    let serving = server.run(router, stopped.clone());
    let working = answer_requests(resets.as_ref(), stopped.clone());
    let mut work = pin!(async { tokio::join!(serving, deliver(app, &render_mail, stopped), working) });
    let mut jobs = pin!(by_itself::run(app));
    tokio::select! {
        _ = &mut work => {}
        // They go on until they are asked to stop.
        () = &mut jobs => {}
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    service_manager::stopping();
    stop.send_replace(true);
    app.stop.ask();
    let requests = async {
        if tokio::time::timeout(app.settings.setpass.grace, &mut work).await.is_ok() {
            // A change goes on where nobody waits for it any more.
            settle(app).await;
            return;
        }
        tracing::warn!("requests that did not finish within setpass.grace are cut off");
        settle(app).await;
        // Who was waiting for that is still to be told.
        let _ = tokio::time::timeout(TELLING, work).await;
    };
    tokio::join!(requests, jobs);
    Ok(Exit::Done.into())
}

async fn settle(app: &App) {
    if tokio::time::timeout(SETTLING, app.setpass.settle()).await.is_err() {
        tracing::error!("Keystone did not answer in time whether it has changed a password");
    }
}

async fn listen(setpass: &settings::setpass::Setpass) -> anyhow::Result<Server> {
    let tls = setpass.tls.as_ref().map(Tls::load).transpose()?;
    let limits = Limits { connections: setpass.max_connections, client_timeout: setpass.client_timeout };
    Server::bind(setpass.listen, tls, limits)
        .await
        .with_context(|| format!("cannot listen on {} (setpass.listen)", setpass.listen))
}

fn services(app: &App, stopped: watch::Receiver<bool>) -> anyhow::Result<Services> {
    let App { settings, clock, database, keys, keystone, setpass, .. } = app;
    let (database, keys) = (database.clone(), keys.clone());
    Ok(Services {
        setpass: setpass.clone(),
        keystone: keystone.clone(),
        look: Arc::new(Look::load(&settings.site, &settings.setpass)?),
        public_url: settings.setpass.public_url().clone(),
        trusted_proxies: settings.setpass.trusted_proxies.clone(),
        forwarded_header: settings.setpass.forwarded_header,
        client_timeout: settings.setpass.client_timeout,
        readiness: Readiness::new(database, keys, keystone.clone(), clock.clone(), stopped),
    })
}

async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the command.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Sends the mail that is due, and writes those that users are owed, again and again. A round that has begun when the
/// server is stopped goes on to its end.
async fn deliver(app: &App, render_mail: &RenderMail, stopped: watch::Receiver<bool>) {
    let App { keys, outbox, .. } = app;
    let notices = PasswordNotices {
        database: app.database.clone(),
        keystone: app.keystone.clone(),
        outbox: outbox.clone(),
        clock: app.clock.clone(),
        site: app.settings.site.clone(),
    };
    loop {
        // A retired key must not stay in memory because nobody asks for anything.
        keys.refresh();
        if let Err(error) = notices.make_owed(async |content| render_mail(content).await).await {
            tracing::error!(%error, "users cannot be told of changed passwords");
        }
        if app.settings.schedule.outbox.enabled {
            match outbox.deliver_due().await {
                Ok(deliveries) => deliveries.iter().for_each(Delivery::log),
                Err(error) => tracing::error!(%error, "the outbox cannot be worked through"),
            }
        }
        if tokio::time::timeout(DELIVERY_INTERVAL, until_stopped(stopped.clone())).await.is_ok() {
            return;
        }
    }
}

/// Works through what users ask for on the page `/reset`, again and again. Apart from the mail, which does not wait
/// for Keystone; and not at once, so that nobody can tell from the server's load what a request led to.
///
/// Where the pages are on another machine, so are the requests.
async fn answer_requests(resets: Option<&PasswordResets>, stopped: watch::Receiver<bool>) {
    let Some(resets) = resets else { return };
    loop {
        if let Err(error) = resets.work_through(|| !*stopped.borrow()).await {
            tracing::error!(%error, "requests for links cannot be worked through");
        }
        if tokio::time::timeout(DELIVERY_INTERVAL, until_stopped(stopped.clone())).await.is_ok() {
            return;
        }
    }
}

//! `usher serve`: setpass over HTTP, and the mail that waits.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Exit;
use crate::app::App;
use crate::http::{Look, Services, router};
use crate::outbox::Delivery;
use crate::password_reset::PasswordResets;

/// How often the outbox, and what users ask for, is looked through.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(3);

/// How often records that have outlived their time are erased.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3600);

/// Serves until SIGTERM or SIGINT, then lets what is under way finish within `setpass.grace`.
///
/// # Errors
/// Where the mail templates or the logo cannot be loaded, or the address cannot be listened on.
pub async fn run(app: &App) -> anyhow::Result<ExitCode> {
    let services = services(app)?;
    let resets = PasswordResets::new(app).await?;
    let setpass = &app.settings.setpass;
    let listener = TcpListener::bind(setpass.listen)
        .await
        .with_context(|| format!("cannot listen on {} (setpass.listen)", setpass.listen))?;
    let address = listener.local_addr().context("cannot tell the address that is listened on")?;
    let (stop, stopped) = watch::channel(false);
    // Taken before the line below is printed: who reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate()).context("cannot take SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot take SIGINT")?;
    eprintln!("listening on http://{address}");

    let serving = axum::serve(listener, router(services).into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(until_stopped(stopped.clone()))
        .into_future();
    let work = async {
        let (served, (), ()) =
            tokio::join!(serving, deliver(app, stopped.clone()), answer_requests(&resets, stopped));
        app.setpass.settle().await;
        served
    };
    let mut work = pin!(work);
    tokio::select! {
        served = &mut work => served.context("the server failed")?,
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    stop.send_replace(true);
    match tokio::time::timeout(setpass.grace, work).await {
        Ok(served) => served.context("the server failed")?,
        Err(_) => tracing::warn!("requests that did not finish within setpass.grace were cut off"),
    }
    Ok(Exit::Done.into())
}

fn services(app: &App) -> anyhow::Result<Services> {
    Ok(Services {
        setpass: app.setpass.clone(),
        keystone: app.keystone.clone(),
        look: Arc::new(Look::load(&app.settings.site, &app.settings.setpass)?),
        public_url: app.settings.setpass.public_url.clone(),
        trusted_proxies: app.settings.setpass.trusted_proxies.clone(),
        forwarded_header: app.settings.setpass.forwarded_header,
    })
}

async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the command.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Sends the mail that is due and erases what has outlived its time, again and again. A round that
/// has begun when the server is stopped goes on to its end.
async fn deliver(app: &App, stopped: watch::Receiver<bool>) {
    let App { keys, outbox, setpass, .. } = app;
    let mut expired: Option<Instant> = None;
    loop {
        // A retired key must not stay in memory because nobody asks for anything.
        keys.refresh();
        match outbox.deliver_due().await {
            Ok(deliveries) => deliveries.iter().for_each(Delivery::log),
            Err(error) => tracing::error!(%error, "the outbox cannot be worked through"),
        }
        if expired.is_none_or(|at| at.elapsed() >= EXPIRY_INTERVAL) {
            match setpass.expire().await {
                Ok(erased) => tracing::debug!(erased, "lapsed setpass records erased"),
                Err(error) => tracing::error!(%error, "lapsed setpass records cannot be erased"),
            }
            expired = Some(Instant::now());
        }
        if tokio::time::timeout(DELIVERY_INTERVAL, until_stopped(stopped.clone())).await.is_ok() {
            return;
        }
    }
}

/// Works through what users ask for on the page `/reset`, again and again. Apart from the mail, which does not wait
/// for Keystone; and not at once, so that nobody can tell from the server's load what a request led to.
async fn answer_requests(resets: &PasswordResets, stopped: watch::Receiver<bool>) {
    loop {
        if let Err(error) = resets.work_through(|| !*stopped.borrow()).await {
            tracing::error!(%error, "requests for links cannot be worked through");
        }
        if tokio::time::timeout(DELIVERY_INTERVAL, until_stopped(stopped.clone())).await.is_ok() {
            return;
        }
    }
}

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
use crate::http::{Look, RenderMail, Services, router, without_setpass};
use crate::outbox::Delivery;
use crate::password_notice::PasswordNotices;

/// How often the outbox is looked through.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(3);

/// How often secrets of links that have ended are destroyed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT, then lets what is under way finish within `setpass.grace`. Where the pages are on
/// another machine, what is served only tells that the program is alive.
///
/// # Errors
/// Where the mail templates or the logo cannot be loaded, or the address cannot be listened on.
pub async fn run(app: &App) -> anyhow::Result<ExitCode> {
    let render_mail = render_mail(app).await?;
    let setpass = &app.settings.setpass;
    let router = match &setpass.remote {
        None => router(services(app, &render_mail)?),
        // The pages are there: a form that was sent here would reach nobody.
        Some(_) => without_setpass(),
    };
    let listener = TcpListener::bind(setpass.listen)
        .await
        .with_context(|| format!("cannot listen on {} (setpass.listen)", setpass.listen))?;
    let address = listener.local_addr().context("cannot tell the address that is listened on")?;
    let (stop, stopped) = watch::channel(false);
    // Taken before the line below is printed: who reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate()).context("cannot take SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot take SIGINT")?;
    eprintln!("listening on http://{address}");

    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(until_stopped(stopped.clone()))
        .into_future();
    let work = async {
        let (served, ()) = tokio::join!(serving, deliver(app, &render_mail, stopped));
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

async fn render_mail(app: &App) -> anyhow::Result<RenderMail> {
    let templates = Arc::new(app.mail_templates().await?);
    Ok(Arc::new(move |content| {
        let templates = Arc::clone(&templates);
        Box::pin(async move { templates.render(&content).await })
    }))
}

fn services(app: &App, render_mail: &RenderMail) -> anyhow::Result<Services> {
    Ok(Services {
        setpass: app.setpass.clone(),
        keystone: app.keystone.clone(),
        outbox: app.outbox.clone(),
        render_mail: Arc::clone(render_mail),
        look: Arc::new(Look::load(&app.settings.site, &app.settings.setpass)?),
        helpdesk: app.settings.mail.helpdesk.clone(),
        public_url: app.settings.setpass.public_url().clone(),
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
async fn deliver(app: &App, render_mail: &RenderMail, stopped: watch::Receiver<bool>) {
    let App { keys, outbox, setpass, .. } = app;
    let notices = PasswordNotices {
        database: app.database.clone(),
        keystone: app.keystone.clone(),
        outbox: outbox.clone(),
        clock: app.clock.clone(),
        site: app.settings.site.clone(),
    };
    let mut swept: Option<Instant> = None;
    loop {
        // A retired key must not stay in memory because nobody asks for anything.
        keys.refresh();
        if let Err(error) = notices.make_owed(async |content| render_mail(content).await).await {
            tracing::error!(%error, "users cannot be told of changed passwords");
        }
        match outbox.deliver_due().await {
            Ok(deliveries) => deliveries.iter().for_each(Delivery::log),
            Err(error) => tracing::error!(%error, "the outbox cannot be worked through"),
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL) {
            match setpass.sweep().await {
                Ok(swept) => tracing::debug!(swept.destroyed, swept.forgotten, "lapsed setpass links swept"),
                Err(error) => tracing::error!(%error, "lapsed setpass links cannot be swept"),
            }
            swept = Some(Instant::now());
        }
        if tokio::time::timeout(DELIVERY_INTERVAL, until_stopped(stopped.clone())).await.is_ok() {
            return;
        }
    }
}

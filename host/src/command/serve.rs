//! `usher serve`: setpass over HTTP, the mail that waits, and jobs at their times.

mod by_itself;
mod rounds;
mod signals;
mod under_way;

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use super::Exit;
use crate::app::App;
use crate::http::{Bodies, Look, Services, answers, without_setpass};
use crate::password_reset::PasswordResets;
use crate::readiness::Readiness;
use crate::server::tls::Tls;
use crate::server::{self, Limits, Server};
use crate::service_manager;
use crate::settings;

pub(super) use rounds::INTERVAL as DELIVERY_INTERVAL;
use signals::Signals;
use under_way::{Part, UnderWay};

/// How long a change of a password that Keystone has been asked for is waited for after that. Whoever ends the
/// program before leaves its outcome unknown.
const SETTLING: Duration = Duration::from_secs(60);

/// How long the answer about such a change may take on its way.
const TELLING: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT. Then `/readyz` says so, clients are let in for `setpass.stop_delay` more, and what is
/// under way may finish within `setpass.grace`, and jobs their step within `schedule.grace`. A password that is being
/// changed has longer, so that its outcome is recorded. A second signal ends all of that at once: whatever is cut off
/// is made good after the next start. Where the pages are on another machine, what is served only tells how the
/// program is.
///
/// # Errors
/// Where the mail templates, the logo or the certificate cannot be loaded, or the address cannot be listened on.
pub async fn run(app: &App) -> anyhow::Result<ExitCode> {
    // Told first that the program is about to stop, and then that nobody is let in any more.
    let (stop, stopping) = watch::channel(false);
    let (close, closed) = watch::channel(false);
    let render_mail = app.mail_templates().await?.into_function();
    let setpass = &app.settings.setpass;
    let (answers, resets) = match &setpass.remote {
        None => (
            answers(services(app, stopping.clone())?),
            Some(PasswordResets::with(app, Arc::clone(&render_mail))),
        ),
        // The pages are there: a form that was sent here would reach nobody.
        Some(_) => (without_setpass(readiness(app, stopping.clone())), None),
    };
    let server = listen(setpass).await?;
    let url = server.url().context("cannot tell the address that is listened on")?;
    // Taken before the line below is printed: who reads it may send a signal at once.
    let mut signals = Signals::take()?;
    eprintln!("listening on {url}");
    service_manager::ready();

    let under_way = UnderWay::default();
    let mut work = pin!(async {
        tokio::join!(
            under_way.during(Part::Requests, server.run(answers, closed)),
            rounds::run(app, &render_mail, resets.as_ref(), &under_way, &stopping),
        )
    });
    let mut jobs = pin!(by_itself::run(app));
    tokio::select! {
        _ = &mut work => {}
        // They go on until they are asked to stop.
        () = &mut jobs => {}
        signal = signals.next() => tracing::info!("{signal}: stopping"),
    }
    service_manager::stopping();
    stop.send_replace(true);
    app.stop.ask();
    let finishing = async {
        if let Some(delay) = setpass.stop_delay {
            let _ = tokio::time::timeout(delay, &mut work).await;
        }
        close.send_replace(true);
        if tokio::time::timeout(setpass.grace, &mut work).await.is_ok() {
            // A change goes on where nobody waits for it any more.
            settle(app).await;
            return;
        }
        under_way.log_cut_off();
        settle(app).await;
        // Who was waiting for that is still to be told.
        let _ = tokio::time::timeout(TELLING, work).await;
    };
    tokio::select! {
        _ = async { tokio::join!(finishing, jobs) } => {}
        signal = signals.next() => {
            tracing::warn!("{signal} again: ending at once; what is cut off is made good after the next start");
        }
    }
    Ok(Exit::Done.into())
}

async fn settle(app: &App) {
    if tokio::time::timeout(SETTLING, app.setpass.settle()).await.is_err() {
        tracing::error!("Keystone did not answer in time whether it has changed a password");
    }
}

async fn listen(setpass: &settings::setpass::Setpass) -> anyhow::Result<Server> {
    let tls = setpass.tls.as_ref().map(Tls::load).transpose()?;
    let limits = Limits {
        connections: setpass.max_connections,
        connections_per_client: setpass.max_connections_per_client,
        unlimited: setpass.trusted_proxies.clone(),
        client_timeout: setpass.client_timeout,
    };
    Server::bind(setpass.listen, tls, limits)
        .await
        .with_context(|| format!("cannot listen on {} (setpass.listen)", setpass.listen))
}

/// As many as connections, and as many of one client: with HTTP/1 each has one at a time. By default all of them come to 32 MiB.
fn bodies(setpass: &settings::setpass::Setpass) -> Bodies {
    let most = setpass.max_connections;
    Bodies::new(most, setpass.max_connections_per_client.unwrap_or_else(|| server::share_of(most)))
}

fn services(app: &App, stopping: watch::Receiver<bool>) -> anyhow::Result<Services> {
    let App { settings, keystone, setpass, .. } = app;
    Ok(Services {
        setpass: setpass.clone(),
        keystone: keystone.clone(),
        look: Arc::new(Look::load(&settings.site, &settings.setpass)?),
        public_url: settings.setpass.public_url().clone(),
        trusted_proxies: settings.setpass.trusted_proxies.clone(),
        forwarded_header: settings.setpass.forwarded_header,
        client_timeout: settings.setpass.client_timeout,
        bodies: bodies(&settings.setpass),
        readiness: readiness(app, stopping),
    })
}

fn readiness(app: &App, stopping: watch::Receiver<bool>) -> Readiness {
    let App { settings, clock, database, keys, keystone, .. } = app;
    let keystone = settings.setpass.remote.is_none().then(|| keystone.clone());
    Readiness::new(database.clone(), keys.clone(), keystone, clock.clone(), stopping)
}

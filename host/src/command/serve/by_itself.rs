//! What `usher serve` does besides answering requests and sending mail: jobs at their times, and the signs of life that
//! systemd waits for.

use crate::app::App;
use crate::schedule::Scheduler;
use crate::service_manager;

/// Runs jobs until the services are asked to stop, and what runs then to the end of its step.
pub(super) async fn run(app: &App) {
    let scheduler = Scheduler::new(app);
    tokio::join!(scheduler.run(&app.stop), show_life(app, &scheduler));
}

/// Tells systemd's watchdog that the program is well as long as every job is looked after and the database lets itself be
/// written to. All of it is one task with the jobs: what blocks them keeps this from telling anything.
async fn show_life(app: &App, scheduler: &Scheduler<'_>) {
    let Some(interval) = service_manager::watchdog_interval() else { return };
    while !app.stop.is_asked() {
        let writable = tokio::time::timeout(interval, app.database.try_to_write()).await;
        match (writable, scheduler.is_alive()) {
            (Ok(Ok(())), true) => service_manager::well(),
            (Ok(Ok(())), false) => {
                tracing::error!(
                    "a job is not looked after any more; systemd's watchdog will start the service again"
                );
            }
            (Ok(Err(error)), _) => tracing::error!(%error, "the database cannot be written to"),
            (Err(_), _) => tracing::error!("the database does not answer"),
        }
        tokio::select! {
            () = app.clock.sleep(interval) => {}
            () = app.stop.asked() => {}
        }
    }
}
